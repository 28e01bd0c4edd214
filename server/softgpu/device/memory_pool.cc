#include "server/softgpu/device/memory_pool.h"

#include <algorithm>
#include <cstring>

#include "server/softgpu/device/context.h"
#include "server/softgpu/device/device.h"
#include "server/softgpu/device/platform.h"

namespace outboard::softgpu {

std::shared_ptr<MemoryPool> MemoryPool::create(Platform& platform, Device& device, uint64_t max_bytes) {
  auto pool = std::make_shared<MemoryPool>(platform, device, max_bytes);
  platform.handles().add(pool);
  return pool;
}

CUresult MemoryPool::take(uint64_t bytes, uint64_t* address) {
  std::lock_guard lock(mutex_);
  if (max_bytes_ != 0 && used_bytes_ + bytes > max_bytes_) return CUDA_ERROR_OUT_OF_MEMORY;
  MemoryRequest request;
  request.bytes = bytes;
  request.kind = MemoryKind::kPool;
  request.pool = handle();
  const CUresult result = device_.allocate(request, address);
  if (result != CUDA_SUCCESS) return result;
  used_bytes_ += bytes;
  used_high_bytes_ = std::max(used_high_bytes_, used_bytes_);
  return CUDA_SUCCESS;
}

CUresult MemoryPool::allocate(Context& context, uint64_t bytes, uint64_t* address) {
  const CUresult result = take(bytes, address);
  if (result != CUDA_ERROR_OUT_OF_MEMORY) return result;
  for (const Point& point : context.all_tails()) point.wait();
  return take(bytes, address);
}

CUresult MemoryPool::free(uint64_t address) {
  const auto found = platform_.memory().find_exact(address);
  if (!found || found->pool != handle()) return CUDA_ERROR_INVALID_VALUE;
  const CUresult result = device_.free(address);
  if (result != CUDA_SUCCESS) return result;
  std::lock_guard lock(mutex_);
  used_bytes_ -= found->bytes;
  return CUDA_SUCCESS;
}

bool MemoryPool::accessible_from(int device) const {
  return device == device_.ordinal() || (peers_.load() >> device & 1) != 0;
}

void MemoryPool::set_accessible_from(int device, bool accessible) {
  if (accessible) {
    peers_.fetch_or(1u << device);
  } else {
    peers_.fetch_and(~(1u << device));
  }
}

CUresult MemoryPool::get_attribute(CUmemPool_attribute attribute, void* value) const {
  std::lock_guard lock(mutex_);
  const auto give_int = [&](int number) { std::memcpy(value, &number, sizeof(number)); };
  const auto give_u64 = [&](uint64_t number) { std::memcpy(value, &number, sizeof(number)); };
  switch (attribute) {
    case CU_MEMPOOL_ATTR_REUSE_FOLLOW_EVENT_DEPENDENCIES: give_int(reuse_follow_event_); break;
    case CU_MEMPOOL_ATTR_REUSE_ALLOW_OPPORTUNISTIC: give_int(reuse_opportunistic_); break;
    case CU_MEMPOOL_ATTR_REUSE_ALLOW_INTERNAL_DEPENDENCIES: give_int(reuse_internal_); break;
    case CU_MEMPOOL_ATTR_RELEASE_THRESHOLD: give_u64(release_threshold_bytes_); break;
    case CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT:
    case CU_MEMPOOL_ATTR_USED_MEM_CURRENT: give_u64(used_bytes_); break;
    case CU_MEMPOOL_ATTR_RESERVED_MEM_HIGH:
    case CU_MEMPOOL_ATTR_USED_MEM_HIGH: give_u64(used_high_bytes_); break;
    default: return CUDA_ERROR_INVALID_VALUE;
  }
  return CUDA_SUCCESS;
}

CUresult MemoryPool::set_attribute(CUmemPool_attribute attribute, const void* value) {
  std::lock_guard lock(mutex_);
  int number = 0;
  uint64_t large = 0;
  switch (attribute) {
    case CU_MEMPOOL_ATTR_REUSE_FOLLOW_EVENT_DEPENDENCIES:
    case CU_MEMPOOL_ATTR_REUSE_ALLOW_OPPORTUNISTIC:
    case CU_MEMPOOL_ATTR_REUSE_ALLOW_INTERNAL_DEPENDENCIES:
      std::memcpy(&number, value, sizeof(number));
      (attribute == CU_MEMPOOL_ATTR_REUSE_FOLLOW_EVENT_DEPENDENCIES ? reuse_follow_event_
       : attribute == CU_MEMPOOL_ATTR_REUSE_ALLOW_OPPORTUNISTIC     ? reuse_opportunistic_
                                                                    : reuse_internal_) = number;
      return CUDA_SUCCESS;
    case CU_MEMPOOL_ATTR_RELEASE_THRESHOLD:
      std::memcpy(&release_threshold_bytes_, value, sizeof(release_threshold_bytes_));
      return CUDA_SUCCESS;
    case CU_MEMPOOL_ATTR_RESERVED_MEM_HIGH:
    case CU_MEMPOOL_ATTR_USED_MEM_HIGH:
      // Only a reset to zero is possible; the mark then starts again from what is in use.
      std::memcpy(&large, value, sizeof(large));
      if (large != 0) return CUDA_ERROR_INVALID_VALUE;
      used_high_bytes_ = used_bytes_;
      return CUDA_SUCCESS;
    default: return CUDA_ERROR_INVALID_VALUE;
  }
}

}  // namespace outboard::softgpu
