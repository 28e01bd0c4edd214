#include "client-lib/session/client.h"

#include <unistd.h>

#include <algorithm>
#include <utility>

#include "client-lib/session/export_host.h"
#include "protocol/base/bytes.h"
#include "protocol/base/limits.h"
#include "protocol/wire/handle_life.h"

namespace outboard::client {
namespace {

using wire::Handle;
using wire::HandleKind;

// What cuInit says when there is no session. The CUDA runtime passes the code on, so that programs
// print its text: "no CUDA-capable device is detected", "system not yet initialized", "system has
// unsupported display driver / cuda driver combination", "operation not permitted".
CUresult init_result(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kUnsupported:
    case ErrorKind::kProtocolViolation: return CUDA_ERROR_SYSTEM_DRIVER_MISMATCH;
    case ErrorKind::kOverloaded:
    case ErrorKind::kQuotaExceeded: return CUDA_ERROR_SYSTEM_NOT_READY;
    case ErrorKind::kPermissionDenied: return CUDA_ERROR_NOT_PERMITTED;
    default: return CUDA_ERROR_NO_DEVICE;
  }
}

// What kernels print belongs on the application's standard output, and what the driver says of those that
// failed on its standard error, as with a local device. A plain write: the application may have closed or
// replaced its stdio. Losing output is not worth an error.
void print_device_output(int descriptor, std::string_view output) {
  while (!output.empty()) {
    const ssize_t written = write(descriptor, output.data(), output.size());
    if (written <= 0) return;
    output.remove_prefix(static_cast<size_t>(written));
  }
}

// What CUDA says of a handle that names nothing.
CUresult error_of_dead(HandleKind kind) {
  switch (kind) {
    case HandleKind::kContext:
    case HandleKind::kGreenContext: return CUDA_ERROR_INVALID_CONTEXT;
    case HandleKind::kGraph:
    case HandleKind::kGraphNode:
    case HandleKind::kGraphExec:
    case HandleKind::kUserObject:
    case HandleKind::kDevResourceDesc: return CUDA_ERROR_INVALID_VALUE;
    default: return CUDA_ERROR_INVALID_HANDLE;
  }
}

}  // namespace

Client::Client(Options options)
    : options_(std::move(options)),
      counters_(options_.stats.counters()),
      mirrors_(mirrored_device(), options_.log),
      uploads_(options_.offer_copies),
      threads_([this](ThreadState& state) { thread_ends(state); }),
      host_functions_([this](uint64_t number) { host_function_done(number); }),
      export_host_(std::make_unique<ExportHost>(*this)),
      export_tables_(std::make_unique<abi::ExportTables>(*export_host_)) {}

Client::~Client() = default;

CUresult Client::initialize(unsigned flags) {
  if (flags != 0) return CUDA_ERROR_INVALID_VALUE;
  if (life_.ready()) return CUDA_SUCCESS;
  if (life_.phase() != LifePhase::kFresh) return gate_closed();
  std::lock_guard lock(init_mutex_);
  if (life_.ready()) return CUDA_SUCCESS;
  if (early_failure_) return *std::exchange(early_failure_, std::nullopt);
  const CUresult connected = connect_locked();
  return connected == CUDA_SUCCESS ? start_session_locked() : connected;
}

int Client::driver_version() {
  std::lock_guard lock(init_mutex_);
  if (life_.phase() == LifePhase::kFresh && !early_failure_) {
    const CUresult connected = connect_locked();
    if (connected == CUDA_SUCCESS) return early_->welcome.driver_version;
    early_failure_ = connected;
  }
  return welcome_.driver_version != 0 ? welcome_.driver_version : CUDA_VERSION;
}

CUresult Client::gate_closed() const {
  return life_.phase() == LifePhase::kEnding ? CUDA_ERROR_DEINITIALIZED : CUDA_ERROR_NOT_INITIALIZED;
}

