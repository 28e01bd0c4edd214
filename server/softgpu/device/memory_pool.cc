#include "server/softgpu/device/memory_pool.h"

#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <iterator>

#include "server/softgpu/device/context.h"
#include "server/softgpu/device/device.h"
#include "server/softgpu/device/limits.h"
#include "server/softgpu/device/platform.h"

namespace outboard::softgpu {

std::shared_ptr<MemoryPool> MemoryPool::create(Platform& platform, Device& device, uint64_t max_bytes,
                                               bool shareable) {
  ShareableRecord record;
  int file = -1;
  if (shareable) {
    record.kind = ShareableKind::kPool;
    record.device = device.physical();
    file = create_shareable(&record);
    if (file < 0) return nullptr;
  }
  auto pool = std::make_shared<MemoryPool>(platform, device, max_bytes, file, record, false);
  platform.add_pool(pool);
  return pool;
}

std::shared_ptr<MemoryPool> MemoryPool::import(Platform& platform, Device& device, int file,
                                               const ShareableRecord& record) {
  auto pool = std::make_shared<MemoryPool>(platform, device, 0, file, record, true);
  platform.add_pool(pool);
  return pool;
}

MemoryPool::~MemoryPool() {
  trim_to(0);
  if (file_ >= 0) close(file_);
}

void MemoryPool::count_taken_locked(uint64_t bytes) {
  used_bytes_ += bytes;
  used_high_bytes_ = std::max(used_high_bytes_, used_bytes_);
  reserved_high_bytes_ = std::max(reserved_high_bytes_, reserved_bytes_);
}

std::optional<uint64_t> MemoryPool::take_kept(uint64_t bytes) {
  Allocation entry;
  entry.bytes = bytes;
  entry.valid_bytes = (bytes + kAllocationAlign - 1) / kAllocationAlign * kAllocationAlign;
  entry.kind = MemoryKind::kPool;
  entry.device = device_.ordinal();
  entry.pool = handle();
  std::lock_guard lock(mutex_);
  const auto it = kept_.find(entry.valid_bytes);
  if (it == kept_.end()) return std::nullopt;
  entry.begin = it->second;
  if (!platform_.memory().insert(entry)) return std::nullopt;
  kept_.erase(it);
  count_taken_locked(bytes);
  return entry.begin;
}

CUresult MemoryPool::take(uint64_t bytes, uint64_t* address) {
  if (const auto kept = take_kept(bytes)) {
    *address = *kept;
    return CUDA_SUCCESS;
  }
  const uint64_t taken = (bytes + kAllocationAlign - 1) / kAllocationAlign * kAllocationAlign;
  if (max_bytes_ != 0) {
    if (bytes > max_bytes_) return CUDA_ERROR_OUT_OF_MEMORY;
    trim_to(max_bytes_ - bytes);
  }
  {
    std::lock_guard lock(mutex_);
    if (max_bytes_ != 0 && used_bytes_ + bytes > max_bytes_) return CUDA_ERROR_OUT_OF_MEMORY;
  }
  MemoryRequest request;
  request.bytes = bytes;
  request.kind = MemoryKind::kPool;
  request.pool = handle();
  // Without the lock: a device that is short of memory takes what pools keep.
  const CUresult result = device_.allocate(request, address);
  if (result != CUDA_SUCCESS) return result;
  std::lock_guard lock(mutex_);
  reserved_bytes_ += taken;
  count_taken_locked(bytes);
  return CUDA_SUCCESS;
}

CUresult MemoryPool::allocate(Context& context, uint64_t bytes, uint64_t* address) {
  if (imported_) return CUDA_ERROR_INVALID_VALUE;
  const CUresult result = take(bytes, address);
  if (result != CUDA_ERROR_OUT_OF_MEMORY) return result;
  for (const Point& point : context.all_tails()) point.wait();
  return take(bytes, address);
}

CUresult MemoryPool::free(uint64_t address) {
  const auto found = platform_.memory().find_exact(address);
  if (!found || found->pool != handle()) return CUDA_ERROR_INVALID_VALUE;
  if (imported_) return platform_.imported_memory().close(address);
  const auto removed = platform_.memory().remove(address);
  if (!removed) return CUDA_ERROR_INVALID_VALUE;
  std::lock_guard lock(mutex_);
  used_bytes_ -= removed->bytes;
  // Others may have mapped what a shareable pool exported: the next allocation must not be theirs.
  if (file_ >= 0) {
    reserved_bytes_ -= removed->valid_bytes;
    device_.release(*removed);
  } else {
    kept_.emplace(removed->valid_bytes, address);
  }
  return CUDA_SUCCESS;
}

void MemoryPool::trim_to(uint64_t bytes) {
  std::lock_guard lock(mutex_);
  while (reserved_bytes_ > bytes && !kept_.empty()) {
    const auto largest = std::prev(kept_.end());
    Allocation gone;
    gone.begin = largest->second;
    gone.valid_bytes = largest->first;
    kept_.erase(largest);
    reserved_bytes_ -= gone.valid_bytes;
    device_.release(gone);
  }
}

void MemoryPool::synchronized() {
  uint64_t threshold = 0;
  {
    std::lock_guard lock(mutex_);
    threshold = release_threshold_bytes_;
  }
  trim_to(threshold);
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
    case CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT: give_u64(reserved_bytes_); break;
    case CU_MEMPOOL_ATTR_RESERVED_MEM_HIGH: give_u64(reserved_high_bytes_); break;
    case CU_MEMPOOL_ATTR_USED_MEM_CURRENT: give_u64(used_bytes_); break;
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
      (attribute == CU_MEMPOOL_ATTR_USED_MEM_HIGH ? used_high_bytes_ : reserved_high_bytes_) =
          attribute == CU_MEMPOOL_ATTR_USED_MEM_HIGH ? used_bytes_ : reserved_bytes_;
      return CUDA_SUCCESS;
    default: return CUDA_ERROR_INVALID_VALUE;
  }
}

}  // namespace outboard::softgpu
