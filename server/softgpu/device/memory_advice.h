// What programs have said about managed memory: memory stays where it is, but they may ask.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <vector>

#include "protocol/abi/cuda_abi_gen.h"

namespace outboard::softgpu {

class AllocationTable;

// By pages; a page of which nothing was said has no entry. Any thread.
class MemoryAdvice {
 public:
  explicit MemoryAdvice(const AllocationTable& table) : table_(table) {}

  struct Said {
    bool read_mostly = false;
    CUmemLocation preferred{.type = CU_MEM_LOCATION_TYPE_INVALID, .id = 0};
    CUmemLocation last_prefetch{.type = CU_MEM_LOCATION_TYPE_INVALID, .id = 0};
    std::vector<CUdevice> accessed_by;  // sorted; CU_DEVICE_CPU for the host
  };

  // Of every page that [address, address + bytes) touches; it lies in allocations.
  void change(uint64_t address, uint64_t bytes, const std::function<void(Said&)>& how);
  // What holds for all pages of the range: what they do not agree on is as if nothing had been said.
  Said common(uint64_t address, uint64_t bytes) const;

 private:
  struct Range {
    uint64_t end = 0;
    uint64_t allocation = 0;  // its id: what was said of an earlier one at that address is over
    Said said;
  };
  // Makes `address` a boundary between ranges.
  void split_locked(uint64_t address);
  void forget_freed_locked();

  const AllocationTable& table_;
  mutable std::mutex mutex_;
  std::map<uint64_t, Range> ranges_;  // by begin, without overlap
};

}  // namespace outboard::softgpu
