// Everything that a device address can mean in this process: one table for all devices and for host
// memory that was allocated through, or registered with, the driver.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <shared_mutex>
#include <vector>

namespace outboard::softgpu {

enum class MemoryKind : uint8_t {
  kDevice,      // cuMemAlloc and friends
  kPool,        // cuMemAllocAsync
  kManaged,     // cuMemAllocManaged and __managed__ variables
  kModule,      // a module's variables
  kHeap,        // malloc() in a kernel
  kArray,       // storage of an array; not addressable by kernels
  kPinned,      // cuMemHostAlloc
  kRegistered,  // cuMemHostRegister
  kVirtual,     // cuMemMap
  kImported,    // cuIpcOpenMemHandle
};

struct Allocation {
  uint64_t begin = 0;
  uint64_t bytes = 0;        // as asked for
  uint64_t valid_bytes = 0;  // what kernels may touch: `bytes` rounded up where memory is ours
  MemoryKind kind = MemoryKind::kDevice;
  int device = 0;
  uint64_t context = 0;  // handle of the context it belongs to; 0 for none
  uint64_t pool = 0;     // handle of its pool
  uint64_t id = 0;       // unique in the process (CU_POINTER_ATTRIBUTE_BUFFER_ID)
  unsigned flags = 0;    // host flags as given to the driver call
  bool readable = true;  // false for mapped memory without access rights
  bool writable = true;
  bool sync_memops = false;
  bool graph_owned = false;  // a graph's memory node: freeing it from outside ends its use only

  bool is_host() const { return kind == MemoryKind::kPinned || kind == MemoryKind::kRegistered; }
  uint64_t end() const { return begin + valid_bytes; }
};

class AllocationTable {
 public:
  // False if it overlaps one that is there. `allocation.id` is filled in.
  bool insert(Allocation allocation);
  // The allocation that holds `address`.
  std::optional<Allocation> find(uint64_t address) const;
  // The one that starts there.
  std::optional<Allocation> find_exact(uint64_t begin) const;
  std::optional<Allocation> remove(uint64_t begin);
  // Removes and returns all for which `which` is true.
  std::vector<Allocation> remove_if(const std::function<bool(const Allocation&)>& which);
  // Calls `change` on the entry under the lock; false if none starts there.
  bool update(uint64_t begin, const std::function<void(Allocation&)>& change);
  // Calls `visit` for all under the lock.
  void for_each(const std::function<void(const Allocation&)>& visit) const;
  // True when [address, address + bytes) lies in adjacent entries of the table without a hole.
  bool covers(uint64_t address, uint64_t bytes) const;

  // Held shared by whoever touches memory of devices, exclusively by who exchanges the pages behind
  // addresses. Readers come first, so that running work may wait for work that starts later.
  std::shared_mutex& pages() { return pages_; }

  // Changes whenever what find() said may have become wrong.
  uint64_t generation() const { return generation_.load(std::memory_order_acquire); }

 private:
  std::map<uint64_t, Allocation>::const_iterator holder_locked(uint64_t address) const;

  std::shared_mutex pages_;
  mutable std::shared_mutex mutex_;
  std::map<uint64_t, Allocation> entries_;  // by begin
  std::atomic<uint64_t> generation_{1};
  uint64_t next_id_ = 1;
};

}  // namespace outboard::softgpu
