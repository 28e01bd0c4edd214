// Pools for stream-ordered allocation.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>

#include "protocol/abi/cuda_abi_gen.h"
#include "server/softgpu/device/object.h"

namespace outboard::softgpu {

class Context;
class Device;
class Platform;
class Stream;

// Memory is taken from the device when asked for and given back when the stream reaches the free;
// a pool holds nothing in between, so what it reserves is what it uses.
class MemoryPool : public Object {
 public:
  static constexpr ObjectKind kKind = ObjectKind::kPool;

  // Registers itself in the platform's handle table.
  static std::shared_ptr<MemoryPool> create(Platform& platform, Device& device, uint64_t max_bytes = 0);

  // An address that is usable by work queued after this call. When memory is short it waits for the
  // frees that are queued in any stream of the context.
  CUresult allocate(Context& context, uint64_t bytes, uint64_t* address);
  // Frees at once; called when the stream reaches the free.
  CUresult free(uint64_t address);

  CUresult get_attribute(CUmemPool_attribute attribute, void* value) const;
  CUresult set_attribute(CUmemPool_attribute attribute, const void* value);
  Device& device() const { return device_; }

  // Kernels of which devices may use the pool's memory, besides those of its own.
  bool accessible_from(int device) const;
  void set_accessible_from(int device, bool accessible);

  MemoryPool(Platform& platform, Device& device, uint64_t max_bytes)
      : platform_(platform), device_(device), max_bytes_(max_bytes) {}

 private:
  CUresult take(uint64_t bytes, uint64_t* address);

  Platform& platform_;
  Device& device_;
  const uint64_t max_bytes_;        // 0: what the device has
  std::atomic<uint32_t> peers_{0};  // a bit for each ordinal
  mutable std::mutex mutex_;
  uint64_t used_bytes_ = 0;
  uint64_t used_high_bytes_ = 0;
  uint64_t release_threshold_bytes_ = 0;
  int reuse_follow_event_ = 1;
  int reuse_opportunistic_ = 1;
  int reuse_internal_ = 1;
};

}  // namespace outboard::softgpu
