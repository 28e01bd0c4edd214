// The address range of one device and the placement of allocations in it.
#pragma once

#include <bitset>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <utility>
#include <vector>

#include "protocol/base/result.h"
#include "server/softgpu/device/limits.h"
#include "server/softgpu/device/shared_file.h"

namespace outboard::softgpu {

// Reserved address space without memory behind it; granules get memory when the first allocation
// touches them and lose it (beyond kRetainedBytes) when the last one leaves. Not inherited by
// forked children, as on a real device. Any thread.
class Arena {
 public:
  // Reserves `bytes` (a multiple of kGranuleBytes) at `preferred_base`, or elsewhere if that is
  // taken. Fails when the system grants no such range.
  static Result<std::unique_ptr<Arena>> reserve(uint64_t preferred_base, uint64_t bytes);
  ~Arena();
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

  // Address of `bytes` (rounded up to kAllocationAlign) usable bytes, or 0 when there is no room.
  // `align` is a power of two, at least kAllocationAlign is used. Contents are unspecified.
  uint64_t allocate(uint64_t bytes, uint64_t align);
  // `address` and `bytes` as allocated.
  void release(uint64_t address, uint64_t bytes);

  // Gives what was allocated at `address` a name with which other processes can map it until it is
  // released. The pages behind it are exchanged for shared ones: nobody may touch the device's memory
  // meanwhile. False when the system has no room.
  bool share(uint64_t address, uint64_t bytes, SharedName* name);

  uint64_t base() const { return base_; }
  uint64_t bytes() const { return bytes_; }
  bool contains(uint64_t address) const { return address - base_ < bytes_; }

 private:
  Arena(uint64_t base, uint64_t bytes);
  uint64_t take_locked(uint64_t bytes, uint64_t align);
  void give_locked(uint64_t address, uint64_t bytes);
  bool commit_locked(uint64_t address, uint64_t bytes);
  void leave_locked(uint64_t address, uint64_t bytes);
  bool share_pages_locked(uint64_t begin, uint64_t end);
  void unshare_pages_locked(uint64_t begin, uint64_t end);
  void forget_shared_locked(uint64_t begin, uint64_t end);
  // Calls visit(begin, end) for each run of pages in [begin, end) that are shared, or are not.
  template <typename F>
  bool for_runs_locked(uint64_t begin, uint64_t end, bool shared, F visit) const;
  bool shared_locked(uint64_t page) const;
  void insert_free(uint64_t begin, uint64_t bytes);
  void erase_free(std::map<uint64_t, uint64_t>::iterator it);

  const uint64_t base_;
  const uint64_t bytes_;
  std::mutex mutex_;
  std::map<uint64_t, uint64_t> free_;                     // begin -> bytes, never adjacent
  std::set<std::pair<uint64_t, uint64_t>> free_by_size_;  // (bytes, begin): best fit
  struct Granule {
    uint32_t users = 0;  // allocations that touch it
    bool committed = false;
    std::unique_ptr<std::bitset<kGranuleBytes / kPageBytes>> shared;  // pages that are the file's
  };
  std::vector<Granule> granules_;
  uint64_t retained_bytes_ = 0;           // committed granules without users
  std::unique_ptr<SharedFile> file_;      // as large as the arena; made when something is shared
  std::map<uint64_t, SharedName> names_;  // of what is shared, by address
};

}  // namespace outboard::softgpu
