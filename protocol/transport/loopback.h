// Connections inside one process: client and server of a test, with the blocking of real ones.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "protocol/base/limits.h"
#include "protocol/transport/transport.h"

namespace outboard::transport {

// Two connected ends. Each direction holds at most `pipe_bytes` on the way; a sender waits when
// they are full. An end counts as closed when it is shut down or destroyed.
std::pair<std::unique_ptr<Transport>, std::unique_ptr<Transport>> loopback_pair(
    size_t pipe_bytes = limits::kLoopbackPipeBytes);

// The names that loopback:NAME means. Owned by whoever wires client and server together; must
// outlive its listeners. Thread-safe.
class LoopbackNetwork {
 public:
  // kOverloaded when the name is taken.
  Result<std::unique_ptr<Listener>> listen(const std::string& name);
  // kNotFound when nobody listens.
  Result<std::unique_ptr<Transport>> connect(const std::string& name);

 private:
  friend class LoopbackListener;
  struct Queue;
  void forget(const std::string& name);

  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Queue>> listening_;
};

}  // namespace outboard::transport
