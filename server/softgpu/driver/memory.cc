// Device memory, managed memory, and what is known about it.
#include <algorithm>

#include "server/softgpu/device/limits.h"
#include "server/softgpu/device/memory_pool.h"
#include "server/softgpu/driver/driver.h"

using namespace outboard::softgpu;

namespace {

CUresult allocate(Context& context, size_t bytes, MemoryKind kind, unsigned flags, CUdeviceptr* address) {
  if (address == nullptr || bytes == 0) return CUDA_ERROR_INVALID_VALUE;
  MemoryRequest request;
  request.bytes = bytes;
  request.kind = kind;
  request.context = context.handle();
  request.flags = flags;
  uint64_t at = 0;
  const CUresult result = context.device().allocate(request, &at);
  if (result == CUDA_SUCCESS) *address = at;
  return result;
}

}  // namespace

extern "C" {

CUresult cuMemGetInfo_v2(size_t* free_bytes, size_t* total_bytes) {
  return with_context([&](Context& context) -> CUresult {
    if (free_bytes != nullptr) *free_bytes = context.device().free_bytes();
    if (total_bytes != nullptr) *total_bytes = context.device().total_bytes();
    return CUDA_SUCCESS;
  });
}

CUresult cuMemAlloc_v2(CUdeviceptr* address, size_t bytes) {
  return outside_captures(
      [&](Context& context) { return allocate(context, bytes, MemoryKind::kDevice, 0, address); });
}

CUresult cuMemAllocPitch_v2(CUdeviceptr* address, size_t* pitch, size_t width_bytes, size_t height,
                            unsigned int element_bytes) {
  return outside_captures([&](Context& context) -> CUresult {
    if (pitch == nullptr || width_bytes == 0 || height == 0 || width_bytes > kMaxPitch)
      return CUDA_ERROR_INVALID_VALUE;
    if (element_bytes != 4 && element_bytes != 8 && element_bytes != 16) return CUDA_ERROR_INVALID_VALUE;
    *pitch = (width_bytes + kAllocationAlign - 1) / kAllocationAlign * kAllocationAlign;
    if (height > context.device().total_bytes() / *pitch) return CUDA_ERROR_OUT_OF_MEMORY;
    return allocate(context, *pitch * height, MemoryKind::kDevice, 0, address);
  });
}

CUresult cuMemAllocManaged(CUdeviceptr* address, size_t bytes, unsigned int flags) {
  return outside_captures([&](Context& context) -> CUresult {
    if (flags != CU_MEM_ATTACH_GLOBAL && flags != CU_MEM_ATTACH_HOST) return CUDA_ERROR_INVALID_VALUE;
    return allocate(context, bytes, MemoryKind::kManaged, flags, address);
  });
}

CUresult cuMemFree_v2(CUdeviceptr address) {
  return with_any_context([&](Context& context) -> CUresult {
    if (const CUresult forbidden = check_captures(context); forbidden != CUDA_SUCCESS) return forbidden;
    if (address == 0) return CUDA_SUCCESS;
    Platform& platform = context.platform();
    const auto found = platform.memory().find_exact(address);
    if (!found) return CUDA_ERROR_INVALID_VALUE;
    const bool freeable = found->kind == MemoryKind::kDevice || found->kind == MemoryKind::kManaged ||
                          found->kind == MemoryKind::kPool ||
                          (found->kind == MemoryKind::kImported && found->pool != 0);
    if (!freeable) return CUDA_ERROR_INVALID_VALUE;
    if (found->graph_owned) return CUDA_SUCCESS;
    // A free waits for the work that may still use the memory.
    for (const Point& point : context.all_tails()) point.wait();
    if (context.errors().failed()) return context.errors().code();
    if (const auto pool = platform.handles().find<MemoryPool>(found->pool)) return pool->free(address);
    if (found->kind == MemoryKind::kImported) return platform.imported_memory().close(address);
    return platform.device(found->device)->free(address);
  });
}

CUresult cuMemGetAddressRange_v2(CUdeviceptr* base, size_t* bytes, CUdeviceptr address) {
  return with_context([&](Context& context) -> CUresult {
    const auto found = context.platform().memory().find(address);
    if (!found) return CUDA_ERROR_NOT_FOUND;
    if (base != nullptr) *base = found->begin;
    if (bytes != nullptr) *bytes = found->bytes;
    return CUDA_SUCCESS;
  });
}

// Host and device may use managed memory at the same time, whoever it is attached to.
CUresult cuStreamAttachMemAsync(CUstream stream, CUdeviceptr address, size_t bytes, unsigned int flags) {
  return with_stream(stream, [&](Context& context, const std::shared_ptr<Stream>& resolved) -> CUresult {
    if (flags != CU_MEM_ATTACH_GLOBAL && flags != CU_MEM_ATTACH_HOST && flags != CU_MEM_ATTACH_SINGLE)
      return CUDA_ERROR_INVALID_VALUE;
    const auto found = context.platform().memory().find_exact(address);
    if (!found || found->kind != MemoryKind::kManaged) return CUDA_ERROR_INVALID_VALUE;
    if (bytes != 0 && bytes != found->bytes) return CUDA_ERROR_INVALID_VALUE;
    if (flags == CU_MEM_ATTACH_SINGLE && context.is_null_stream(*resolved)) return CUDA_ERROR_INVALID_VALUE;
    return CUDA_SUCCESS;
  });
}

}  // extern "C"
