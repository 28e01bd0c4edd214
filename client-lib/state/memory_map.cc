#include "client-lib/state/memory_map.h"

namespace outboard::client {

bool MemoryMap::insert(MemoryRange range) {
  if (range.bytes == 0 || range.base + range.bytes < range.base) return false;
  std::unique_lock lock(mutex_);
  auto next = ranges_.lower_bound(range.base);
  if (next != ranges_.end() && next->first - range.base < range.bytes) return false;
  if (next != ranges_.begin()) {
    const MemoryRange& previous = std::prev(next)->second;
    if (range.base - previous.base < previous.bytes) return false;
  }
  range.buffer_id = next_buffer_id_++;
  ranges_.emplace_hint(next, range.base, range);
  if (range.base < lowest_) lowest_ = range.base;
  if (range.base + range.bytes > highest_) highest_ = range.base + range.bytes;
  return true;
}

void MemoryMap::replace(const MemoryRange& range) {
  if (range.bytes == 0) return;
  while (!insert(range)) {
    const auto stale = find_overlap(range.base, range.bytes);
    if (!stale) return;
    remove(stale->base);
  }
}

void MemoryMap::set_device_address(uint64_t base, uint64_t device_address) {
  std::unique_lock lock(mutex_);
  const auto it = ranges_.find(base);
  if (it != ranges_.end()) it->second.device_address = device_address;
}

bool MemoryMap::note_upload(uint64_t address, uint64_t bytes) {
  std::unique_lock lock(mutex_);
  auto it = ranges_.upper_bound(address);
  if (it == ranges_.begin()) return false;
  MemoryRange& range = std::prev(it)->second;
  if (address - range.base >= range.bytes) return false;
  range.uploaded_bytes += bytes;
  return range.uploaded_bytes <= range.bytes;
}

std::optional<MemoryRange> MemoryMap::remove(uint64_t base) {
  std::unique_lock lock(mutex_);
  auto it = ranges_.find(base);
  if (it == ranges_.end()) return std::nullopt;
  MemoryRange range = it->second;
  ranges_.erase(it);
  return range;
}

std::optional<MemoryRange> MemoryMap::find(uint64_t address) const {
  std::shared_lock lock(mutex_);
  auto it = ranges_.upper_bound(address);
  if (it == ranges_.begin()) return std::nullopt;
  const MemoryRange& range = std::prev(it)->second;
  if (address - range.base >= range.bytes) return std::nullopt;
  return range;
}

std::optional<MemoryRange> MemoryMap::find_overlap(uint64_t base, uint64_t bytes) const {
  if (const auto range = find(base)) return range;
  std::shared_lock lock(mutex_);
  const auto next = ranges_.lower_bound(base);
  if (next == ranges_.end() || next->first - base >= bytes) return std::nullopt;
  return next->second;
}

size_t MemoryMap::size() const {
  std::shared_lock lock(mutex_);
  return ranges_.size();
}

}  // namespace outboard::client
