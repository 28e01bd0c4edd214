// The daemon: admits visitors, starts a worker for each, supervises, and tells what happened.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "protocol/base/clock.h"
#include "protocol/base/log.h"
#include "protocol/transport/transport.h"
#include "server/daemon/compute_arbiter.h"
#include "server/daemon/exports.h"
#include "server/daemon/reception.h"
#include "server/daemon/server_options.h"
#include "server/daemon/session_record.h"
#include "server/daemon/unique_fd.h"
#include "server/worker/control_messages.h"

namespace outboard::server {

// Threads: run() belongs to one thread, which must live as long as the workers (they are killed
// with it); stop() may be called from any thread and from a signal handler.
class Server {
 public:
  Server(ServerOptions options, Logger log, const Clock& clock);
  ~Server();

  // Asks a worker process which driver works, then opens the addresses. After that, clients can
  // connect, though they are served only while run() runs.
  Status start();

  // Serves until stop() is called and all sessions have ended.
  void run();
  void stop();

  std::vector<std::string> addresses() const { return addresses_; }
  const control::Probed& driver() const { return driver_; }
  size_t sessions() const { return sessions_.size(); }

 private:
  Result<control::Probed> probe_driver();
  void wake();
  std::optional<std::chrono::nanoseconds> wait_time();
  bool poll_once();
  void admit(Visitor visitor);
  void read_control(SessionRecord& session);
  void answer(SessionRecord& session, const ExportRequest& request, UniqueFd descriptor);
  void take(SessionRecord& session, control::Message& message, UniqueFd descriptor);
  void begin_sharing(const SessionRecord& session, uint32_t devices);
  void send(uint64_t session, const control::Message& message);
  void finish(SessionRecord& session);
  void begin_stop();

  const ServerOptions options_;
  const Logger log_;
  const Clock& clock_;
  UniqueFd wake_fd_;
  std::atomic<bool> stop_requested_{false};
  bool stopping_ = false;
  SteadyTime kill_at_{};
  uint64_t next_session_id_ = 1;
  control::Probed driver_;
  std::vector<std::string> addresses_;
  std::unique_ptr<Reception> reception_;
  std::vector<std::unique_ptr<SessionRecord>> sessions_;
  Exports exports_;
  ComputeArbiter compute_;
};

}  // namespace outboard::server
