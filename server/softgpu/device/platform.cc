#include "server/softgpu/device/platform.h"

#include "server/softgpu/device/memory_pool.h"

namespace outboard::softgpu {

Result<std::unique_ptr<Platform>> Platform::create(const DeviceConfig& config) {
  std::unique_ptr<Platform> platform(new Platform(config.compute_capability));
  platform->config_ = config;
  for (uint32_t i = 0; i < config.visible.size(); ++i) {
    auto device = Device::create(config, i, config.visible[i], platform->memory_);
    if (!device) return fail(device);
    DeviceEntry entry;
    entry.device = std::move(*device);
    // Memory that pools only keep is nobody's when there is no other.
    entry.device->on_shortage = [owner = platform.get(), ordinal = static_cast<int>(i)] {
      for (const auto& pool : owner->pools()) {
        if (pool->device().ordinal() == ordinal) pool->trim_to(0);
      }
    };
    platform->devices_.push_back(std::move(entry));
  }
  for (DeviceEntry& entry : platform->devices_) {
    entry.primary = Context::create(*platform, *entry.device, 0, true);
    entry.default_pool = MemoryPool::create(*platform, *entry.device, 0, false);
    entry.current_pool = entry.default_pool;
  }
  return platform;
}

Platform::~Platform() {
  for (const auto& context : handles_.all<Context>()) context->close();
}

DeviceEntry* Platform::entry(int ordinal) {
  return ordinal < 0 || static_cast<size_t>(ordinal) >= devices_.size()
             ? nullptr
             : &devices_[static_cast<size_t>(ordinal)];
}

Device* Platform::device(int ordinal) {
  DeviceEntry* found = entry(ordinal);
  return found == nullptr ? nullptr : found->device.get();
}

Device* Platform::device_at(uint32_t physical) {
  for (const DeviceEntry& entry : devices_) {
    if (entry.device->physical() == physical) return entry.device.get();
  }
  return nullptr;
}

std::shared_ptr<MemoryPool> Platform::current_pool(int ordinal) {
  std::lock_guard lock(primary_mutex_);
  return entry(ordinal)->current_pool;
}

void Platform::set_current_pool(int ordinal, std::shared_ptr<MemoryPool> pool) {
  std::lock_guard lock(primary_mutex_);
  entry(ordinal)->current_pool = std::move(pool);
}

void Platform::add_pool(const std::shared_ptr<MemoryPool>& pool) {
  handles_.add(pool);
  std::lock_guard lock(pools_mutex_);
  std::erase_if(pools_, [](const auto& known) { return known.expired(); });
  pools_.push_back(pool);
}

std::vector<std::shared_ptr<MemoryPool>> Platform::pools() {
  std::vector<std::shared_ptr<MemoryPool>> living;
  std::lock_guard lock(pools_mutex_);
  for (const auto& known : pools_) {
    if (auto pool = known.lock()) living.push_back(std::move(pool));
  }
  return living;
}

void Platform::trim_pools() {
  for (const auto& pool : pools()) pool->synchronized();
}

CUresult Platform::retain_primary(int ordinal, std::shared_ptr<Context>* context) {
  DeviceEntry* found = entry(ordinal);
  if (found == nullptr) return CUDA_ERROR_INVALID_DEVICE;
  std::lock_guard lock(primary_mutex_);
  if (!found->primary->active()) {
    found->primary->set_flags(found->primary_flags);
    found->primary->open();
  }
  ++found->retained;
  *context = found->primary;
  return CUDA_SUCCESS;
}

CUresult Platform::release_primary(int ordinal) {
  DeviceEntry* found = entry(ordinal);
  if (found == nullptr) return CUDA_ERROR_INVALID_DEVICE;
  std::lock_guard lock(primary_mutex_);
  if (found->retained == 0) return CUDA_ERROR_INVALID_CONTEXT;
  if (--found->retained == 0) found->primary->close();
  return CUDA_SUCCESS;
}

CUresult Platform::reset_primary(int ordinal) {
  DeviceEntry* found = entry(ordinal);
  if (found == nullptr) return CUDA_ERROR_INVALID_DEVICE;
  std::lock_guard lock(primary_mutex_);
  found->primary->close();
  // Who retained it goes on with a fresh one, as the runtime does after cudaDeviceReset.
  if (found->retained != 0) found->primary->open();
  return CUDA_SUCCESS;
}

}  // namespace outboard::softgpu
