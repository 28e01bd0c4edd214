#include "server/worker/pool_memory.h"

#include <algorithm>

namespace outboard::server {
namespace {

uint64_t id_of(CUmemoryPool pool) { return reinterpret_cast<uintptr_t>(pool); }

CUmemoryPool pool_of(uint64_t id) { return reinterpret_cast<CUmemoryPool>(static_cast<uintptr_t>(id)); }

AllocationKey key_of(uint64_t pool) { return {AllocationKind::kPool, pool}; }

}  // namespace

uint64_t PoolMemory::held_locked(uint64_t pool, uint64_t* unused) const {
  cuuint64_t reserved = 0, used = 0;
  const uint64_t outstanding = use_.pools().at(pool).outstanding_bytes;
  *unused = 0;
  if (driver_.cuMemPoolGetAttribute(pool_of(pool), CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT, &reserved) !=
          CUDA_SUCCESS ||
      driver_.cuMemPoolGetAttribute(pool_of(pool), CU_MEMPOOL_ATTR_USED_MEM_CURRENT, &used) != CUDA_SUCCESS) {
    return outstanding;
  }
  *unused = reserved - std::min(used, reserved);
  return std::max<uint64_t>(reserved, outstanding);
}

bool PoolMemory::measure_locked(uint64_t pool) {
  uint64_t unused = 0;
  return ledger_.measure(key_of(pool), use_.pools().at(pool).device, held_locked(pool, &unused));
}

void PoolMemory::measure_device_locked(uint32_t device) {
  for (const auto& [pool, what] : use_.pools()) {
    if (what.device == device) (void)measure_locked(pool);
  }
}

void PoolMemory::trim_locked(uint32_t device) {
  for (const auto& [pool, what] : use_.pools()) {
    if (what.device == device) (void)driver_.cuMemPoolTrimTo(pool_of(pool), 0);
  }
  measure_device_locked(device);
}

Result<MemoryLedger::Reservation> PoolMemory::reserve_locked(uint32_t device, uint64_t bytes) {
  auto reservation = ledger_.reserve(device, bytes);
  if (reservation || use_.pools().empty()) return reservation;
  measure_device_locked(device);
  reservation = ledger_.reserve(device, bytes);
  if (reservation) return reservation;
  trim_locked(device);
  return ledger_.reserve(device, bytes);
}

Result<MemoryLedger::Reservation> PoolMemory::reserve(uint32_t device, uint64_t bytes) {
  std::lock_guard lock(mutex_);
  return reserve_locked(device, bytes);
}

void PoolMemory::add(CUmemoryPool pool, uint32_t device) {
  std::lock_guard lock(mutex_);
  use_.add(id_of(pool), device);
}

uint32_t PoolMemory::device_of(CUmemoryPool pool, uint32_t devices) const {
  for (uint32_t device = 0; device < devices; ++device) {
    CUmemoryPool own = nullptr;
    CUdevice ordinal = 0;
    if (driver_.cuDeviceGet(&ordinal, static_cast<int>(device)) == CUDA_SUCCESS &&
        driver_.cuDeviceGetDefaultMemPool(&own, ordinal) == CUDA_SUCCESS && own == pool) {
      return device;
    }
  }
  return 0;
}

CUresult PoolMemory::allocate(CUmemoryPool pool, uint32_t devices, uint64_t bytes, CUstream stream,
                              CUdeviceptr* address) {
  const uint64_t id = id_of(pool);
  std::lock_guard lock(mutex_);
  if (use_.find(id) == nullptr) use_.add(id, device_of(pool, devices));
  const uint32_t device = use_.find(id)->device;
  uint64_t unused = 0;
  (void)held_locked(id, &unused);
  auto reservation = reserve_locked(device, bytes - std::min(bytes, unused));
  if (!reservation) return CUDA_ERROR_OUT_OF_MEMORY;
  const CUresult allocated = driver_.cuMemAllocFromPoolAsync(address, bytes, pool, stream);
  if (allocated != CUDA_SUCCESS || bytes == 0) return allocated;
  use_.taken(id, *address, bytes);
  stale_ = true;
  if (reservation->settle(key_of(id), held_locked(id, &unused))) return CUDA_SUCCESS;
  // The driver's pieces are larger than what was asked for.
  trim_locked(device);
  if (measure_locked(id)) return CUDA_SUCCESS;
  (void)driver_.cuMemFreeAsync(*address, stream);
  (void)use_.freed(*address);
  *address = 0;
  return CUDA_ERROR_OUT_OF_MEMORY;
}

void PoolMemory::freed(CUdeviceptr address) {
  std::lock_guard lock(mutex_);
  if (use_.freed(address)) stale_ = true;
}

std::vector<std::string> PoolMemory::destroyed(CUmemoryPool pool) {
  std::lock_guard lock(mutex_);
  PoolUse::Pool* known = use_.find(id_of(pool));
  if (known == nullptr) return {};
  const uint32_t device = known->device;
  std::vector<std::string> keys = std::move(known->keys);
  for (const PoolUse::Left& left : use_.remove(id_of(pool)))
    (void)ledger_.measure({AllocationKind::kDeviceMemory, left.address}, device, left.bytes);
  ledger_.release(key_of(id_of(pool)));
  return keys;
}

void PoolMemory::exported(CUmemoryPool pool, const std::string& key) {
  std::lock_guard lock(mutex_);
  if (PoolUse::Pool* known = use_.find(id_of(pool))) known->keys.push_back(key);
}

void PoolMemory::measure() {
  std::lock_guard lock(mutex_);
  measure_all_locked();
}

void PoolMemory::refresh() {
  std::lock_guard lock(mutex_);
  if (stale_) measure_all_locked();
}

void PoolMemory::measure_all_locked() {
  stale_ = false;
  for (const auto& [pool, what] : use_.pools()) {
    (void)measure_locked(pool);
    const auto held = ledger_.find(key_of(pool));
    if (held && held->bytes > what.outstanding_bytes) stale_ = true;
  }
}

}  // namespace outboard::server
