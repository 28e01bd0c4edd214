#include "server/softgpu/exec/thread_pool.h"

#include <algorithm>

namespace outboard::softgpu::exec {

struct ThreadPool::Job {
  const std::function<void()>* work = nullptr;
  unsigned wanted = 0;   // helpers that may still join
  unsigned running = 0;  // helpers inside work()
  std::condition_variable done;
};

ThreadPool::ThreadPool(unsigned threads) : threads_(std::max(threads, 1u)) {
  for (unsigned i = 1; i < threads_; ++i) workers_.emplace_back([this] { loop(); });
}

ThreadPool::~ThreadPool() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void ThreadPool::loop() {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
    if (stopping_) return;
    std::shared_ptr<Job> job = jobs_.front();
    ++job->running;
    if (--job->wanted == 0) jobs_.pop_front();
    lock.unlock();
    (*job->work)();
    lock.lock();
    if (--job->running == 0) job->done.notify_all();
  }
}

void ThreadPool::run(unsigned helpers, const std::function<void()>& work) {
  helpers = std::min(helpers, threads_ - 1);
  if (helpers == 0) return work();
  auto job = std::make_shared<Job>();
  job->work = &work;
  job->wanted = helpers;
  {
    std::lock_guard lock(mutex_);
    jobs_.push_back(job);
  }
  if (helpers == 1)
    wake_.notify_one();
  else
    wake_.notify_all();
  work();
  std::unique_lock lock(mutex_);
  // Whoever has not joined by now need not: the work is done.
  std::erase(jobs_, job);
  job->done.wait(lock, [&] { return job->running == 0; });
}

}  // namespace outboard::softgpu::exec
