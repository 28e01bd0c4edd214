// One application process as a client: everything a call needs. The shim owns the process's one
// instance and never destroys it; tests make as many as they like.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "client-lib/session/command_sorts.h"
#include "client-lib/session/host_functions.h"
#include "client-lib/session/mirrors.h"
#include "client-lib/session/notifications.h"
#include "client-lib/session/session.h"
#include "client-lib/state/captures.h"
#include "client-lib/state/contexts.h"
#include "client-lib/state/devices.h"
#include "client-lib/state/export_tokens.h"
#include "client-lib/state/graph_store.h"
#include "client-lib/state/handle_table.h"
#include "client-lib/state/memory_map.h"
#include "client-lib/state/modules.h"
#include "client-lib/state/outgoing_uploads.h"
#include "client-lib/state/process_life.h"
#include "client-lib/state/reference_counts.h"
#include "client-lib/state/stream_activity.h"
#include "client-lib/state/thread_state.h"
#include "protocol/abi/coredump_settings.h"
#include "protocol/abi/cuda_abi_gen.h"
#include "protocol/abi/export_tables.h"
#include "protocol/base/log.h"
#include "protocol/base/result.h"
#include "protocol/base/session_stats.h"
#include "protocol/transport/transport.h"
#include "protocol/wire/handshake.h"
#include "protocol/wire/opcodes_gen.h"
#include "protocol/wire/reader.h"

namespace outboard::client {

class ExportHost;

// A server that said welcome.
struct Connection {
  std::unique_ptr<transport::Transport> transport;
  wire::WelcomeInfo welcome;
};

class Client {
 public:
  struct Options {
    // Connects and greets; called by cuInit, again if it failed. The error's message is shown to
    // the user once.
    std::function<Result<Connection>()> connect;
    Logger log;
    std::optional<std::string> visible_devices;  // CUDA_VISIBLE_DEVICES, absent if unset
    SessionStats stats;                          // counts for whoever watches
    OfferCopies offer_copies = OfferCopies::kAuto;
  };

  explicit Client(Options options);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // cuInit.
  CUresult initialize(unsigned flags);
  // cuDriverGetVersion, also before cuInit: connects to learn it.
  int driver_version();
  // Whether a call may proceed: CUDA_SUCCESS, NOT_INITIALIZED or DEINITIALIZED.
  CUresult gate() const { return life_.ready() ? CUDA_SUCCESS : gate_closed(); }
  // The process is exiting. Never waits.
  void end_of_process();

  // --- What generated code uses; protocol/registry/README.md is the contract. ---
  CUresult find_handle(wire::HandleKind kind, uint64_t value, wire::Handle* handle);
  CUresult create_handle(wire::HandleKind kind, wire::Handle* handle);
  void forget_handle(wire::HandleKind kind, wire::Handle handle);
  uint64_t application_handle(wire::HandleKind kind, wire::Handle handle);
  CUresult server_device(CUdevice device, int32_t* server);
  CUresult application_device(int32_t server, CUdevice* device);
  bool has_current_context() { return !thread().contexts.empty(); }
  template <typename Request>
  CUresult post(const Request& request) {
    if (shares_with_others_.load(std::memory_order_relaxed) || may_spoil_capture(request)) [[unlikely]] {
      typename Request::Reply reply;
      return call(request, reply);
    }
    if (const CUresult ready = before_sending(request); ready != CUDA_SUCCESS) return ready;
    const CUresult result = session_->post(scope(), request);
    note_work(request);
    return result;
  }
  template <typename Request>
  CUresult call(const Request& request, typename Request::Reply& reply) {
    Reply raw;
    return call(request, reply, raw, CallOptions{});
  }

  // Other programs see from now on what this one does, and hear by ways of their own when: the server has
  // every command when its post() returns, and copies to the device are work to wait for.
  void share_with_others() {
    shares_with_others_.store(true, std::memory_order_relaxed);
    activity_.note_anywhere();
  }

