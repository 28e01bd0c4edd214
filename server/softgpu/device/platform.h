// Everything below the driver API in one object: no globals, so that a test can have several.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "protocol/base/result.h"
#include "server/softgpu/device/allocation_table.h"
#include "server/softgpu/device/capture_list.h"
#include "server/softgpu/device/config.h"
#include "server/softgpu/device/context.h"
#include "server/softgpu/device/device.h"
#include "server/softgpu/device/executor.h"
#include "server/softgpu/device/interprocess.h"
#include "server/softgpu/device/memory_advice.h"
#include "server/softgpu/device/object.h"
#include "server/softgpu/device/virtual_memory.h"

namespace outboard::softgpu {

// A device with its primary context and how often that is retained.
struct DeviceEntry {
  std::unique_ptr<Device> device;
  std::shared_ptr<Context> primary;
  std::shared_ptr<MemoryPool> default_pool;
  std::shared_ptr<MemoryPool> current_pool;
  unsigned retained = 0;
  unsigned primary_flags = 0;
};

class Platform {
 public:
  static Result<std::unique_ptr<Platform>> create(const DeviceConfig& config);
  ~Platform();
  Platform(const Platform&) = delete;
  Platform& operator=(const Platform&) = delete;

  size_t device_count() const { return devices_.size(); }
  // Of every device: 10 * major + minor.
  uint32_t compute_capability() const { return compute_capability_; }
  // Null for an ordinal that is not there.
  DeviceEntry* entry(int ordinal);
  Device* device(int ordinal);
  // The device that other processes call by its place among all of this host's; null if it is not visible.
  Device* device_at(uint32_t physical);

  // The pool that cuMemAllocAsync uses on this (valid) device.
  std::shared_ptr<MemoryPool> current_pool(int ordinal);
  void set_current_pool(int ordinal, std::shared_ptr<MemoryPool> pool);
  // Gives the pool a handle.
  void add_pool(const std::shared_ptr<MemoryPool>& pool);
  // Somebody waited for a device: pools keep no more than their thresholds.
  void trim_pools();

  // Primary contexts. reset closes it whatever its count.
  CUresult retain_primary(int ordinal, std::shared_ptr<Context>* context);
  CUresult release_primary(int ordinal);
  CUresult reset_primary(int ordinal);

  HandleTable& handles() { return handles_; }
  AllocationTable& memory() { return memory_; }
  VirtualMemory& virtual_memory() { return virtual_memory_; }
  ImportedMemory& imported_memory() { return imported_memory_; }
  MemoryAdvice& advice() { return advice_; }
  SharedEvents& shared_events() { return shared_events_; }
  Executor& executor() { return executor_; }
  CaptureList& captures() { return captures_; }
  const DeviceConfig& config() const { return config_; }
  uint64_t next_id() { return next_id_.fetch_add(1); }

  // Called when a context closes, with no lock held (drops what the runtime keeps per context).
  std::function<void(Context&)> on_context_closed;

 private:
  std::vector<std::shared_ptr<MemoryPool>> pools();
  explicit Platform(uint32_t compute_capability) : compute_capability_(compute_capability) {}

  // Objects may hold memory of a device, and streams refer to the executor: the order of these
  // members is the reverse of the order in which they may go.
  const uint32_t compute_capability_;
  AllocationTable memory_;
  Executor executor_;
  std::vector<DeviceEntry> devices_;
  VirtualMemory virtual_memory_{memory_};
  ImportedMemory imported_memory_{memory_};
  MemoryAdvice advice_{memory_};
  SharedEvents shared_events_;
  HandleTable handles_;
  DeviceConfig config_;
  CaptureList captures_;
  std::atomic<uint64_t> next_id_{1};
  std::mutex primary_mutex_;
  std::mutex pools_mutex_;
  std::vector<std::weak_ptr<MemoryPool>> pools_;  // guarded by pools_mutex_
};

}  // namespace outboard::softgpu
