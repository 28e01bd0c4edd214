#include "server/softgpu/device/allocation_table.h"

#include <mutex>

namespace outboard::softgpu {

bool AllocationTable::insert(Allocation allocation) {
  std::unique_lock lock(mutex_);
  const auto next = entries_.lower_bound(allocation.begin);
  if (next != entries_.end() && next->first < allocation.end()) return false;
  if (next != entries_.begin() && std::prev(next)->second.end() > allocation.begin) return false;
  allocation.id = next_id_++;
  entries_.emplace_hint(next, allocation.begin, allocation);
  return true;
}

std::map<uint64_t, Allocation>::const_iterator AllocationTable::holder_locked(uint64_t address) const {
  auto it = entries_.upper_bound(address);
  if (it == entries_.begin()) return entries_.end();
  --it;
  return address < it->second.end() ? it : entries_.end();
}

std::optional<Allocation> AllocationTable::find(uint64_t address) const {
  std::shared_lock lock(mutex_);
  const auto it = holder_locked(address);
  if (it == entries_.end()) return std::nullopt;
  return it->second;
}

std::optional<Allocation> AllocationTable::find_exact(uint64_t begin) const {
  std::shared_lock lock(mutex_);
  const auto it = entries_.find(begin);
  if (it == entries_.end()) return std::nullopt;
  return it->second;
}

std::optional<Allocation> AllocationTable::remove(uint64_t begin) {
  std::unique_lock lock(mutex_);
  const auto it = entries_.find(begin);
  if (it == entries_.end()) return std::nullopt;
  Allocation removed = it->second;
  entries_.erase(it);
  generation_.fetch_add(1, std::memory_order_release);
  return removed;
}

std::vector<Allocation> AllocationTable::remove_if(const std::function<bool(const Allocation&)>& which) {
  std::unique_lock lock(mutex_);
  std::vector<Allocation> removed;
  for (auto it = entries_.begin(); it != entries_.end();) {
    if (which(it->second)) {
      removed.push_back(it->second);
      it = entries_.erase(it);
    } else {
      ++it;
    }
  }
  if (!removed.empty()) generation_.fetch_add(1, std::memory_order_release);
  return removed;
}

bool AllocationTable::update(uint64_t begin, const std::function<void(Allocation&)>& change) {
  std::unique_lock lock(mutex_);
  const auto it = entries_.find(begin);
  if (it == entries_.end()) return false;
  change(it->second);
  generation_.fetch_add(1, std::memory_order_release);
  return true;
}

void AllocationTable::for_each(const std::function<void(const Allocation&)>& visit) const {
  std::shared_lock lock(mutex_);
  for (const auto& [begin, allocation] : entries_) visit(allocation);
}

bool AllocationTable::covers(uint64_t address, uint64_t bytes) const {
  std::shared_lock lock(mutex_);
  if (address + bytes < address) return false;
  const uint64_t end = address + bytes;
  auto it = holder_locked(address);
  while (it != entries_.end()) {
    if (it->second.end() >= end) return true;
    const uint64_t reached = it->second.end();
    ++it;
    if (it != entries_.end() && it->first != reached) return false;
  }
  return false;
}

}  // namespace outboard::softgpu