  // --- The same with bulk data, for hand-written calls. ---
  template <typename Request>
  CUresult post(const Request& request, std::span<const std::byte> bulk) {
    if (shares_with_others_.load(std::memory_order_relaxed) || may_spoil_capture(request)) [[unlikely]] {
      typename Request::Reply reply;
      Reply raw;
      return call(request, reply, raw, CallOptions{bulk, {}});
    }
    const CUresult result = session_->post(scope(), request, bulk);
    note_work(request);
    return result;
  }
  template <typename Request>
  CUresult call(const Request& request, typename Request::Reply& reply, Reply& raw,
                const CallOptions& options) {
    if (const CUresult ready = before_sending(request); ready != CUDA_SUCCESS) return ready;
    const uint64_t mark = mirrors_.any() ? mirrors_.mark() : 0;
    const CUresult sent = session_->call(scope(), request, raw, options);
    note_work(request);
    if (sent >= CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED && sent <= CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD)
      captures_.doubt();
    const CUresult result = decode_reply<Request>(sent, raw, reply);
    if (result == CUDA_SUCCESS && mirrors_.any()) after_reply(request, mark);
    return result;
  }
  // The last step of a call: decodes the reply's body, and lets a call that waits report what went
  // wrong before it.
  template <typename Request>
  CUresult decode_reply(CUresult result, const Reply& raw, typename Request::Reply& reply) {
    if (!raw.body.empty()) {
      wire::Reader reader(raw.body);
      if (!Request::Reply::decode(reader, reply)) return malformed_reply(Request::kOpcode);
    }
    if (wire::opcode_info(Request::kOpcode).waits && result == CUDA_SUCCESS) return session_->take_deferred();
    return result;
  }

  // --- State, for hand-written calls. ---
  ThreadState& thread() { return threads_.mine(); }
  CommandScope scope() {
    const ThreadState& state = thread();
    return CommandScope{state.current(), state.capture_mode};
  }
  Session& session() { return *session_; }
  HandleTable& handles() { return handles_; }
  MemoryMap& device_memory() { return device_memory_; }
  MemoryMap& host_memory() { return host_memory_; }
  ReferenceCounts& allocation_references() { return allocation_references_; }
  ExportTokens& export_tokens() { return export_tokens_; }
  Mirrors& mirrors() { return mirrors_; }
  std::mutex& mirroring() { return mirroring_; }  // held while host memory becomes a mirror
  ModuleStore& modules() { return modules_; }
  StreamActivity& activity() { return activity_; }
  const Devices& devices() const { return devices_; }
  const wire::WelcomeInfo& welcome() const { return welcome_; }
  ProcessLife& life() { return life_; }
  const Logger& log() const { return options_.log; }
  abi::ExportTables& export_tables() { return *export_tables_; }

  HostFunctions& host_functions() { return host_functions_; }
  GraphStore& graphs() { return graphs_; }
  Captures& captures() { return captures_; }
  // For calls that could interfere with a capture: what they have to return instead of doing it, if a
  // capture forbids the calling thread so. The captures are spoilt.
  CUresult check_captures();
  Notifications& notifications() { return notifications_; }
  abi::CoredumpSettings& coredump_settings() { return coredump_settings_; }

  // Null when the thread has no current context, or a destroyed one.
  ContextInfo* current_context() { return context(thread().current()); }
  ContextInfo* context(wire::Handle handle) {
    return static_cast<ContextInfo*>(handles_.payload(wire::HandleKind::kContext, handle));
  }
  // Where objects belong that are made now; see ContextInfo. Null without a current context.
  wire::Handle owning_context() {
    const ContextInfo* info = current_context();
    return info == nullptr ? wire::Handle{} : info->owner;
  }
  // The live context with this index, null if there is none.
  ContextInfo* context_at(uint32_t index);
  // CUDA_SUCCESS, INVALID_CONTEXT without a current context, CONTEXT_IS_DESTROYED for a dead one.
  CUresult require_context(ContextInfo** info);
  // By the server's ordinal; primary contexts exist from the start, active or not.
  ContextInfo* primary_context(uint32_t server_ordinal);
  ContextInfo* add_context(wire::Handle handle, uint32_t server_ordinal, uint32_t flags);
  // The context was reset or destroyed: so were its objects, memory and local storage.
  void drop_objects_of(ContextInfo& context);

  // For handles with a payload of the calls' own.
  CUresult create_handle_with(wire::HandleKind kind, void* payload, wire::Handle* handle);

  OutgoingUploads& uploads() { return uploads_; }

  void count_call() { counters_.calls.fetch_add(1, std::memory_order_relaxed); }
  void count_launch() { counters_.launches.fetch_add(1, std::memory_order_relaxed); }
  // Logs an unsupported call or a rare event once per key.
  void log_once(LogLevel level, std::string_view key, const std::string& message);

