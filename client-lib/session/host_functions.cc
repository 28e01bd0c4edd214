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
  return keep({[function = std::move(function)](uint64_t) { function(); }, {}, false});
}

uint64_t HostFunctions::add_repeating(NumberedFunction function, NumberedFunction gone) {
  return keep({std::move(function), std::move(gone), true});
}

uint64_t HostFunctions::keep(Entry entry) {
  std::lock_guard lock(mutex_);
  if (!thread_.joinable()) {
    const AllSignalsBlocked blocked;
    thread_ = std::thread([this] { run(); });
  }
  const uint64_t number = next_number_++;
  if (entry.function) pending_.fetch_add(1, std::memory_order_acq_rel);
  waiting_.emplace(number, std::move(entry));
  return number;
}

void HostFunctions::remove(uint64_t number) {
  std::lock_guard lock(mutex_);
  const auto it = waiting_.find(number);
  if (it == waiting_.end()) return;
  if (it->second.function) pending_.fetch_sub(1, std::memory_order_acq_rel);
  waiting_.erase(it);
}

void HostFunctions::push(Due due) {
  std::lock_guard lock(mutex_);
  due_.push_back(due);
  changed_.notify_one();
}

void HostFunctions::run() {
  t_host_functions = true;
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return closing_ || !due_.empty(); });
    if (closing_) return;
    const Due due = due_.front();
    due_.pop_front();
    const auto it = waiting_.find(due.number);
    if (it == waiting_.end()) continue;
    const bool ends = due.gone || !it->second.repeats;
    const Entry entry = ends ? std::move(it->second) : it->second;
    if (ends) waiting_.erase(it);
    lock.unlock();
    const NumberedFunction& function = due.gone ? entry.gone : entry.function;
    if (function) function(due.number);
    if (ends && entry.function) pending_.fetch_sub(1, std::memory_order_acq_rel);
    if (!due.gone) done_(due.number);
    lock.lock();
  }
}

}  // namespace outboard::client
