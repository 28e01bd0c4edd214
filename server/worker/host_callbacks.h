// Functions of the client that the device wants to have called, and host memory of the client that it
// wants to have copied: the driver's thread waits here until the client has done one.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <unordered_map>
#include <vector>

namespace outboard::server {

// Threads: any.
class HostCallbacks {
 public:
  // Enough for every node of every graph of a large program; a client that makes more is refused.
  static constexpr size_t kMaxTickets = 1u << 20;
  // Of all copies of graphs between host and device, together.
  static constexpr uint64_t kMaxStagingBytes = 4ull << 30;

  // What the driver is given as user data, for `run`.
  struct Ticket {
    HostCallbacks* callbacks;
    uint64_t id;
    bool repeats;  // recorded in a graph: may run any number of times
    // Of a copy: the bytes that come from the client before the device copies them, or go there after.
    std::unique_ptr<std::byte[]> staging;
    size_t staging_bytes;
    bool copies_on_host = false;  // what the client does is a copy between two of its own addresses

    std::span<std::byte> bytes() const { return {staging.get(), staging_bytes}; }
  };
  using Tell = std::function<void(uint64_t id)>;

  // `announce` tells the client that a callback is due; called on a thread of the driver. `retired`
  // tells it that this will never happen again.
  explicit HostCallbacks(Tell announce, Tell retired = {})
      : announce_(std::move(announce)), retired_(std::move(retired)) {}
  HostCallbacks(const HostCallbacks&) = delete;
  ~HostCallbacks() { close(); }

  // A ticket for the callback that the client knows as `id`; null if the id is taken or there are
  // too many. It lives until it has run, or until it is retired if it repeats.
  Ticket* issue(uint64_t id, bool repeats, size_t staging_bytes = 0);
  // The driver did not take it.
  void withdraw(Ticket* ticket);
  // Nothing refers to the ticket any more.
  void retire(Ticket* ticket);
  // Nothing but launches that are under way refers to it any more.
  void retire_later(Ticket* ticket);

  // The function for the driver: announces the callback and returns when the client has run it, or
  // when the session is over. Its type is CUhostFn, as those of the next two.
  static void run(void* ticket);
  // In its place in an executable graph whose node is disabled.
  static void skip(void*) {}
  // For the stream of a graph's launch, behind it; `callbacks` is this object.
  static void launch_done(void* callbacks);

  // A launch of a graph that may reach tickets that repeat; launch_done ends it.
  void begin_launch();
  bool any_repeats() const;
  // Whether the driver may be waiting for the client now: then any call of it may block.
  bool in_flight() const;

  // The client has run it. False if it was not running.
  bool done(uint64_t id);
  // The staging memory of a copy whose callback is running; empty otherwise.
  std::span<std::byte> staging(uint64_t id);

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
  std::unique_ptr<Ticket> take_locked(const Ticket* ticket);

  const Tell announce_;
  const Tell retired_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::unordered_map<uint64_t, std::unique_ptr<Ticket>> tickets_;
  std::unordered_map<uint64_t, Runs> runs_;  // by id, while one runs
  std::vector<Ticket*> unused_;              // to be retired when no launch is under way
  uint64_t staging_bytes_ = 0;
  size_t repeating_ = 0;
  size_t launches_ = 0;  // under way
  bool closed_ = false;
};

}  // namespace outboard::server
