#include "server/worker/worker_session.h"

#include <algorithm>
#include <utility>

#include "protocol/base/bytes.h"
#include "protocol/wire/opcodes_gen.h"
#include "server/worker/device_snapshot.h"

namespace outboard::server {
namespace {

uint32_t count_devices(const DriverApi& driver) {
  int count = 0;
  if (driver.cuDeviceGetCount(&count) != CUDA_SUCCESS || count < 0) return 0;
  return std::min<uint32_t>(static_cast<uint32_t>(count), limits::kDevices);
}

uint64_t memory_limit(const wire::HelloInfo& hello) {
  return hello.requested.memory_bytes == 0 ? MemoryLedger::kUnlimited : hello.requested.memory_bytes;
}

// What ends the wait of a callback.
bool overtakes(wire::Opcode opcode) {
  return opcode == wire::Opcode::kHostFunctionDone || opcode == wire::Opcode::kHostCopyWrite ||
         opcode == wire::Opcode::kHostCopyRead;
}

// Commands that use a stream of their own and nothing that others might be busy with.
bool moves_beside(wire::Opcode opcode) {
  return opcode == wire::Opcode::kMirrorWrite || opcode == wire::Opcode::kMirrorRead;
}

// A capture that failed is ended all the same.
int capture_change(wire::Opcode opcode, CUresult result) {
  switch (opcode) {
    case wire::Opcode::kStreamBeginCaptureV2:
    case wire::Opcode::kStreamBeginCaptureToGraph: return result == CUDA_SUCCESS ? 1 : 0;
    case wire::Opcode::kStreamEndCapture:
      return result == CUDA_SUCCESS || result == CUDA_ERROR_STREAM_CAPTURE_INVALIDATED ||
                     result == CUDA_ERROR_STREAM_CAPTURE_UNJOINED
                 ? -1
                 : 0;
    default: return 0;
  }
}

tl::unexpected<Error> violation(std::string message) {
  return fail(ErrorKind::kProtocolViolation, std::move(message));
}

}  // namespace

WorkerSession::WorkerSession(transport::Transport& transport, const DriverApi& driver, SessionConfig config,
                             Logger log)
    : transport_(transport),
      config_(std::move(config)),
      log_(std::move(log)),
      state_(
          driver, count_devices(driver), memory_limit(config_.hello), log_,
          [this](uint64_t id) { tell_of_callback(wire::Notice::Kind::kHostFunction, id); },
          [this](uint64_t id) { tell_of_callback(wire::Notice::Kind::kHostFunctionGone, id); }),
      outbox_(transport),
      worker_(state_),
      backlog_worker_(state_),
      waiters_(std::make_unique<WaiterPool<Worker>>(config_.max_waiters, config_.max_queued_waits,
                                                    [this] { return std::make_unique<Worker>(state_); })),
      backlog_(std::make_unique<Backlog>(
          [this](const wire::Command& command) {
            if (Status processed = process(backlog_worker_, command); !processed) return processed;
            state_.compute.end_batches();
            return send_ready();
          },
          [this](const Status& status) { fail_from_backlog(status); })) {
  state_.notices.set_sender([this](wire::Notice notice) { announce(std::move(notice)); });
  if (config_.send_export) state_.exports = std::make_unique<ExportExchange>(config_.send_export);
  if (config_.content_folder.empty() || config_.content_bytes == 0) return;
  auto content = ContentStore::open(config_.content_folder, config_.content_bytes);
  if (content)
    state_.content.emplace(std::move(*content));
  else
    log_.warn(content.error().message);
}

WorkerSession::~WorkerSession() {
  if (state_.exports) state_.exports->close();
  state_.callbacks.close();
  state_.notices.close();
}

Status WorkerSession::welcome() {
  auto version = wire::negotiate_version(config_.hello);
  if (!version) return fail(version);
  wire::WelcomeInfo welcome;
  welcome.protocol_version = *version;
  welcome.registry_revision = wire::kRegistryRevision;
  welcome.session_id = config_.session_id;
  welcome.server_version = OUTBOARD_VERSION;
  welcome.server_name = config_.server_name;
  welcome.driver_name = config_.driver_name;
  welcome.driver_version = driver_version(state_.driver);
  welcome.granted = config_.hello.requested;
  welcome.devices = snapshot_devices(state_.driver, state_.devices,
                                     config_.contexts_are_cheap ? ContextFacts::kGather : ContextFacts::kSkip,
                                     state_.ledger);
  if (config_.hello.purpose == wire::SessionPurpose::kQuery) {
    welcome.processes = config_.processes;
    if (config_.read_sensors) config_.read_sensors(welcome.devices);
  }
  if (config_.on_welcome) config_.on_welcome(state_.devices);
  return wire::send_welcome(transport_, welcome);
}

SessionEnd WorkerSession::run() {
  Status status = welcome();
  if (status && config_.hello.purpose == wire::SessionPurpose::kQuery) {
    return SessionEnd{true, "The client wanted to know the devices only.", totals()};
  }
  wire::FrameReceiver receiver(transport_);
  while (status && !client_left_) status = receive_one(receiver);
  return end(status);
}

Status WorkerSession::receive_one(wire::FrameReceiver& receiver) {
  auto frame = receiver.receive();
  if (!frame) return fail(frame);
  const wire::Envelope& envelope = frame->envelope;
  if (envelope.as<wire::CommandsFrame>() != nullptr) return process_commands(*frame);
  if (const auto* goodbye = envelope.as<wire::Goodbye>()) {
    client_left_ = true;
    if (goodbye->orderly) return {};
    return fail(ErrorKind::kInternal, "The client ended the session: " + printable(goodbye->message, 1024));
  }
  if (const auto* heartbeat = envelope.as<wire::Heartbeat>()) {
    if (heartbeat->wants_answer) outbox_.answer_heartbeat();
    return send_ready();
  }
  return violation(text("The client sent a frame of the kind \"", wire::envelope_kind_name(envelope),
                        "\" in the middle of a session."));
}

Status WorkerSession::process_commands(const wire::Frame& frame) {
  if (frame.envelope.first_sequence != expected_sequence_) {
    return violation(text("A frame begins with command ", frame.envelope.first_sequence, ", but command ",
                          expected_sequence_, " comes next."));
  }
  wire::CommandReader reader(frame);
  wire::Command command;
  while (reader.next(command)) {
    if (Status taken = take(command); !taken) return taken;
    expected_sequence_ = command.sequence + 1;
  }
  state_.compute.end_batches();
  if (Status complete = reader.end(); !complete) return complete;
  outbox_.acknowledge(expected_sequence_ - 1);
  return send_ready();
}

// A client that has left reads nothing any more, but what it said before is still to be received: a
// broken connection is noticed there.
Status WorkerSession::send_ready() {
  Status sent = outbox_.flush();
  if (!sent && sent.error().kind == ErrorKind::kDisconnected) return {};
  return sent;
}

// While a host function is on its way, see backlog.h. Memory that host and device both use goes on moving:
// the host function may be what touches it.
Status WorkerSession::take(const wire::Command& command) {
  if (Status checked = check(command); !checked) return checked;
  if (overtakes(command.opcode)) return process_at_once(command);
  if (!moves_beside(command.opcode) && (backlog_->active() || state_.callbacks.in_flight())) {
    backlog_->push(command);
    return {};
  }
  return process(worker_, command);
}

// What may be said of a command before its body is read.
Status WorkerSession::check(const wire::Command& command) const {
  const auto number = static_cast<uint16_t>(command.opcode);
  if (!wire::is_opcode(number)) {
    return violation(text("Command ", command.sequence, " has the unknown opcode ", number, "."));
  }
  const wire::OpcodeInfo info = wire::opcode_info(command.opcode);
  const auto broken = [&](const char* what) {
    return violation(
        text("Command ", command.sequence, " (", wire::opcode_name(command.opcode), ") ", what, "."));
  };
  if (!command.wants_reply && !info.no_reply) return broken("asks for no reply, but has something to tell");
  if (command.bulk_bytes != 0 && !info.request_bulk)
    return broken("carries bulk data, but has no use for any");
  return {};
}

// What is before them may be waiting for them. They touch nothing of the driver.
Status WorkerSession::process_at_once(const wire::Command& command) {
  CommandOutput output;
  wire::Reader body(command.body);
  DispatchOutcome outcome = dispatch(worker_, command.opcode, body, command.bulk, output);
  if (!outcome.violation.empty()) return violation(std::move(outcome.violation));
  state_.counters.count_command(static_cast<uint16_t>(command.opcode), outcome.result != CUDA_SUCCESS);
  if (!command.wants_reply) return {};
  state_.counters.count_reply();
  outbox_.add({.sequence = command.sequence,
               .result = outcome.result,
               .deferred = {},
               .body = output.body.view(),
               .bulk = std::move(output.bulk)});
  return {};
}

Status WorkerSession::process(Worker& worker, const wire::Command& command) {
  const wire::OpcodeInfo info = wire::opcode_info(command.opcode);
  // What takes long must not hold up what is ready.
  if (info.allocates || info.request_bulk) {
    if (Status sent = send_ready(); !sent) return sent;
  }
  if (!info.launches) state_.compute.end_batches();
  CommandOutput output;
  worker.begin_command(command.opcode, command.sequence);
  DispatchOutcome outcome;
  outcome.result = worker.enter(command.context, command.capture_mode);
  if (outcome.result == CUDA_SUCCESS) {
    wire::Reader body(command.body);
    outcome = dispatch(worker, command.opcode, body, command.bulk, output);
  }
  if (!outcome.violation.empty()) return violation(std::move(outcome.violation));
  if (info.launches) state_.counters.count_launch();
  if (const int change = capture_change(command.opcode, outcome.result); change != 0)
    state_.compute.capture_changes(change);
  if (outcome.deferred) return defer(command, std::move(outcome.deferred));
  finish(command, outcome.result, output);
  return {};
}

// A call that waits goes to a helper thread. What it has to tell of earlier commands is taken along
// now, because later commands are behind it in the stream.
Status WorkerSession::defer(const wire::Command& command, DeferredCall work) {
  const DeferredError deferred = take_deferred();
  const bool queued = waiters_->submit([this, deferred, work = std::move(work), opcode = command.opcode,
                                        sequence = command.sequence, context = command.context,
                                        capture_mode = command.capture_mode](Worker& helper) {
    CommandOutput output;
    CUresult result = helper.enter(context, capture_mode);
    if (result == CUDA_SUCCESS) result = work(output);
    if (result != CUDA_SUCCESS) output.bulk.reset();  // it may be uninitialised
    forward_output();
    state_.pools.refresh();
    state_.counters.count_command(static_cast<uint16_t>(opcode), result != CUDA_SUCCESS);
    state_.counters.count_reply();
    outbox_.add({.sequence = sequence,
                 .result = result,
                 .deferred = deferred,
                 .body = output.body.view(),
                 .bulk = std::move(output.bulk)});
    // A failure ends the session where it is received next.
    [[maybe_unused]] const Status flushed = outbox_.flush();
  });
  if (queued) return {};
  return violation(
      text("More than ", config_.max_queued_waits, " calls of the client wait at the same time."));
}

void WorkerSession::finish(const wire::Command& command, CUresult result, CommandOutput& output) {
  const bool failed = result != CUDA_SUCCESS;
  state_.counters.count_command(static_cast<uint16_t>(command.opcode), failed);
  if (failed && log_.enabled(LogLevel::kDebug)) {
    log_.debug(text("Command ", command.sequence, " (", wire::opcode_name(command.opcode),
                    ") failed with CUresult ", static_cast<int>(result), "."));
  }
  if (!command.wants_reply) {
    if (failed) keep_deferred({result, command.opcode});
    return;
  }
  if (failed) output.bulk.reset();  // it may be uninitialised
  state_.counters.count_reply();
  outbox_.add({.sequence = command.sequence,
               .result = result,
               .deferred = take_deferred(),
               .body = output.body.view(),
               .bulk = std::move(output.bulk)});
}

DeferredError WorkerSession::take_deferred() {
  std::lock_guard lock(deferred_mutex_);
  return std::exchange(deferred_, {});
}

// The first is the one to tell.
void WorkerSession::keep_deferred(DeferredError error) {
  std::lock_guard lock(deferred_mutex_);
  if (deferred_.result == CUDA_SUCCESS) deferred_ = error;
}

// Kernels' output, and what the driver says of them, becomes visible when the program waits for the device,
// as CUDA promises.
void WorkerSession::forward_output() {
  const auto forward = [this](const std::function<std::string()>& take, wire::Notice::Kind kind) {
    const std::string output = take ? take() : std::string();
    for (size_t at = 0; at < output.size(); at += limits::kNoticeOutputBytes)
      outbox_.add_notice({.kind = kind, .text = output.substr(at, limits::kNoticeOutputBytes)});
  };
  forward(config_.take_output, wire::Notice::Kind::kDeviceOutput);
  forward(config_.take_errors, wire::Notice::Kind::kDeviceErrors);
}

void WorkerSession::take_export_answer(ExportAnswer answer, UniqueFd descriptor) {
  if (state_.exports) state_.exports->take_answer(std::move(answer), std::move(descriptor));
}

void WorkerSession::tell_client(std::string sentence) {
  announce({.kind = wire::Notice::Kind::kMessage, .text = std::move(sentence)});
}

void WorkerSession::tell_of_callback(wire::Notice::Kind what, uint64_t id) {
  announce({.kind = what, .text = {}, .number = id});
}

void WorkerSession::announce(wire::Notice notice) {
  outbox_.add_notice(std::move(notice));
  // A failure ends the session where it is received next, and that releases the callback.
  [[maybe_unused]] const Status flushed = outbox_.flush();
}

void WorkerSession::stop(const std::string& reason) {
  {
    std::lock_guard lock(end_mutex_);
    if (!stop_reason_.empty()) return;
    stop_reason_ = reason;
  }
  state_.compute.open_for_good();
  // The client may be gone already; then there is nobody to tell.
  [[maybe_unused]] const Status told =
      outbox_.say_goodbye({.orderly = false, .kind = ErrorKind::kDisconnected, .message = reason});
  transport_.shutdown();
}

void WorkerSession::fail_from_backlog(const Status& status) {
  {
    std::lock_guard lock(end_mutex_);
    backlog_status_ = status;
  }
  // Ends the dispatch thread's receive(); end() then says why.
  [[maybe_unused]] const Status told =
      outbox_.say_goodbye({.orderly = false, .kind = status.error().kind, .message = status.error().message});
  transport_.shutdown();
}

SessionEnd WorkerSession::end(Status status) {
  state_.callbacks.close();
  std::string stop_reason;
  {
    std::lock_guard lock(end_mutex_);
    stop_reason = stop_reason_;
    if (!backlog_status_) status = backlog_status_;
  }
  SessionEnd ended;
  if (!stop_reason.empty()) {
    ended = {true, stop_reason, {}};
  } else if (status) {
    ended = {true, "The client said goodbye.", {}};
  } else if (status.error().kind == ErrorKind::kDisconnected) {
    ended = {false, "The client is gone without a goodbye: " + status.error().message, {}};
  } else {
    ended = {false, status.error().message, {}};
    if (!client_left_) {
      [[maybe_unused]] const Status told = outbox_.say_goodbye(
          {.orderly = false, .kind = status.error().kind, .message = status.error().message});
    }
  }
  transport_.shutdown();
  ended.totals = totals();
  return ended;
}

SessionTotals WorkerSession::totals() const {
  SessionTotals totals = state_.counters.totals();
  const transport::TransportCounts counts = transport_.counts();
  totals.bytes_received = counts.bytes_received;
  totals.bytes_sent = counts.bytes_sent;
  totals.objects = state_.objects.count();
  for (uint32_t device = 0; device < state_.devices; ++device) {
    const MemoryAccount account = state_.ledger.account(device);
    totals.memory_bytes += account.committed_bytes;
    totals.peak_memory_bytes += account.peak_bytes;
    totals.device_memory_bytes.push_back(account.committed_bytes);
  }
  return totals;
}

SessionEnd serve_session(transport::Transport& transport, const DriverApi& driver, SessionConfig config,
                         Logger log) {
  return WorkerSession(transport, driver, std::move(config), std::move(log)).run();
}

}  // namespace outboard::server
