// Functions of the application that a stream calls, and ours that bring data to and from host memory
// when a graph copies it. The server says when a stream has reached one; the client runs it on a
// thread of its own, as CUDA does, and tells the server to go on.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <utility>

namespace outboard::client {

class HostFunctions {
 public:
  using Function = std::function<void()>;
  using NumberedFunction = std::function<void(uint64_t number)>;
  // Tells the server that the function has returned.
  using Done = std::function<void(uint64_t number)>;

  explicit HostFunctions(Done done) : done_(std::move(done)) {}
  // Waits for a function that is running; those that were not reached are forgotten.
  ~HostFunctions();
  HostFunctions(const HostFunctions&) = delete;
  HostFunctions& operator=(const HostFunctions&) = delete;

  // Keeps the function under a new number, which is never 0. Starts the thread on first use.
  uint64_t add(Function function);
  // The same for a function that may be reached any number of times. `gone` is called, after the last
  // of them, when it no longer will be.
  // Both are told the number; `function` may be empty.
  uint64_t add_repeating(NumberedFunction function, NumberedFunction gone);
  // The launch failed: the number will never be reached.
  void remove(uint64_t number);
  // Whether one has yet to run or to return: host memory may then change behind the caller's back.
  bool pending() const { return pending_.load(std::memory_order_acquire) != 0; }
  // The server says that a stream has reached this number, or that none will any more. Never blocks;
  // ignores unknown numbers.
  void reached(uint64_t number) { push({number, false}); }
  void gone(uint64_t number) { push({number, true}); }

 private:
  struct Entry {
    NumberedFunction function;  // empty: never reached, only gone
    NumberedFunction gone;
    bool repeats = false;
  };
  struct Due {
    uint64_t number;
    bool gone;
  };
  uint64_t keep(Entry entry);
  void push(Due due);
  void run();

  const Done done_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::unordered_map<uint64_t, Entry> waiting_;
  std::deque<Due> due_;
  uint64_t next_number_ = 1;
  std::atomic<uint64_t> pending_{0};
  bool closing_ = false;
  std::thread thread_;
};

}  // namespace outboard::client
