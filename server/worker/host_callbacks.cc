#include "server/worker/host_callbacks.h"

#include <utility>

namespace outboard::server {

HostCallbacks::Ticket* HostCallbacks::issue(uint64_t id, bool repeats, size_t staging_bytes) {
  std::lock_guard lock(mutex_);
  if (tickets_.size() >= kMaxTickets || tickets_.contains(id)) return nullptr;
  if (staging_bytes > kMaxStagingBytes - staging_bytes_) return nullptr;
  auto ticket = std::make_unique<Ticket>(Ticket{this, id, repeats, nullptr, staging_bytes});
  if (staging_bytes != 0) ticket->staging = std::make_unique<std::byte[]>(staging_bytes);
  staging_bytes_ += staging_bytes;
  if (repeats) ++repeating_;
  return tickets_.emplace(id, std::move(ticket)).first->second.get();
}

std::unique_ptr<HostCallbacks::Ticket> HostCallbacks::take_locked(const Ticket* ticket) {
  const auto it = tickets_.find(ticket->id);
  if (it == tickets_.end()) return nullptr;
  auto taken = std::move(it->second);
  tickets_.erase(it);
  staging_bytes_ -= taken->staging_bytes;
  if (taken->repeats) --repeating_;
  return taken;
}

void HostCallbacks::withdraw(Ticket* ticket) {
  std::lock_guard lock(mutex_);
  (void)take_locked(ticket);
}

void HostCallbacks::run(void* ticket) {
  const auto& called = *static_cast<const Ticket*>(ticket);
  called.callbacks->announce(called);
}

void HostCallbacks::announce(const Ticket& ticket) {
  const uint64_t id = ticket.id;
  const bool repeats = ticket.repeats;
  uint64_t turn = 0;
  {
    std::lock_guard lock(mutex_);
    if (!closed_) {
      turn = ++runs_[id].announced;
      ++runs_[id].waiting;
    }
  }
  if (turn != 0) announce_(id);
  std::unique_lock lock(mutex_);
  if (turn != 0) {
    changed_.wait(lock, [&] { return closed_ || runs_[id].finished >= turn; });
    if (--runs_[id].waiting == 0) runs_.erase(id);
  }
  if (!repeats) (void)take_locked(&ticket);
}

void HostCallbacks::retire(Ticket* ticket) {
  std::unique_ptr<Ticket> taken;
  {
    std::lock_guard lock(mutex_);
    taken = take_locked(ticket);
  }
  if (taken != nullptr && retired_) retired_(taken->id);
}

void HostCallbacks::retire_later(Ticket* ticket) {
  {
    std::lock_guard lock(mutex_);
    if (launches_ != 0) {
      unused_.push_back(ticket);
      return;
    }
  }
  retire(ticket);
}

void HostCallbacks::begin_launch() {
  std::lock_guard lock(mutex_);
  ++launches_;
}

void HostCallbacks::launch_done(void* self) {
  auto& callbacks = *static_cast<HostCallbacks*>(self);
  std::vector<Ticket*> unused;
  {
    std::lock_guard lock(callbacks.mutex_);
    if (--callbacks.launches_ == 0) unused.swap(callbacks.unused_);
  }
  for (Ticket* ticket : unused) callbacks.retire(ticket);
}

bool HostCallbacks::any_repeats() const {
  std::lock_guard lock(mutex_);
  return repeating_ != 0;
}

bool HostCallbacks::in_flight() const {
  std::lock_guard lock(mutex_);
  return launches_ != 0 || tickets_.size() != repeating_;
}

bool HostCallbacks::done(uint64_t id) {
  std::lock_guard lock(mutex_);
  const auto it = runs_.find(id);
  if (it == runs_.end() || it->second.finished == it->second.announced) return false;
  ++it->second.finished;
  changed_.notify_all();
  return true;
}

std::span<std::byte> HostCallbacks::staging(uint64_t id) {
  std::lock_guard lock(mutex_);
  const auto runs = runs_.find(id);
  if (runs == runs_.end() || runs->second.finished == runs->second.announced) return {};
  const auto ticket = tickets_.find(id);
  return ticket == tickets_.end() ? std::span<std::byte>{} : ticket->second->bytes();
}

void HostCallbacks::close() {
  std::lock_guard lock(mutex_);
  closed_ = true;
  changed_.notify_all();
}

size_t HostCallbacks::tickets() const {
  std::lock_guard lock(mutex_);
  return tickets_.size();
}

}  // namespace outboard::server
