#include "server/softgpu/device/executor.h"

#include <signal.h>

#include <new>

#include "server/softgpu/device/limits.h"
#include "server/softgpu/device/stream.h"

namespace outboard::softgpu {

SignalsBlocked::SignalsBlocked() {
  static_assert(sizeof(sigset_t) <= sizeof(saved_));
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, new (saved_) sigset_t);
}

SignalsBlocked::~SignalsBlocked() {
  pthread_sigmask(SIG_SETMASK, std::launder(reinterpret_cast<sigset_t*>(saved_)), nullptr);
}

Executor::~Executor() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void Executor::post(std::shared_ptr<Stream> stream) {
  std::unique_lock lock(mutex_);
  ready_.push_back(std::move(stream));
  if (idle_ < ready_.size() && workers_.size() < kMaxWorkers) {
    const SignalsBlocked blocked;
    workers_.emplace_back([this] { work(); });
    return;
  }
  lock.unlock();
  wake_.notify_one();
}

void Executor::work() {
  std::unique_lock lock(mutex_);
  for (;;) {
    while (ready_.empty() && !stopping_) {
      ++idle_;
      wake_.wait(lock);
      --idle_;
    }
    if (ready_.empty()) return;
    const std::shared_ptr<Stream> stream = std::move(ready_.front());
    ready_.pop_front();
    lock.unlock();
    stream->drain();
    lock.lock();
  }
}

}  // namespace outboard::softgpu
