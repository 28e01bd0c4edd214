// The door: accepts connections, finds out who is there, and reads their hello under a deadline.
#pragma once

#include <sys/types.h>
#include <chrono>
#include <cstddef>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "protocol/base/clock.h"
#include "protocol/base/log.h"
#include "protocol/transport/transport.h"
#include "protocol/wire/handshake.h"
#include "server/daemon/peer_identity.h"

namespace outboard::server {

// Somebody whose identity and hello are known, waiting to be admitted or refused.
struct Visitor {
  std::unique_ptr<transport::Transport> transport;
  PeerIdentity peer;
  wire::HelloInfo hello;
};

struct ReceptionOptions {
  // Connections that have not said hello yet. One more, and the oldest of them is hung up on: it had
  // the longest time to speak, and somebody who only connects must not keep others out.
  size_t max_pending = 64;
  std::chrono::milliseconds hello_timeout{5000};
  uid_t own_uid = 0;
  std::vector<uid_t> allowed_uids;
};

// One thread per listener and one per pending connection; the daemon's own thread only takes what
// they have ready.
class Reception {
 public:
  // `wake` is called from any thread when take() or tidy() may have something to do.
  Reception(ReceptionOptions options, Logger log, const Clock& clock, std::function<void()> wake);
  ~Reception();  // close()

  void listen(std::unique_ptr<transport::Listener> listener);

  std::vector<Visitor> take();

  // Joins threads that have finished.
  void tidy();

  // Stops accepting, hangs up on everybody pending, joins all threads.
  void close();

 private:
  struct Pending {
    std::unique_ptr<transport::Transport> transport;  // null once handed on
    bool finished = false;
    bool evicted = false;
    std::thread thread;
  };

  void make_room();
  void accept_all(transport::Listener& listener);
  void begin(std::unique_ptr<transport::Transport> transport);
  void greet(std::list<Pending>::iterator pending);
  Status check(transport::Transport& transport, Visitor& visitor);

  const ReceptionOptions options_;
  const Logger log_;
  const Clock& clock_;
  const std::function<void()> wake_;

  std::mutex mutex_;
  bool closed_ = false;
  std::vector<std::unique_ptr<transport::Listener>> listeners_;
  std::vector<std::thread> accepting_;
  std::list<Pending> pending_;
  std::vector<Visitor> visitors_;
};

}  // namespace outboard::server
