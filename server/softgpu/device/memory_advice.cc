#include "server/softgpu/device/memory_advice.h"

#include <algorithm>
#include <iterator>

#include "server/softgpu/device/allocation_table.h"
#include "server/softgpu/device/limits.h"

namespace outboard::softgpu {
namespace {

uint64_t page_floor(uint64_t address) { return address / kPageBytes * kPageBytes; }
uint64_t page_ceiling(uint64_t address) { return page_floor(address + kPageBytes - 1); }

bool same(const CUmemLocation& a, const CUmemLocation& b) { return a.type == b.type && a.id == b.id; }

void agree(MemoryAdvice::Said* all, const MemoryAdvice::Said& other) {
  constexpr CUmemLocation kNone{.type = CU_MEM_LOCATION_TYPE_INVALID, .id = 0};
  all->read_mostly &= other.read_mostly;
  if (!same(all->preferred, other.preferred)) all->preferred = kNone;
  if (!same(all->last_prefetch, other.last_prefetch)) all->last_prefetch = kNone;
  std::vector<CUdevice> both;
  std::set_intersection(all->accessed_by.begin(), all->accessed_by.end(), other.accessed_by.begin(),
                        other.accessed_by.end(), std::back_inserter(both));
  all->accessed_by = std::move(both);
}

}  // namespace

void MemoryAdvice::split_locked(uint64_t address) {
  auto it = ranges_.upper_bound(address);
  if (it == ranges_.begin()) return;
  --it;
  if (it->first == address || it->second.end <= address) return;
  Range behind = it->second;
  it->second.end = address;
  ranges_.emplace(address, std::move(behind));
}

void MemoryAdvice::forget_freed_locked() {
  std::erase_if(ranges_, [this](const auto& entry) {
    const auto found = table_.find(entry.first);
    return !found || found->id != entry.second.allocation;
  });
}

void MemoryAdvice::change(uint64_t address, uint64_t bytes, const std::function<void(Said&)>& how) {
  std::lock_guard lock(mutex_);
  forget_freed_locked();
  const uint64_t end = page_ceiling(address + bytes);
  uint64_t at = page_floor(address);
  split_locked(at);
  split_locked(end);
  while (at < end) {
    auto it = ranges_.lower_bound(at);
    if (it == ranges_.end() || it->first != at) {
      // Nothing was said of what lies before the next range; one entry for each allocation.
      const auto found = table_.find(std::max(at, address));
      if (!found) return;
      uint64_t until = std::min(end, page_ceiling(found->end()));
      if (it != ranges_.end()) until = std::min(until, it->first);
      it = ranges_.emplace(at, Range{until, found->id, {}}).first;
    }
    how(it->second.said);
    at = it->second.end;
  }
}

MemoryAdvice::Said MemoryAdvice::common(uint64_t address, uint64_t bytes) const {
  std::lock_guard lock(mutex_);
  const uint64_t end = page_ceiling(address + bytes);
  std::optional<Said> all;
  uint64_t at = page_floor(address);
  while (at < end) {
    auto it = ranges_.upper_bound(at);
    if (it == ranges_.begin()) return {};
    --it;
    const auto found = table_.find(std::max(at, address));
    if (it->second.end <= at || !found || found->id != it->second.allocation) return {};
    if (all)
      agree(&*all, it->second.said);
    else
      all = it->second.said;
    at = it->second.end;
  }
  return all.value_or(Said());
}

}  // namespace outboard::softgpu
