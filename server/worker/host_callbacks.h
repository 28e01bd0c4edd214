// Functions of the client that the device wants to have called: the driver's thread waits here until
// the client has run one.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <unordered_map>

namespace outboard::server {

// Threads: any.
class HostCallbacks {
 public:
  // Enough for every node of every graph of a large program; a client that makes more is refused.
  static constexpr size_t kMaxTickets = 1u << 20;

  // What the driver is given as user data, for `run`.
  struct Ticket {
    HostCallbacks* callbacks;
    uint64_t id;
    bool repeats;  // recorded in a graph: may run any number of times
  };

  // `tell_client` announces a callback that is due; called on a thread of the driver.
  explicit HostCallbacks(std::function<void(uint64_t id)> tell_client)
      : tell_client_(std::move(tell_client)) {}
  HostCallbacks(const HostCallbacks&) = delete;
  ~HostCallbacks() { close(); }

  // A ticket for the callback that the client knows as `id`; null if the id is taken or there are
  // too many. It lives until it has run, or for ever if it repeats.
  Ticket* issue(uint64_t id, bool repeats);
  // The driver did not take it.
  void withdraw(Ticket* ticket);

  // The function for the driver: announces the callback and returns when the client has run it, or
  // when the session is over. Its type is CUhostFn.
  static void run(void* ticket);

  // The client has run it. False if it was not running.
  bool done(uint64_t id);

  // Releases everybody, now and in future.
  void close();

  size_t tickets() const;

 private:
  struct Runs {
    uint64_t announced = 0;
    uint64_t finished = 0;
    uint64_t waiting = 0;  // threads of the driver that have not noticed yet
  };
  void announce(const Ticket& ticket);

  const std::function<void(uint64_t id)> tell_client_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::unordered_map<uint64_t, std::unique_ptr<Ticket>> tickets_;
  std::unordered_map<uint64_t, Runs> runs_;  // by id, while one runs
  bool closed_ = false;
};

}  // namespace outboard::server
