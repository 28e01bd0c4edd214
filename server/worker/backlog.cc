#include "server/worker/backlog.h"

#include <utility>

namespace outboard::server {

bool Backlog::active() const {
  std::lock_guard lock(mutex_);
  return running_ || !entries_.empty();
}

void Backlog::push(const wire::Command& command) {
  Entry entry{command, {}};
  entry.data.reserve(command.body.size() + command.bulk.size());
  entry.data.insert(entry.data.end(), command.body.begin(), command.body.end());
  entry.data.insert(entry.data.end(), command.bulk.begin(), command.bulk.end());
  const std::span<const std::byte> data(entry.data);
  entry.command.body = data.first(command.body.size());
  entry.command.bulk = data.subspan(command.body.size());

  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return closed_ || bytes_ < kMaxBytes; });
  if (closed_) return;
  bytes_ += entry.data.size();
  entries_.push_back(std::move(entry));
  if (!thread_.joinable()) thread_ = std::thread([this] { run_all(); });
  changed_.notify_all();
}

void Backlog::run_all() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return closed_ || !entries_.empty(); });
    if (closed_) return;
    const Entry entry = std::move(entries_.front());
    entries_.pop_front();
    running_ = true;
    lock.unlock();
    const Status processed = run_(entry.command);
    if (!processed) on_failure_(processed);
    lock.lock();
    running_ = false;
    bytes_ -= entry.data.size();
    if (!processed) closed_ = true;
    changed_.notify_all();
  }
}

void Backlog::close() {
  {
    std::lock_guard lock(mutex_);
    closed_ = true;
    entries_.clear();
    changed_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

}  // namespace outboard::server
