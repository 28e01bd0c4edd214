// Threads that execute CTAs. Launches of several streams share one pool.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace outboard::softgpu::exec {

class ThreadPool {
 public:
  // `threads` counts the caller of run(), so a pool of 1 has no threads of its own.
  explicit ThreadPool(unsigned threads);
  // Stands for some of a device's multiprocessors, one thread for each: no more than so many are inside
  // work() at a time, callers of run() included. Further callers wait until one has finished.
  explicit ThreadPool(std::vector<uint32_t> multiprocessors);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  unsigned threads() const { return threads_; }
  // Empty if the pool is all of a device, where each caller of run() adds a thread.
  const std::vector<uint32_t>& multiprocessors() const { return multiprocessors_; }

  // Calls work() on the calling thread, and once on each of up to `helpers` idle pool threads
  // that get to it before the caller's own call has returned; returns when all calls have.
  // work() must be written so that any number of callers (at least one) does the whole job.
  void run(unsigned helpers, const std::function<void()>& work);

 private:
  struct Job;
  void loop();

  bool limited() const { return !multiprocessors_.empty(); }
  bool may_enter() const { return !limited() || inside_ < threads_; }
  void leave();

  unsigned threads_;
  std::vector<uint32_t> multiprocessors_;
  unsigned inside_ = 0;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::shared_ptr<Job>> jobs_;
  bool stopping_ = false;
  std::vector<std::thread> workers_;
};

}  // namespace outboard::softgpu::exec
