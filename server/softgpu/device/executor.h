// The threads that run what is queued in streams.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace outboard::softgpu {

class Stream;

// A stream with work that can run is posted; one worker drains it until it is empty or has to wait
// for another stream. Workers are made on demand, up to kMaxWorkers, because host functions may
// block. Workers take no signals: those belong to the application's threads.
class Executor {
 public:
  Executor() = default;
  // Waits for running work and ends the workers. Streams must be empty.
  ~Executor();
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;

  void post(std::shared_ptr<Stream> stream);

 private:
  void work();

  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::shared_ptr<Stream>> ready_;
  std::vector<std::thread> workers_;
  size_t idle_ = 0;
  bool stopping_ = false;
};

// Starts threads while this exists: they inherit that no signal is delivered to them.
class SignalsBlocked {
 public:
  SignalsBlocked();
  ~SignalsBlocked();
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  alignas(16) unsigned char saved_[128];  // sigset_t
};

}  // namespace outboard::softgpu