// Leaves a fresh connection in early_. One made before a fork belongs to the parent.
CUresult Client::connect_locked() {
  if (early_ && early_pid_ != getpid()) {
    if (const int fd = early_->transport->native_handle(); fd >= 0) close(fd);
    (void)early_->transport.release();  // its destructor would end the parent's connection
    early_.reset();
  }
  if (early_) return CUDA_SUCCESS;
  Result<Connection> connection = options_.connect();
  if (!connection) {
    log_once(LogLevel::kError, "connect", connection.error().message);
    return init_result(connection.error().kind);
  }
  early_ = std::move(*connection);
  early_pid_ = getpid();
  return CUDA_SUCCESS;
}

CUresult Client::start_session_locked() {
  Connection connection = std::move(*early_);
  early_.reset();
  welcome_ = std::move(connection.welcome);
  devices_ = Devices(
      std::move(welcome_.devices),
      options_.visible_devices ? std::optional<std::string_view>(*options_.visible_devices) : std::nullopt);
  welcome_.devices.clear();
  if (devices_.count() == 0) {
    log_once(LogLevel::kWarn, "devices",
             devices_.server_count() == 0 ? text("The server ", welcome_.server_name, " has no device.")
                                          : text("CUDA_VISIBLE_DEVICES hides all ", devices_.server_count(),
                                                 " devices of the server."));
    return CUDA_ERROR_NO_DEVICE;
  }
  handles_.reserve_first(HandleKind::kContext, devices_.server_count());
  for (uint32_t ordinal = 0; ordinal < devices_.server_count(); ++ordinal) {
    ContextInfo* primary = add_context(Handle{ordinal + 1, 1}, ordinal, 0);
    primary->primary = true;
  }
  options_.stats.set_device(devices_.visible(0)->snapshot.name);
  options_.stats.set_transport(connection.transport->description());
  Session::Hooks hooks;
  hooks.log = options_.log;
  hooks.on_notice = [this](const wire::Notice& notice) { take_notice(notice); };
  hooks.counters = &counters_;
  session_ = std::make_unique<Session>(std::move(connection.transport), std::move(hooks));
  life_.set_ready();
  return CUDA_SUCCESS;
}

void Client::end_of_process() {
  const bool was_ready = life_.ready();
  life_.set_ending();
  if (was_ready) session_->say_goodbye("The process exits.");
}

CUresult Client::find_handle(HandleKind kind, uint64_t value, Handle* handle) {
  if (kind == HandleKind::kStream && value <= 2) {
    if (value == 2) return per_thread_stream(handle);
    *handle = Handle{0, static_cast<uint32_t>(value)};
    return CUDA_SUCCESS;
  }
  const Handle candidate = handle_of(value);
  const bool live = handle_kind(value) == kind && candidate.index != 0 &&
                    (candidate.index >= wire::kServerIndexBase || handles_.alive(kind, candidate));
  if (!live) return error_of_dead(kind);
  *handle = candidate;
  return CUDA_SUCCESS;
}

CUresult Client::create_handle(HandleKind kind, Handle* handle) {
  return create_handle_with(kind, nullptr, handle);
}

CUresult Client::create_handle_with(HandleKind kind, void* payload, Handle* handle) {
  *handle = handles_.create(kind, payload, wire::lives_in_context(kind) ? owning_context().index : 0);
  return handle->is_null() ? CUDA_ERROR_OUT_OF_MEMORY : CUDA_SUCCESS;
}

void Client::forget_handle(HandleKind kind, Handle handle) {
  (void)handles_.destroy(kind, handle);
  if (kind == HandleKind::kStream && captures_.any()) captures_.end(handle);
}

uint64_t Client::application_handle(HandleKind kind, Handle handle) { return handle_value(kind, handle); }

CUresult Client::server_device(CUdevice device, int32_t* server) {
  const Device* known = devices_.visible(device);
  if (known == nullptr) return CUDA_ERROR_INVALID_DEVICE;
  *server = static_cast<int32_t>(known->server_ordinal);
  return CUDA_SUCCESS;
}

