// What the daemon knows about one running session.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "protocol/base/clock.h"
#include "protocol/transport/transport.h"
#include "server/daemon/peer_identity.h"
#include "server/daemon/worker_process.h"
#include "server/quota/compute_scheduler.h"
#include "server/worker/control_messages.h"

namespace outboard::server {

struct SessionRecord {
  uint64_t id = 0;
  std::string client;  // "bench (process 4711 of user 1000 on host lab)"
  SteadyTime started{};
  uid_t user = 0;  // as the kernel says
  wire::HelloInfo hello;
  WorkerProcess worker;
  // The daemon keeps its copy of the connection open, without using it, until the worker has ended.
  std::unique_ptr<transport::Transport> transport;
  bool welcomed = false;
  SessionTotals totals;
  std::optional<control::Ended> ended;
  ComputeUsage compute;  // when it is over
};

// A sentence about a session that is over: who, how long, why, how much.
std::string describe_end(const SessionRecord& session, const WorkerExit& exit, SteadyTime now);
// Whether it ended as it should.
bool ended_in_order(const SessionRecord& session, const WorkerExit& exit);

}  // namespace outboard::server
