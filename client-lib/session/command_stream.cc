#include "client-lib/session/command_stream.h"

#include <utility>

namespace outboard::client {

CommandStream::CommandStream(SendBatch send, OnFailure on_failure)
    : send_(std::move(send)), on_failure_(std::move(on_failure)) {}

bool CommandStream::wait_for_room(Lock& lock) {
  if (!closed_ && open_.size_bytes() < kMaxOpenBytes) [[likely]]
    return true;
  turn_.wait(lock, [this] { return closed_ || !sending_ || open_.size_bytes() < kMaxOpenBytes; });
  return !closed_;
}

bool CommandStream::wait_for_turn(Lock& lock) {
  turn_.wait(lock, [this] { return closed_ || !sending_; });
  return !closed_;
}

void CommandStream::after_post(Lock& lock) {
  if (sending_) return;  // the thread that sends looks again when it is done
  if (idle() || open_.size_bytes() >= kFlushBytes) (void)send_open(lock, {});
}

// Sends open_ and whatever became due meanwhile. The lock is free while bytes move.
bool CommandStream::send_open(Lock& lock, std::span<const std::byte> more_bulk) {
  sending_ = true;
  Status status;
  do {
    std::swap(open_, flying_);
    open_.reset(flying_.next_sequence());
    last_sent_.store(flying_.next_sequence() - 1, std::memory_order_relaxed);
    urgent_ = false;
    lock.unlock();
    status = send_(flying_, more_bulk);
    more_bulk = {};
    lock.lock();
  } while (status && !closed_ && !open_.empty() && (urgent_ || idle() || open_.size_bytes() >= kFlushBytes));
  sending_ = false;
  if (!status) closed_ = true;
  const bool ok = !closed_;
  turn_.notify_all();
  if (!status) {
    background_.notify_all();
    lock.unlock();
    on_failure_(status.error());
    lock.lock();
  }
  return ok;
}

bool CommandStream::flush() {
  Lock lock(mutex_);
  if (closed_) return false;
  if (open_.empty()) return true;
  if (sending_) {
    urgent_ = true;
    return true;
  }
  return send_open(lock, {});
}

bool CommandStream::try_send_last(const std::function<Status()>& last) {
  Lock lock(mutex_, std::try_to_lock);
  if (!lock.owns_lock() || sending_ || closed_) return false;
  Status status;
  if (!open_.empty()) {
    status = send_(open_, {});
    last_sent_.store(open_.next_sequence() - 1, std::memory_order_relaxed);
    open_.reset(open_.next_sequence());
  }
  if (status) status = last();
  closed_ = true;
  return status.has_value();
}

void CommandStream::acknowledge(uint64_t sequence) {
  std::lock_guard lock(mutex_);
  if (sequence <= acknowledged_) return;
  acknowledged_ = sequence;
  if (idle() && !open_.empty() && !sending_) {
    due_ = true;
    background_.notify_one();
  }
}

void CommandStream::run_background() {
  Lock lock(mutex_);
  while (!closed_) {
    background_.wait(lock, [this] { return closed_ || due_; });
    due_ = false;
    if (!closed_ && !sending_ && !open_.empty()) (void)send_open(lock, {});
  }
}

void CommandStream::close() {
  std::lock_guard lock(mutex_);
  closed_ = true;
  turn_.notify_all();
  background_.notify_all();
}

}  // namespace outboard::client
