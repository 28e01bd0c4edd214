// Commands that wait their turn behind one that may block.
//
// While a host function of the client is on its way, any driver call may block until it has run,
// and that it has run is said by a command further down the stream. So meanwhile commands are run
// by a thread of their own, in order, and the dispatch thread goes on receiving.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "protocol/base/result.h"
#include "protocol/wire/commands.h"

namespace outboard::server {

// Threads: push(), active() and close() belong to the dispatch thread. While active() is true the
// backlog's thread may run a command; when it is false, everything that it did is visible here.
class Backlog {
 public:
  // More than this, and push() waits.
  static constexpr uint64_t kMaxBytes = 256ull << 20;

  // `run` processes a command on the backlog's thread. When it fails, `on_failure` is told once, and
  // everything else is dropped.
  Backlog(std::function<Status(const wire::Command&)> run, std::function<void(const Status&)> on_failure)
      : run_(std::move(run)), on_failure_(std::move(on_failure)) {}
  ~Backlog() { close(); }

  bool active() const;
  void push(const wire::Command& command);  // copies what the command points to
  // Drops what has not begun and waits for what has.
  void close();

 private:
  struct Entry {
    wire::Command command;
    std::vector<std::byte> data;  // body, then bulk
  };
  void run_all();

  const std::function<Status(const wire::Command&)> run_;
  const std::function<void(const Status&)> on_failure_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Entry> entries_;
  uint64_t bytes_ = 0;
  bool running_ = false;
  bool closed_ = false;
  std::thread thread_;  // started by the first push()
};

}  // namespace outboard::server
