// What the client knows about addresses: which are the device's, which are host memory that the
// application pinned through us. Copies take their direction from it, and bad ranges are refused
// without asking the server.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <shared_mutex>

#include "protocol/wire/handle.h"

namespace outboard::client {

enum class MemoryKind : uint8_t {
  kDevice,          // cuMemAlloc, cuMemAllocPitch
  kManaged,         // cuMemAllocManaged
  kPool,            // cuMemAllocAsync, cuMemAllocFromPoolAsync
  kReserved,        // cuMemAddressReserve: an address range, mapped or not
  kGlobal,          // a module's variable
  kImported,        // cuIpcOpenMemHandle
  kGraph,           // of a memory node: comes back with each launch, so it stays known when it is freed
  kHostPinned,      // cuMemAllocHost, cuMemHostAlloc: ours to free
  kHostRegistered,  // cuMemHostRegister: the application's
};

struct MemoryRange {
  uint64_t base = 0;  // device address, or host address for the host kinds
  uint64_t bytes = 0;
  MemoryKind kind = MemoryKind::kDevice;
  wire::Handle context;         // where it was made
  uint32_t flags = 0;           // as given to the allocating call
  uint64_t buffer_id = 0;       // CU_POINTER_ATTRIBUTE_BUFFER_ID: unique in the session
  uint64_t device_address = 0;  // of mapped host memory; 0 when it has none
  uint64_t uploaded_bytes = 0;  // by large copies from the host, however often

  bool is_host() const { return kind == MemoryKind::kHostPinned || kind == MemoryKind::kHostRegistered; }
  bool contains(uint64_t address, uint64_t size) const {
    return address >= base && address - base <= bytes && size <= bytes - (address - base);
  }
};

// Disjoint ranges ordered by address. Threads: all members from any thread.
class MemoryMap {
 public:
  // False when it overlaps a known range. Assigns buffer_id.
  bool insert(MemoryRange range);
  // What the driver says is true: inserts it, and removes what was believed to be there.
  void replace(const MemoryRange& range);
  // Removes the range that starts exactly at `base` and returns it.
  std::optional<MemoryRange> remove(uint64_t base);
  // False for certain if no range contains the address; costs no lock.
  bool may_contain(uint64_t address) const {
    return address >= lowest_.load(std::memory_order_relaxed) &&
           address < highest_.load(std::memory_order_relaxed);
  }
  // Of the range that starts exactly at `base`.
  void set_device_address(uint64_t base, uint64_t device_address);
  // A large copy from the host goes to this address. True while all such copies together could have found
  // memory that none had written before.
  bool note_upload(uint64_t address, uint64_t bytes);
  // The range that contains the address.
  std::optional<MemoryRange> find(uint64_t address) const;
  // A range that shares at least one byte with [base, base + bytes).
  std::optional<MemoryRange> find_overlap(uint64_t base, uint64_t bytes) const;
  // Removes what belongs to a context that is gone; `on_remove` sees each range.
  template <typename Function>
  void remove_context(wire::Handle context, Function on_remove) {
    std::unique_lock lock(mutex_);
    for (auto it = ranges_.begin(); it != ranges_.end();) {
      if (it->second.context == context) {
        on_remove(it->second);
        it = ranges_.erase(it);
      } else {
        ++it;
      }
    }
  }
  size_t size() const;

 private:
  mutable std::shared_mutex mutex_;
  std::map<uint64_t, MemoryRange> ranges_;
  uint64_t next_buffer_id_ = 1;
  // Bounds of all ranges there ever were.
  std::atomic<uint64_t> lowest_{UINT64_MAX};
  std::atomic<uint64_t> highest_{0};
};

}  // namespace outboard::client
