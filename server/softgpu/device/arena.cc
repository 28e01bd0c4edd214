#include "server/softgpu/device/arena.h"

#include <sys/mman.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <string>

#include "server/softgpu/device/limits.h"

namespace outboard::softgpu {
namespace {

void* as_pointer(uint64_t address) { return reinterpret_cast<void*>(address); }

uint64_t round_up(uint64_t value, uint64_t multiple) { return (value + multiple - 1) / multiple * multiple; }

}  // namespace

Result<std::unique_ptr<Arena>> Arena::reserve(uint64_t preferred_base, uint64_t bytes) {
  // A hint, not MAP_FIXED: where something else lives there, the system chooses another place.
  // One granule more than needed, so that the range can start at a multiple of it.
  const uint64_t mapped = bytes + kGranuleBytes;
  void* at =
      mmap(as_pointer(preferred_base), mapped, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (at == MAP_FAILED) {
    return fail(ErrorKind::kInternal, "The system does not grant " + std::to_string(bytes >> 20) +
                                          " MiB of address space for device memory: " + std::strerror(errno) +
                                          ". A limit on address space (ulimit -v) may be set.");
  }
  const auto start = reinterpret_cast<uint64_t>(at);
  const uint64_t base = round_up(start, kGranuleBytes);
  if (base != start) munmap(at, base - start);
  const uint64_t end = base + bytes;
  if (start + mapped != end) munmap(as_pointer(end), start + mapped - end);
  return std::unique_ptr<Arena>(new Arena(base, bytes));
}

Arena::Arena(uint64_t base, uint64_t bytes) : base_(base), bytes_(bytes), granules_(bytes / kGranuleBytes) {
  madvise(as_pointer(base), bytes, MADV_DONTFORK);
  madvise(as_pointer(base), bytes, MADV_DONTDUMP);
  insert_free(base, bytes);
}

Arena::~Arena() { munmap(as_pointer(base_), bytes_); }

void Arena::insert_free(uint64_t begin, uint64_t bytes) {
  free_.emplace(begin, bytes);
  free_by_size_.emplace(bytes, begin);
}

void Arena::erase_free(std::map<uint64_t, uint64_t>::iterator it) {
  free_by_size_.erase({it->second, it->first});
  free_.erase(it);
}

uint64_t Arena::take_locked(uint64_t bytes, uint64_t align) {
  for (auto fit = free_by_size_.lower_bound({bytes, 0}); fit != free_by_size_.end(); ++fit) {
    const auto [hole_bytes, hole] = *fit;
    const uint64_t address = round_up(hole, align);
    if (address - hole > hole_bytes - bytes) continue;
    erase_free(free_.find(hole));
    if (address != hole) insert_free(hole, address - hole);
    const uint64_t rest = hole + hole_bytes - (address + bytes);
    if (rest != 0) insert_free(address + bytes, rest);
    return address;
  }
  return 0;
}

void Arena::give_locked(uint64_t address, uint64_t bytes) {
  auto next = free_.lower_bound(address);
  if (next != free_.begin()) {
    const auto previous = std::prev(next);
    if (previous->first + previous->second == address) {
      address = previous->first;
      bytes += previous->second;
      erase_free(previous);
    }
  }
  if (next != free_.end() && address + bytes == next->first) {
    bytes += next->second;
    erase_free(next);
  }
  insert_free(address, bytes);
}

bool Arena::commit_locked(uint64_t address, uint64_t bytes) {
  const uint64_t first = (address - base_) / kGranuleBytes;
  const uint64_t last = (address + bytes - 1 - base_) / kGranuleBytes;
  for (uint64_t i = first; i <= last;) {
    if (granules_[i].committed) {
      ++i;
      continue;
    }
    uint64_t run = i;
    while (run <= last && !granules_[run].committed) ++run;
    if (mprotect(as_pointer(base_ + i * kGranuleBytes), (run - i) * kGranuleBytes, PROT_READ | PROT_WRITE) !=
        0)
      return false;
    for (; i < run; ++i) {
      granules_[i].committed = true;
      retained_bytes_ += kGranuleBytes;  // until it has a user, below
    }
  }
  for (uint64_t i = first; i <= last; ++i) {
    if (granules_[i].users++ == 0) retained_bytes_ -= kGranuleBytes;
  }
  return true;
}

void Arena::leave_locked(uint64_t address, uint64_t bytes) {
  const uint64_t first = (address - base_) / kGranuleBytes;
  const uint64_t last = (address + bytes - 1 - base_) / kGranuleBytes;
  uint64_t drop_from = last + 1;
  for (uint64_t i = first; i <= last; ++i) {
    if (--granules_[i].users != 0) continue;
    retained_bytes_ += kGranuleBytes;
    if (retained_bytes_ <= kRetainedBytes) continue;
    // Users of a granule in the middle of an allocation are that allocation alone, so everything
    // from here to the end, except perhaps the last granule, goes as one piece.
    drop_from = std::min(drop_from, i);
  }
  uint64_t drop_end = last + 1;
  if (drop_from <= last && granules_[last].users != 0) drop_end = last;
  if (drop_from >= drop_end) return;
  // A fresh mapping instead of advice: it gives the memory back and takes the access away at once.
  void* at = as_pointer(base_ + drop_from * kGranuleBytes);
  const uint64_t dropped = (drop_end - drop_from) * kGranuleBytes;
  if (mmap(at, dropped, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) ==
      MAP_FAILED)
    return;
  madvise(at, dropped, MADV_DONTFORK);
  madvise(at, dropped, MADV_DONTDUMP);
  for (uint64_t i = drop_from; i < drop_end; ++i) granules_[i].committed = false;
  retained_bytes_ -= dropped;
}

uint64_t Arena::allocate(uint64_t bytes, uint64_t align) {
  if (bytes == 0 || bytes > bytes_) return 0;
  bytes = round_up(bytes, kAllocationAlign);
  std::lock_guard lock(mutex_);
  const uint64_t address = take_locked(bytes, std::max(align, kAllocationAlign));
  if (address == 0) return 0;
  if (!commit_locked(address, bytes)) {
    give_locked(address, bytes);
    return 0;
  }
  return address;
}

void Arena::release(uint64_t address, uint64_t bytes) {
  bytes = round_up(bytes, kAllocationAlign);
  std::lock_guard lock(mutex_);
  leave_locked(address, bytes);
  give_locked(address, bytes);
}

}  // namespace outboard::softgpu
