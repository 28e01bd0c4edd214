#include "server/worker/host_callbacks.h"

namespace outboard::server {

HostCallbacks::Ticket* HostCallbacks::issue(uint64_t id, bool repeats) {
  std::lock_guard lock(mutex_);
  if (tickets_.size() >= kMaxTickets || tickets_.contains(id)) return nullptr;
  return tickets_.emplace(id, std::make_unique<Ticket>(Ticket{this, id, repeats})).first->second.get();
}

void HostCallbacks::withdraw(Ticket* ticket) {
  std::lock_guard lock(mutex_);
  tickets_.erase(ticket->id);
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
  if (turn != 0) tell_client_(id);
  std::unique_lock lock(mutex_);
  if (turn != 0) {
    changed_.wait(lock, [&] { return closed_ || runs_[id].finished >= turn; });
    if (--runs_[id].waiting == 0) runs_.erase(id);
  }
  if (!repeats) tickets_.erase(id);
}

bool HostCallbacks::done(uint64_t id) {
  std::lock_guard lock(mutex_);
  const auto it = runs_.find(id);
  if (it == runs_.end() || it->second.finished == it->second.announced) return false;
  ++it->second.finished;
  changed_.notify_all();
  return true;
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
