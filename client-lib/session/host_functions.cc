#include "client-lib/session/host_functions.h"

#include <utility>

#include "client-lib/session/host_function_thread.h"
#include "client-lib/session/signals.h"

namespace outboard::client {
namespace {

thread_local bool t_host_functions = false;

}  // namespace

bool on_host_function_thread() { return t_host_functions; }

HostFunctions::~HostFunctions() {
  {
    std::lock_guard lock(mutex_);
    closing_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

uint64_t HostFunctions::add(Function function) {
  std::lock_guard lock(mutex_);
  if (!thread_.joinable()) {
    const AllSignalsBlocked blocked;
    thread_ = std::thread([this] { run(); });
  }
  const uint64_t number = next_number_++;
  waiting_.emplace(number, std::move(function));
  pending_.fetch_add(1, std::memory_order_acq_rel);
  return number;
}

void HostFunctions::remove(uint64_t number) {
  std::lock_guard lock(mutex_);
  if (waiting_.erase(number) != 0) pending_.fetch_sub(1, std::memory_order_acq_rel);
}

void HostFunctions::reached(uint64_t number) {
  std::lock_guard lock(mutex_);
  due_.push_back(number);
  changed_.notify_one();
}

void HostFunctions::run() {
  t_host_functions = true;
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return closing_ || !due_.empty(); });
    if (closing_) return;
    const uint64_t number = due_.front();
    due_.pop_front();
    const auto it = waiting_.find(number);
    if (it == waiting_.end()) continue;
    const Function function = std::move(it->second);
    waiting_.erase(it);
    lock.unlock();
    function();
    pending_.fetch_sub(1, std::memory_order_acq_rel);
    done_(number);
    lock.lock();
  }
}

}  // namespace outboard::client
