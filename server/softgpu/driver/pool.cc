// Stream-ordered allocation.
#include <cstring>

#include "server/softgpu/device/memory_pool.h"
#include "server/softgpu/driver/driver.h"
#include "server/softgpu/driver/graph_memory.h"

using namespace outboard::softgpu;

namespace {

CUresult allocate_from(const std::shared_ptr<MemoryPool>& pool, CUdeviceptr* address, size_t bytes,
                       CUstream stream) {
  return with_stream(stream, [&](Context& context, const std::shared_ptr<Stream>& resolved) -> CUresult {
    if (address == nullptr) return CUDA_ERROR_INVALID_VALUE;
    if (bytes == 0) {
      *address = 0;
      return CUDA_SUCCESS;
    }
    const auto source = pool != nullptr ? pool : context.platform().current_pool(context.device().ordinal());
    if (resolved->capturing())
      return capture_allocation(context, resolved, source->device().ordinal(), bytes, address);
    uint64_t at = 0;
    const CUresult result = source->allocate(context, bytes, &at);
    if (result == CUDA_SUCCESS) *address = at;
    return result;
  });
}

}  // namespace

extern "C" {

CUresult cuMemAllocAsync(CUdeviceptr* address, size_t bytes, CUstream stream) {
  return allocate_from(nullptr, address, bytes, stream);
}

CUresult cuMemAllocFromPoolAsync(CUdeviceptr* address, size_t bytes, CUmemoryPool handle, CUstream stream) {
  return with_platform([&](Platform& platform) -> CUresult {
    const auto pool = find<MemoryPool>(platform, handle);
    return pool == nullptr ? CUDA_ERROR_INVALID_VALUE : allocate_from(pool, address, bytes, stream);
  });
}

CUresult cuMemFreeAsync(CUdeviceptr address, CUstream stream) {
  return with_stream(stream, [&](Context& context, const std::shared_ptr<Stream>& resolved) -> CUresult {
    if (address == 0) return CUDA_SUCCESS;
    const auto found = context.platform().memory().find_exact(address);
    if (!found) return CUDA_ERROR_INVALID_VALUE;
    const bool imported = found->kind == MemoryKind::kImported && found->pool != 0;
    if (found->kind != MemoryKind::kPool && found->kind != MemoryKind::kDevice && !imported)
      return CUDA_ERROR_INVALID_VALUE;
    return context.submit(resolved, FreeOperation{address});
  });
}

CUresult cuMemPoolCreate(CUmemoryPool* handle, const CUmemPoolProps* properties) {
  return with_platform([&](Platform& platform) -> CUresult {
    if (handle == nullptr || properties == nullptr) return CUDA_ERROR_INVALID_VALUE;
    if (properties->allocType != CU_MEM_ALLOCATION_TYPE_PINNED ||
        properties->location.type != CU_MEM_LOCATION_TYPE_DEVICE) {
      return CUDA_ERROR_NOT_SUPPORTED;
    }
    const bool shareable = properties->handleTypes == CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR;
    if (!shareable && properties->handleTypes != CU_MEM_HANDLE_TYPE_NONE) return CUDA_ERROR_NOT_SUPPORTED;
    Device* device = platform.device(properties->location.id);
    if (device == nullptr) return CUDA_ERROR_INVALID_DEVICE;
    const auto pool = MemoryPool::create(platform, *device, properties->maxSize, shareable);
    if (pool == nullptr) return CUDA_ERROR_OUT_OF_MEMORY;
    *handle = to_handle<CUmemoryPool>(*pool);
    return CUDA_SUCCESS;
  });
}

CUresult cuMemPoolDestroy(CUmemoryPool handle) {
  return with_platform([&](Platform& platform) -> CUresult {
    const auto pool = find<MemoryPool>(platform, handle);
    if (pool == nullptr) return CUDA_ERROR_INVALID_VALUE;
    const int ordinal = pool->device().ordinal();
    DeviceEntry* entry = platform.entry(ordinal);
    if (pool == entry->default_pool) return CUDA_ERROR_INVALID_VALUE;
    if (platform.current_pool(ordinal) == pool) platform.set_current_pool(ordinal, entry->default_pool);
    // Memory that is still allocated stays so; freeing it finds no pool and frees it directly.
    platform.handles().remove<MemoryPool>(pool->handle());
    return CUDA_SUCCESS;
  });
}

CUresult cuMemPoolTrimTo(CUmemoryPool handle, size_t bytes) {
  return with_platform([&](Platform& platform) -> CUresult {
    const auto pool = find<MemoryPool>(platform, handle);
    if (pool == nullptr) return CUDA_ERROR_INVALID_VALUE;
    pool->trim_to(bytes);
    return CUDA_SUCCESS;
  });
}

CUresult cuMemPoolGetAttribute(CUmemoryPool handle, CUmemPool_attribute attribute, void* value) {
  return with_platform([&](Platform& platform) -> CUresult {
    const auto pool = find<MemoryPool>(platform, handle);
    if (pool == nullptr || value == nullptr) return CUDA_ERROR_INVALID_VALUE;
    return pool->get_attribute(attribute, value);
  });
}

CUresult cuMemPoolSetAttribute(CUmemoryPool handle, CUmemPool_attribute attribute, void* value) {
  return with_platform([&](Platform& platform) -> CUresult {
    const auto pool = find<MemoryPool>(platform, handle);
    if (pool == nullptr || value == nullptr) return CUDA_ERROR_INVALID_VALUE;
    return pool->set_attribute(attribute, value);
  });
}

CUresult cuMemPoolSetAccess(CUmemoryPool handle, const CUmemAccessDesc* map, size_t count) {
  return with_platform([&](Platform& platform) -> CUresult {
    const auto pool = find<MemoryPool>(platform, handle);
    if (pool == nullptr || (map == nullptr && count != 0)) return CUDA_ERROR_INVALID_VALUE;
    for (size_t i = 0; i < count; ++i) {
      const CUmemAccessDesc& one = map[i];
      if (one.location.type != CU_MEM_LOCATION_TYPE_DEVICE || platform.device(one.location.id) == nullptr)
        return CUDA_ERROR_INVALID_DEVICE;
      const bool none = one.flags == CU_MEM_ACCESS_FLAGS_PROT_NONE;
      if (!none && one.flags != CU_MEM_ACCESS_FLAGS_PROT_READWRITE) return CUDA_ERROR_INVALID_VALUE;
      // The device that the memory is of always has access.
      if (none && one.location.id == pool->device().ordinal()) return CUDA_ERROR_INVALID_DEVICE;
    }
    for (size_t i = 0; i < count; ++i)
      pool->set_accessible_from(map[i].location.id, map[i].flags == CU_MEM_ACCESS_FLAGS_PROT_READWRITE);
    return CUDA_SUCCESS;
  });
}

CUresult cuMemPoolGetAccess(CUmemAccess_flags* flags, CUmemoryPool handle, CUmemLocation* location) {
  return with_platform([&](Platform& platform) -> CUresult {
    const auto pool = find<MemoryPool>(platform, handle);
    if (pool == nullptr || flags == nullptr || location == nullptr) return CUDA_ERROR_INVALID_VALUE;
    if (location->type != CU_MEM_LOCATION_TYPE_DEVICE || platform.device(location->id) == nullptr)
      return CUDA_ERROR_INVALID_DEVICE;
    *flags = pool->accessible_from(location->id) ? CU_MEM_ACCESS_FLAGS_PROT_READWRITE
                                                 : CU_MEM_ACCESS_FLAGS_PROT_NONE;
    return CUDA_SUCCESS;
  });
}

}  // extern "C"
