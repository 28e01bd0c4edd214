// Functions of the application that a stream calls. The server says when a stream has reached one;
// the client runs it on a thread of its own, as CUDA does, and tells the server to go on.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <unordered_map>

namespace outboard::client {

class HostFunctions {
 public:
  using Function = std::function<void()>;
  // Tells the server that the function has returned.
  using Done = std::function<void(uint64_t number)>;

  explicit HostFunctions(Done done) : done_(std::move(done)) {}
  // Waits for a function that is running; those that were not reached are forgotten.
  ~HostFunctions();
  HostFunctions(const HostFunctions&) = delete;
  HostFunctions& operator=(const HostFunctions&) = delete;

  // Keeps the function under a new number, which is never 0. Starts the thread on first use.
  uint64_t add(Function function);
  // The launch failed: the number will never be reached.
  void remove(uint64_t number);
  // Whether one has yet to run or to return: host memory may then change behind the caller's back.
  bool pending() const { return pending_.load(std::memory_order_acquire) != 0; }
  // The server says that a stream has reached this number. Never blocks; ignores unknown numbers.
  void reached(uint64_t number);

 private:
  void run();

  const Done done_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::unordered_map<uint64_t, Function> waiting_;
  std::deque<uint64_t> due_;
  uint64_t next_number_ = 1;
  std::atomic<uint64_t> pending_{0};
  bool closing_ = false;
  std::thread thread_;
};

}  // namespace outboard::client
