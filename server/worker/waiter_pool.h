// Threads for driver calls that wait, so that a wait never stalls the commands of other threads.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace outboard::server {

// Starts threads on demand, up to a limit; further jobs queue in order. Each thread owns a State
// that `make_state` builds on it (its view of the session: current context and so on).
template <typename State>
class WaiterPool {
 public:
  using Job = std::function<void(State&)>;

  WaiterPool(size_t max_threads, size_t max_queued, std::function<std::unique_ptr<State>()> make_state)
      : max_threads_(max_threads), max_queued_(max_queued), make_state_(std::move(make_state)) {}

  // Runs what is queued, then joins: the caller makes sure that no job waits for ever.
  ~WaiterPool() {
    {
      std::lock_guard lock(mutex_);
      closing_ = true;
    }
    changed_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }

  // False when `max_queued` jobs are waiting for a thread already.
  bool submit(Job job) {
    std::lock_guard lock(mutex_);
    if (jobs_.size() >= max_queued_) return false;
    jobs_.push_back(std::move(job));
    if (jobs_.size() > idle_ && threads_.size() < max_threads_) {
      threads_.emplace_back([this] { run(); });
    }
    changed_.notify_one();
    return true;
  }

  size_t threads() const {
    std::lock_guard lock(mutex_);
    return threads_.size();
  }
  // Threads that wait for a job.
  size_t idle() const {
    std::lock_guard lock(mutex_);
    return idle_;
  }

 private:
  void run() {
    const std::unique_ptr<State> state = make_state_();
    std::unique_lock lock(mutex_);
    while (true) {
      ++idle_;
      changed_.wait(lock, [this] { return closing_ || !jobs_.empty(); });
      --idle_;
      if (jobs_.empty()) return;
      Job job = std::move(jobs_.front());
      jobs_.pop_front();
      lock.unlock();
      job(*state);
      lock.lock();
    }
  }

  const size_t max_threads_;
  const size_t max_queued_;
  const std::function<std::unique_ptr<State>()> make_state_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Job> jobs_;
  std::vector<std::thread> threads_;
  size_t idle_ = 0;
  bool closing_ = false;
};

}  // namespace outboard::server
