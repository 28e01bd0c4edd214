#include "server/softgpu/exec/thread_pool.h"

#include <algorithm>
#include <utility>

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

ThreadPool::ThreadPool(std::vector<uint32_t> multiprocessors)
    : threads_(std::max(static_cast<unsigned>(multiprocessors.size()), 1u)),
      multiprocessors_(std::move(multiprocessors)) {
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
    wake_.wait(lock, [this] { return stopping_ || (!jobs_.empty() && may_enter()); });
    if (stopping_) return;
    std::shared_ptr<Job> job = jobs_.front();
    ++job->running;
    if (--job->wanted == 0) jobs_.pop_front();
    ++inside_;
    lock.unlock();
    (*job->work)();
    lock.lock();
    leave();
    if (--job->running == 0) job->done.notify_all();
  }
}

void ThreadPool::leave() {
  --inside_;
  if (limited()) wake_.notify_all();
}

void ThreadPool::run(unsigned helpers, const std::function<void()>& work) {
  helpers = std::min(helpers, threads_ - 1);
  if (helpers == 0 && !limited()) return work();
  auto job = std::make_shared<Job>();
  job->work = &work;
  job->wanted = helpers;
  {
    std::unique_lock lock(mutex_);
    wake_.wait(lock, [this] { return may_enter(); });
    ++inside_;
    if (helpers != 0) jobs_.push_back(job);
  }
  if (helpers == 1 && !limited())  // callers may wait as well
    wake_.notify_one();
  else
    wake_.notify_all();
  work();
  std::unique_lock lock(mutex_);
  leave();
  // Whoever has not joined by now need not: the work is done.
  std::erase(jobs_, job);
  job->done.wait(lock, [&] { return job->running == 0; });
}

}  // namespace outboard::softgpu::exec
