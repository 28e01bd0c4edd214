// A session from its welcome to its end, over any transport and any driver.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "protocol/base/log.h"
#include "protocol/transport/transport.h"
#include "protocol/wire/handshake.h"
#include "server/device/driver_api_gen.h"
#include "server/metrics/session_counters.h"
#include "server/worker/backlog.h"
#include "server/worker/dispatch_gen.h"
#include "server/worker/outbox.h"
#include "server/worker/session_state.h"
#include "server/worker/waiter_pool.h"
#include "server/worker/worker.h"

namespace outboard::server {

struct SessionConfig {
  uint64_t session_id = 0;
  std::string server_name;
  std::string driver_name;
  // Whether a context costs next to nothing; else facts that need one are asked for when a client
  // asks for them.
  bool contexts_are_cheap = false;
  // Where to keep what clients send, and how much; see content_store.h. Empty: nowhere.
  std::string content_folder;
  uint64_t content_bytes = 0;
  wire::HelloInfo hello;
  // For clients that only ask: processes of theirs, and what adds sensors to the devices.
  std::vector<wire::ProcessInfo> processes;
  std::function<void(std::vector<wire::DeviceSnapshot>&)> read_sensors;
  // What kernels have printed since it was last asked; empty function: nobody listens.
  std::function<std::string()> take_output;
  // The same of what the driver has written to standard error: texts of failed assertions.
  std::function<std::string()> take_errors;
  // How to reach the daemon about exports; empty function: nothing can be exported or imported.
  ExportExchange::Send send_export;
  // Called just before the welcome is sent: from then on nobody else may answer the hello.
  std::function<void(uint32_t devices)> on_welcome;
  // Threads for calls that wait; as many threads of the client can wait at the same time without
  // queueing behind each other.
  size_t max_waiters = 64;
  size_t max_queued_waits = 4096;
};

struct SessionEnd {
  bool orderly = false;  // the client left, or the server asked it to
  std::string reason;    // a full sentence
  SessionTotals totals;
};

// Threads: run() belongs to one thread, which becomes the dispatch thread; totals() and stop() may
// be called from any other.
class WorkerSession {
 public:
  WorkerSession(transport::Transport& transport, const DriverApi& driver, SessionConfig config, Logger log);
  ~WorkerSession();

  // Sends the welcome and serves until the client leaves, errs, or stop() is called. The driver has
  // been initialised. What the client created is left to the end of the process, which frees it.
  SessionEnd run();

  // Tells the client why and ends the session.
  void stop(const std::string& reason);

  SessionTotals totals() const;
  // The daemon's answer about exports. Any thread.
  void take_export_answer(ExportAnswer answer, UniqueFd descriptor);
  // For whoever decides on the session's turns; without one, everything passes.
  ComputeGate& compute() { return state_.compute; }
  // A sentence for the client's log, at once. Any thread, once the welcome is on its way.
  void tell_client(std::string sentence);

 private:
  Status welcome();
  // The session goes on until a Status is not ok or `ended_` is set.
  Status receive_one(wire::FrameReceiver& receiver);
  Status send_ready();
  Status process_commands(const wire::Frame& frame);
  Status take(const wire::Command& command);
  Status check(const wire::Command& command) const;
  Status process(Worker& worker, const wire::Command& command);
  Status process_at_once(const wire::Command& command);
  void fail_from_backlog(const Status& status);
  Status defer(const wire::Command& command, DeferredCall work);
  void finish(const wire::Command& command, CUresult result, CommandOutput& output);
  SessionEnd end(Status status);
  DeferredError take_deferred();
  void keep_deferred(DeferredError error);
  void tell_of_callback(wire::Notice::Kind what, uint64_t id);
  void announce(wire::Notice notice);
  void forward_output();

  transport::Transport& transport_;
  const SessionConfig config_;
  const Logger log_;
  SessionState state_;
  Outbox outbox_;
  Worker worker_;          // the dispatch thread's view
  Worker backlog_worker_;  // the backlog's
  uint64_t expected_sequence_ = 1;
  std::mutex deferred_mutex_;
  DeferredError deferred_;  // guarded by deferred_mutex_
  bool client_left_ = false;
  std::mutex end_mutex_;
  std::string stop_reason_;  // guarded by end_mutex_; empty: not asked to stop
  Status backlog_status_;    // guarded by end_mutex_
  // Declared after what their threads use, so that they are joined first.
  std::unique_ptr<WaiterPool<Worker>> waiters_;
  std::unique_ptr<Backlog> backlog_;
};

// A whole session in one call, for programs and tests that need no control over it.
SessionEnd serve_session(transport::Transport& transport, const DriverApi& driver, SessionConfig config,
                         Logger log);

}  // namespace outboard::server
