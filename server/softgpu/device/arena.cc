#include "server/softgpu/device/arena.h"

#include <fcntl.h>
#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <string>

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
    // Kernels walk through large allocations in steps larger than a small page.
    if (run - i > 1) madvise(as_pointer(base_ + i * kGranuleBytes), (run - i) * kGranuleBytes, MADV_HUGEPAGE);
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
  const uint64_t drop_begin = base_ + drop_from * kGranuleBytes;
  forget_shared_locked(drop_begin, drop_begin + dropped);
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
  if (const auto named = names_.find(address); named != names_.end()) {
    file_->withdraw(named->second);
    names_.erase(named);
    // Neighbours may lie in the first and the last page; these stay as they are.
    unshare_pages_locked(round_up(address, kPageBytes), (address + bytes) / kPageBytes * kPageBytes);
  }
  leave_locked(address, bytes);
  give_locked(address, bytes);
}

bool Arena::shared_locked(uint64_t page) const {
  const uint64_t offset = page - base_;
  const auto& pages = granules_[offset / kGranuleBytes].shared;
  return pages != nullptr && pages->test(offset % kGranuleBytes / kPageBytes);
}

template <typename F>
bool Arena::for_runs_locked(uint64_t begin, uint64_t end, bool shared, F visit) const {
  for (uint64_t page = begin; page < end; page += kPageBytes) {
    if (shared_locked(page) != shared) continue;
    uint64_t run_end = page + kPageBytes;
    while (run_end < end && shared_locked(run_end) == shared) run_end += kPageBytes;
    if (!visit(page, run_end)) return false;
    page = run_end;
  }
  return true;
}

bool Arena::share_pages_locked(uint64_t begin, uint64_t end) {
  return for_runs_locked(begin, end, false, [&](uint64_t from, uint64_t to) {
    const uint64_t bytes = to - from;
    void* copy = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file_->descriptor(),
                      static_cast<off_t>(from - base_));
    if (copy == MAP_FAILED) return false;
    for (uint64_t offset = 0; offset < bytes; offset += kPageBytes) {
      // Pages of zeros need no memory: those of a new file are zeros.
      static constexpr std::byte kZeros[kPageBytes] = {};
      const void* source = as_pointer(from + offset);
      if (std::memcmp(source, kZeros, kPageBytes) == 0) continue;
      std::memcpy(static_cast<std::byte*>(copy) + offset, source, kPageBytes);
    }
    if (mremap(copy, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, as_pointer(from)) == MAP_FAILED) {
      munmap(copy, bytes);
      return false;
    }
    madvise(as_pointer(from), bytes, MADV_DONTFORK);
    madvise(as_pointer(from), bytes, MADV_DONTDUMP);
    for (uint64_t page = from; page < to; page += kPageBytes) {
      auto& pages = granules_[(page - base_) / kGranuleBytes].shared;
      if (pages == nullptr) pages = std::make_unique<std::bitset<kGranuleBytes / kPageBytes>>();
      pages->set((page - base_) % kGranuleBytes / kPageBytes);
    }
    return true;
  });
}

// Others may still have the file's pages: what is allocated here next must not be theirs.
void Arena::unshare_pages_locked(uint64_t begin, uint64_t end) {
  for_runs_locked(begin, end, true, [&](uint64_t from, uint64_t to) {
    void* at = mmap(as_pointer(from), to - from, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
    if (at == MAP_FAILED) return true;
    madvise(at, to - from, MADV_DONTFORK);
    madvise(at, to - from, MADV_DONTDUMP);
    forget_shared_locked(from, to);
    return true;
  });
}

void Arena::forget_shared_locked(uint64_t begin, uint64_t end) {
  if (file_ == nullptr) return;
  for_runs_locked(begin, end, true, [&](uint64_t from, uint64_t to) {
    (void)fallocate(file_->descriptor(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                    static_cast<off_t>(from - base_), static_cast<off_t>(to - from));
    for (uint64_t page = from; page < to; page += kPageBytes)
      granules_[(page - base_) / kGranuleBytes].shared->reset((page - base_) % kGranuleBytes / kPageBytes);
    return true;
  });
}

bool Arena::share(uint64_t address, uint64_t bytes, SharedName* name) {
  bytes = round_up(bytes, kAllocationAlign);
  std::lock_guard lock(mutex_);
  if (const auto named = names_.find(address); named != names_.end()) {
    *name = named->second;
    return true;
  }
  if (file_ == nullptr) file_ = SharedFile::create(bytes_);
  if (file_ == nullptr) return false;
  if (!share_pages_locked(address / kPageBytes * kPageBytes, round_up(address + bytes, kPageBytes)))
    return false;
  if (!file_->publish(address - base_, bytes, name)) return false;
  names_.emplace(address, *name);
  return true;
}

}  // namespace outboard::softgpu