 private:
  // What the mirrors learn from the commands that pass here. What the client answers itself is told by
  // those who do it.
  template <typename Request>
  CUresult before_sending(const Request& request) {
    if (!mirrors_.any()) [[likely]]
      return CUDA_SUCCESS;
    if constexpr (requires { request.launches; }) {
      for (const auto& part : request.launches) {
        if (const CUresult given = mirrors_.hand_over(part.stream); given != CUDA_SUCCESS) return given;
      }
    } else if constexpr (Request::kTouchesMemory) {
      return mirrors_.hand_over(stream_of(request));
    }
    if constexpr (Request::kOpcode == wire::Opcode::kEventRecord ||
                  Request::kOpcode == wire::Opcode::kEventRecordWithFlags) {
      mirrors_.event_recorded(request.hEvent, request.hStream);
    }
    return CUDA_SUCCESS;
  }
  template <typename Request>
  void after_reply(const Request& request, uint64_t mark) {
    if constexpr (Request::kOpcode == wire::Opcode::kCopyRegionToHost) {
      mirrors_.stream_waited(request.stream, mark);
    } else if constexpr (Request::kOpcode == wire::Opcode::kEventSynchronize ||
                         Request::kOpcode == wire::Opcode::kEventQuery) {
      mirrors_.event_waited(request.hEvent);
    }
  }

  // After the command was appended.
  template <typename Request>
  void note_work(const Request& request) {
    constexpr CommandSort kSort = sort_of(Request::kOpcode, kHasStream<Request>);
    if constexpr (kSort == CommandSort::kVisible) activity_.note_visible(stream_of(request));
    if constexpr (kSort == CommandSort::kAnywhere) activity_.note_anywhere();
    if constexpr (kSort == CommandSort::kQuiet) {
      if (shares_with_others_.load(std::memory_order_relaxed)) {
        activity_.note_visible(stream_of(request));
      } else {
        activity_.note_quiet(stream_of(request));
      }
    }
  }
  // Errors of captures are told at the call that makes them. In a stream whose capture began here and
  // is in order there are none, unless an event brings something from outside.
  template <typename Request>
  bool may_spoil_capture(const Request& request) const {
    if constexpr (kHasStream<Request>) {
      constexpr bool kHasEvent = requires { request.hEvent; };
      return captures_.any() && (kHasEvent || !captures_.sure(stream_of(request)));
    }
    return false;
  }
  CUresult gate_closed() const;
  CUresult connect_locked();
  CUresult start_session_locked();
  CUresult malformed_reply(wire::Opcode opcode);
  CUresult per_thread_stream(wire::Handle* handle);
  Mirrors::Device mirrored_device();
  void thread_ends(ThreadState& state);
  void host_function_done(uint64_t number);
  void take_notice(const wire::Notice& notice);

  Options options_;
  SessionCounters& counters_;
  ProcessLife life_;
  std::mutex init_mutex_;
  std::set<std::string, std::less<>> logged_;  // guarded by log_mutex_
  std::mutex log_mutex_;
  std::atomic<uint64_t> next_context_id_{1};
  std::atomic<bool> shares_with_others_{false};

  // A connection made to learn the driver's version, in wait of cuInit; guarded by init_mutex_.
  std::optional<Connection> early_;
  pid_t early_pid_ = 0;
  // It failed: the answer of the cuInit that follows, which then need not wait once more.
  std::optional<CUresult> early_failure_;

  // Set once by start_session_locked(), before life_ says ready.
  wire::WelcomeInfo welcome_;
  Devices devices_;
  std::unique_ptr<Session> session_;

  HandleTable handles_;
  MemoryMap device_memory_;
  MemoryMap host_memory_;
  ReferenceCounts allocation_references_;
  ExportTokens export_tokens_;
  Mirrors mirrors_;
  std::mutex mirroring_;
  ModuleStore modules_;
  OutgoingUploads uploads_;
  StreamActivity activity_;
  std::mutex contexts_mutex_;
  std::vector<std::unique_ptr<ContextInfo>> contexts_;
  ThreadStates threads_;
  GraphStore graphs_;
  Captures captures_;
  HostFunctions host_functions_;
  Notifications notifications_;
  abi::CoredumpSettings coredump_settings_;
  std::unique_ptr<ExportHost> export_host_;
  std::unique_ptr<abi::ExportTables> export_tables_;
};

}  // namespace outboard::client
