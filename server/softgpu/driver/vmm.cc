// Virtual memory management.
#include "server/softgpu/device/limits.h"
#include "server/softgpu/device/virtual_memory.h"
#include "server/softgpu/driver/driver.h"

using namespace outboard::softgpu;

namespace {

CUresult check_properties(Platform& platform, const CUmemAllocationProp* properties) {
  if (properties == nullptr || properties->type != CU_MEM_ALLOCATION_TYPE_PINNED)
    return CUDA_ERROR_INVALID_VALUE;
  if (properties->location.type != CU_MEM_LOCATION_TYPE_DEVICE) return CUDA_ERROR_NOT_SUPPORTED;
  if (platform.device(properties->location.id) == nullptr) return CUDA_ERROR_INVALID_DEVICE;
  constexpr unsigned kOffered = CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR | CU_MEM_HANDLE_TYPE_FABRIC;
  return (properties->requestedHandleTypes & ~kOffered) != 0 ? CUDA_ERROR_NOT_SUPPORTED : CUDA_SUCCESS;
}

std::shared_ptr<PhysicalMemory> physical(Platform& platform, CUmemGenericAllocationHandle handle) {
  return platform.handles().find<PhysicalMemory>(handle);
}

}  // namespace

extern "C" {

CUresult cuMemAddressReserve(CUdeviceptr* address, size_t bytes, size_t align, CUdeviceptr wanted,
                             unsigned long long flags) {
  return with_platform([&](Platform& platform) -> CUresult {
    if (address == nullptr || flags != 0) return CUDA_ERROR_INVALID_VALUE;
    uint64_t at = 0;
    const CUresult result = platform.virtual_memory().reserve(bytes, align, wanted, &at);
    if (result == CUDA_SUCCESS) *address = at;
    return result;
  });
}

CUresult cuMemAddressFree(CUdeviceptr address, size_t bytes) {
  return with_platform([&](Platform& platform) { return platform.virtual_memory().release(address, bytes); });
}

CUresult cuMemCreate(CUmemGenericAllocationHandle* handle, size_t bytes,
                     const CUmemAllocationProp* properties, unsigned long long flags) {
  return with_platform([&](Platform& platform) -> CUresult {
    if (handle == nullptr || flags != 0 || bytes == 0 || bytes % kGranuleBytes != 0)
      return CUDA_ERROR_INVALID_VALUE;
    if (const CUresult result = check_properties(platform, properties); result != CUDA_SUCCESS) return result;
    std::shared_ptr<PhysicalMemory> memory;
    const CUresult result =
        PhysicalMemory::create(*platform.device(properties->location.id), bytes, *properties, &memory);
    if (result == CUDA_SUCCESS) *handle = platform.handles().add(std::move(memory));
    return result;
  });
}

// Mappings keep the memory when the last handle is gone.
CUresult cuMemRelease(CUmemGenericAllocationHandle handle) {
  return with_platform([&](Platform& platform) -> CUresult {
    const auto memory = physical(platform, handle);
    if (memory == nullptr) return CUDA_ERROR_INVALID_VALUE;
    if (memory->references.fetch_sub(1) == 1) platform.handles().remove<PhysicalMemory>(handle);
    return CUDA_SUCCESS;
  });
}

CUresult cuMemRetainAllocationHandle(CUmemGenericAllocationHandle* handle, void* address) {
  return with_platform([&](Platform& platform) -> CUresult {
    if (handle == nullptr) return CUDA_ERROR_INVALID_VALUE;
    const auto memory = platform.virtual_memory().memory_at(reinterpret_cast<uint64_t>(address));
    if (memory == nullptr) return CUDA_ERROR_INVALID_VALUE;
    if (memory->references.fetch_add(1) == 0) {
      // Only mappings were left: it needs a handle again.
      *handle = platform.handles().add(memory);
    } else {
      *handle = memory->handle();
    }
    return CUDA_SUCCESS;
  });
}

CUresult cuMemMap(CUdeviceptr address, size_t bytes, size_t offset, CUmemGenericAllocationHandle handle,
                  unsigned long long flags) {
  return with_platform([&](Platform& platform) -> CUresult {
    auto memory = physical(platform, handle);
    if (memory == nullptr || flags != 0) return CUDA_ERROR_INVALID_VALUE;
    return platform.virtual_memory().map(address, bytes, offset, std::move(memory));
  });
}

CUresult cuMemUnmap(CUdeviceptr address, size_t bytes) {
  return with_platform([&](Platform& platform) -> CUresult {
    // Work that still uses the range comes first.
    for (const auto& context : platform.handles().all<Context>()) {
      for (const Point& point : context->all_tails()) point.wait();
    }
    return platform.virtual_memory().unmap(address, bytes);
  });
}

CUresult cuMemSetAccess(CUdeviceptr address, size_t bytes, const CUmemAccessDesc* descriptions,
                        size_t count) {
  return with_platform([&](Platform& platform) -> CUresult {
    if (descriptions == nullptr || count == 0) return CUDA_ERROR_INVALID_VALUE;
    // All devices are this process, so the widest right that is given holds for all.
    auto widest = CU_MEM_ACCESS_FLAGS_PROT_NONE;
    for (size_t i = 0; i < count; ++i) {
      const CUmemAccessDesc& d = descriptions[i];
      if (d.location.type == CU_MEM_LOCATION_TYPE_DEVICE && platform.device(d.location.id) == nullptr)
        return CUDA_ERROR_INVALID_DEVICE;
      if (d.flags > widest) widest = d.flags;
    }
    return platform.virtual_memory().set_access(address, bytes, widest);
  });
}

CUresult cuMemGetAccess(unsigned long long* flags, const CUmemLocation* location, CUdeviceptr address) {
  return with_platform([&](Platform& platform) -> CUresult {
    if (flags == nullptr || location == nullptr) return CUDA_ERROR_INVALID_VALUE;
    auto access = CU_MEM_ACCESS_FLAGS_PROT_NONE;
    const CUresult result = platform.virtual_memory().get_access(address, &access);
    *flags = access;
    return result;
  });
}

CUresult cuMemGetAllocationGranularity(size_t* bytes, const CUmemAllocationProp* properties,
                                       CUmemAllocationGranularity_flags) {
  return with_platform([&](Platform& platform) -> CUresult {
    if (bytes == nullptr) return CUDA_ERROR_INVALID_VALUE;
    const CUresult result = check_properties(platform, properties);
    if (result == CUDA_SUCCESS) *bytes = kGranuleBytes;
    return result;
  });
}

CUresult cuMemGetAllocationPropertiesFromHandle(CUmemAllocationProp* properties,
                                                CUmemGenericAllocationHandle handle) {
  return with_platform([&](Platform& platform) -> CUresult {
    const auto memory = physical(platform, handle);
    if (memory == nullptr || properties == nullptr) return CUDA_ERROR_INVALID_VALUE;
    *properties = memory->properties();
    return CUDA_SUCCESS;
  });
}

}  // extern "C"
