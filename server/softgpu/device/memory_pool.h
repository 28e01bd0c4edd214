// Pools for stream-ordered allocation.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>

#include "protocol/abi/cuda_abi_gen.h"
#include "server/softgpu/device/object.h"
#include "server/softgpu/device/shareable.h"

namespace outboard::softgpu {

class Context;
class Device;
class Platform;
class Stream;

// Memory is taken from the device when asked for. When the stream reaches the free, the pool keeps it for
// the next allocation of that size, until a wait for the device finds more than the release threshold
// in the pool, or somebody else is short of memory. Any thread.
class MemoryPool : public Object {
 public:
  static constexpr ObjectKind kKind = ObjectKind::kPool;

  // Registers itself with the platform. Null when it is to be shareable and the system gives no file.
  static std::shared_ptr<MemoryPool> create(Platform& platform, Device& device, uint64_t max_bytes,
                                            bool shareable);
  // Another process's, of which only what that process exports can be had; takes the file.
  static std::shared_ptr<MemoryPool> import(Platform& platform, Device& device, int file,
                                            const ShareableRecord& record);
  ~MemoryPool() override;

  // An address that is usable by work queued after this call. When memory is short it waits for the
  // frees that are queued in any stream of the context.
  CUresult allocate(Context& context, uint64_t bytes, uint64_t* address);
  // Frees at once; called when the stream reaches the free.
  CUresult free(uint64_t address);
  // Gives kept memory back until no more than `bytes` are reserved, or nothing is kept.
  void trim_to(uint64_t bytes);
  // The device was waited for.
  void synchronized();

  CUresult get_attribute(CUmemPool_attribute attribute, void* value) const;
  CUresult set_attribute(CUmemPool_attribute attribute, const void* value);
  Device& device() const { return device_; }

  // Kernels of which devices may use the pool's memory, besides those of its own.
  bool accessible_from(int device) const;
  void set_accessible_from(int device, bool accessible);

  // The descriptor that stands for the pool; -1 if it was not made to be shared.
  int file() const { return file_; }
  const ShareableRecord& record() const { return record_; }
  bool imported() const { return imported_; }

  MemoryPool(Platform& platform, Device& device, uint64_t max_bytes, int file, const ShareableRecord& record,
             bool imported)
      : platform_(platform),
        device_(device),
        max_bytes_(max_bytes),
        file_(file),
        record_(record),
        imported_(imported) {}

 private:
  CUresult take(uint64_t bytes, uint64_t* address);
  std::optional<uint64_t> take_kept(uint64_t bytes);
  void count_taken_locked(uint64_t bytes);

  Platform& platform_;
  Device& device_;
  const uint64_t max_bytes_;  // 0: what the device has
  const int file_;
  const ShareableRecord record_;
  const bool imported_;
  std::atomic<uint32_t> peers_{0};  // a bit for each ordinal
  mutable std::mutex mutex_;
  std::multimap<uint64_t, uint64_t> kept_;  // bytes -> address
  uint64_t used_bytes_ = 0;
  uint64_t used_high_bytes_ = 0;
  uint64_t reserved_bytes_ = 0;
  uint64_t reserved_high_bytes_ = 0;
  uint64_t release_threshold_bytes_ = 0;
  int reuse_follow_event_ = 1;
  int reuse_opportunistic_ = 1;
  int reuse_internal_ = 1;
};

}  // namespace outboard::softgpu