CUresult Client::application_device(int32_t server, CUdevice* device) {
  const std::optional<CUdevice> number = devices_.number_of(static_cast<uint32_t>(server));
  if (!number) return CUDA_ERROR_INVALID_DEVICE;
  *device = *number;
  return CUDA_SUCCESS;
}

CUresult Client::require_context(ContextInfo** info) {
  const Handle current = thread().current();
  if (current.is_null()) return CUDA_ERROR_INVALID_CONTEXT;
  *info = context(current);
  return *info == nullptr ? CUDA_ERROR_CONTEXT_IS_DESTROYED : CUDA_SUCCESS;
}

ContextInfo* Client::primary_context(uint32_t server_ordinal) {
  return context(Handle{server_ordinal + 1, 1});
}

ContextInfo* Client::context_at(uint32_t index) {
  std::lock_guard lock(contexts_mutex_);
  for (const auto& info : contexts_) {
    if (info->handle.index == index && handles_.alive(HandleKind::kContext, info->handle)) return info.get();
  }
  return nullptr;
}

ContextInfo* Client::add_context(Handle handle, uint32_t server_ordinal, uint32_t flags) {
  auto info = std::make_unique<ContextInfo>();
  info->handle = info->owner = handle;
  info->device = server_ordinal;
  info->flags = flags;
  info->id = next_context_id_.fetch_add(1, std::memory_order_relaxed);
  ContextInfo* raw = info.get();
  {
    std::lock_guard lock(contexts_mutex_);
    contexts_.push_back(std::move(info));
  }
  handles_.set_payload(HandleKind::kContext, handle, raw);
  return raw;
}

void Client::drop_objects_of(ContextInfo& context) {
  export_tables_->storage().drop_context(
      reinterpret_cast<const void*>(handle_value(HandleKind::kContext, context.handle)));
  handles_.destroy_owned_by(context.handle.index, [this](HandleKind kind, Handle, void* payload) {
    if (kind == HandleKind::kModule && payload != nullptr)
      modules_.retire(*static_cast<ModuleInfo*>(payload));
  });
  device_memory_.remove_context(context.handle, [this](const MemoryRange& range) {
    if (range.kind == MemoryKind::kManaged) (void)mirrors_.remove(range.base);
  });
  // Host memory outlives contexts.
  mirrors_.move(context.handle, Handle{context.device + 1, 1});
}

void Client::take_notice(const wire::Notice& notice) {
  if (notice.kind == wire::Notice::Kind::kDeviceOutput) {
    print_device_output(STDOUT_FILENO, notice.text);
  } else if (notice.kind == wire::Notice::Kind::kDeviceErrors) {
    print_device_output(STDERR_FILENO, notice.text);
  } else if (notice.kind == wire::Notice::Kind::kHostFunction) {
    host_functions_.reached(notice.number);
  } else if (notice.kind == wire::Notice::Kind::kHostFunctionGone) {
    host_functions_.gone(notice.number);
  } else if (notice.kind == wire::Notice::Kind::kDriverLog) {
    notifications_.driver_logged(static_cast<CUlogLevel>(notice.number), notice.text);
  } else if (notice.kind == wire::Notice::Kind::kDevice) {
    CUasyncNotificationInfo info{};
    info.type = static_cast<CUasyncNotificationType>(notice.type);
    info.info.overBudget.bytesOverBudget = notice.bytes;
    notifications_.device_said(
        Handle{static_cast<uint32_t>(notice.number), static_cast<uint32_t>(notice.number >> 32)}, info);
  } else {
    options_.log.warn(text("The server says: ", printable(notice.text, limits::kMessageBytes)));
  }
}

CUresult Client::malformed_reply(wire::Opcode opcode) {
  session_->lose({ErrorKind::kProtocolViolation,
                  text("The server's reply to ", wire::opcode_name(opcode), " cannot be read.")});
  return Session::kLost;
}

void Client::log_once(LogLevel level, std::string_view key, const std::string& message) {
  {
    std::lock_guard lock(log_mutex_);
    if (!logged_.emplace(key).second) return;
  }
  options_.log.log(level, message);
}

}  // namespace outboard::client
