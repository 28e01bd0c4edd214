#include "server/quota/memory_ledger.h"

#include <algorithm>
#include <utility>

namespace outboard::server {

MemoryLedger::MemoryLedger(std::vector<uint64_t> limits_bytes) {
  for (uint64_t limit : limits_bytes) accounts_.push_back(MemoryAccount{.limit_bytes = limit});
}

Result<MemoryLedger::Reservation> MemoryLedger::reserve(uint32_t device, uint64_t bytes) {
  std::lock_guard lock(mutex_);
  if (device >= accounts_.size()) {
    return fail(ErrorKind::kInvalidArgument, "Memory was asked for on device " + std::to_string(device) +
                                                 ", but this session has " +
                                                 std::to_string(accounts_.size()) + " devices.");
  }
  MemoryAccount& account = accounts_[device];
  if (bytes > account.free_bytes()) {
    return fail(ErrorKind::kQuotaExceeded,
                "An allocation of " + std::to_string(bytes) + " bytes on device " + std::to_string(device) +
                    " exceeds the lease: " + std::to_string(account.free_bytes()) + " of " +
                    std::to_string(account.limit_bytes) + " bytes are left.");
  }
  account.reserved_bytes += bytes;
  Reservation reservation;
  reservation.ledger_ = this;
  reservation.device_ = device;
  reservation.bytes_ = bytes;
  return reservation;
}

MemoryLedger::Reservation& MemoryLedger::Reservation::operator=(Reservation&& other) noexcept {
  if (this != &other) {
    roll_back();
    ledger_ = std::exchange(other.ledger_, nullptr);
    device_ = other.device_;
    bytes_ = std::exchange(other.bytes_, 0);
  }
  return *this;
}

void MemoryLedger::Reservation::commit(AllocationKey key, uint64_t owner) {
  (void)settle(key, bytes_, owner);
}

bool MemoryLedger::Reservation::settle(AllocationKey key, uint64_t bytes, uint64_t owner) {
  if (ledger_ == nullptr) return true;
  std::lock_guard lock(ledger_->mutex_);
  ledger_->accounts_[device_].reserved_bytes -= bytes_;
  ledger_->commit_locked(key, {device_, bytes, owner});
  return !std::exchange(ledger_, nullptr)->overdrawn_locked(device_);
}

void MemoryLedger::Reservation::roll_back() {
  if (ledger_ == nullptr) return;
  std::lock_guard lock(ledger_->mutex_);
  ledger_->accounts_[device_].reserved_bytes -= bytes_;
  ledger_ = nullptr;
  bytes_ = 0;
}

void MemoryLedger::commit_locked(AllocationKey key, const Entry& entry) {
  if (auto stale = entries_.find(key); stale != entries_.end()) release_locked(stale);
  MemoryAccount& account = accounts_[entry.device];
  account.committed_bytes += entry.bytes;
  account.peak_bytes = std::max(account.peak_bytes, account.committed_bytes);
  entries_.emplace(key, entry);
}

bool MemoryLedger::overdrawn_locked(uint32_t device) const {
  const MemoryAccount& account = accounts_[device];
  return account.committed_bytes > account.limit_bytes;
}

bool MemoryLedger::measure(AllocationKey key, uint32_t device, uint64_t bytes) {
  std::lock_guard lock(mutex_);
  if (device >= accounts_.size()) return true;
  if (bytes != 0) {
    commit_locked(key, {device, bytes, 0});
  } else if (auto it = entries_.find(key); it != entries_.end()) {
    release_locked(it);
  }
  return !overdrawn_locked(device);
}

void MemoryLedger::release_owned(uint64_t owner) {
  std::lock_guard lock(mutex_);
  for (auto it = entries_.begin(); it != entries_.end();) {
    const auto current = it++;
    if (current->second.owner == owner) release_locked(current);
  }
}

uint64_t MemoryLedger::release_locked(std::unordered_map<AllocationKey, Entry, KeyHash>::iterator it) {
  const Entry entry = it->second;
  accounts_[entry.device].committed_bytes -= entry.bytes;
  entries_.erase(it);
  return entry.bytes;
}

std::optional<uint64_t> MemoryLedger::release(AllocationKey key) {
  std::lock_guard lock(mutex_);
  auto it = entries_.find(key);
  if (it == entries_.end()) return std::nullopt;
  return release_locked(it);
}

void MemoryLedger::rename(AllocationKey from, AllocationKey to) {
  std::lock_guard lock(mutex_);
  const auto it = entries_.find(from);
  if (it == entries_.end()) return;
  const Entry entry = it->second;
  entries_.erase(it);
  entries_.insert_or_assign(to, entry);
}

std::optional<MemoryLedger::Entry> MemoryLedger::find(AllocationKey key) const {
  std::lock_guard lock(mutex_);
  const auto it = entries_.find(key);
  return it == entries_.end() ? std::nullopt : std::optional(it->second);
}

bool MemoryLedger::limited(uint32_t device) const {
  std::lock_guard lock(mutex_);
  return device < accounts_.size() && accounts_[device].limit_bytes != kUnlimited;
}

MemoryAccount MemoryLedger::account(uint32_t device) const {
  std::lock_guard lock(mutex_);
  return device < accounts_.size() ? accounts_[device] : MemoryAccount{};
}

size_t MemoryLedger::allocations() const {
  std::lock_guard lock(mutex_);
  return entries_.size();
}

void MemoryLedger::set_limit(uint32_t device, uint64_t limit_bytes) {
  std::lock_guard lock(mutex_);
  if (device < accounts_.size()) accounts_[device].limit_bytes = limit_bytes;
}

}  // namespace outboard::server
