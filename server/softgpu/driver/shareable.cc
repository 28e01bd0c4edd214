// Physical memory and pools that other processes may have.
#include <fcntl.h>
#include <unistd.h>

#include <cstring>

#include "server/softgpu/device/memory_pool.h"
#include "server/softgpu/device/shareable.h"
#include "server/softgpu/device/virtual_memory.h"
#include "server/softgpu/driver/driver.h"

using namespace outboard::softgpu;

namespace {

// What cuMemPoolExportPointer gives out: where the memory is, and of which pool.
struct PointerName {
  SharedName memory;
  uint64_t pool_secret[2] = {};
};
static_assert(sizeof(PointerName) <= sizeof(CUmemPoolPtrExportData));
static_assert(sizeof(SharedName) <= sizeof(CUmemFabricHandle));

// The application closes its own.
int duplicate(int file) { return fcntl(file, F_DUPFD_CLOEXEC, 0); }

int descriptor_of(void* os_handle) { return static_cast<int>(reinterpret_cast<intptr_t>(os_handle)); }

// A descriptor of our own for what the application has; -1 if it is nothing of that kind.
int open_handle(void* os_handle, CUmemAllocationHandleType type) {
  if (type == CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR) return duplicate(descriptor_of(os_handle));
  SharedName name;
  std::memcpy(static_cast<void*>(&name), os_handle, sizeof name);
  return open_shareable(name);
}

// The device that the file's memory is of. The file stays the caller's.
CUresult device_of(Platform& platform, int file, ShareableKind kind, ShareableRecord* record,
                   Device** device) {
  const auto found = read_shareable(file);
  if (!found || found->kind != kind) return CUDA_ERROR_INVALID_VALUE;
  *record = *found;
  *device = platform.device_at(found->device);
  return *device == nullptr ? CUDA_ERROR_INVALID_DEVICE : CUDA_SUCCESS;
}

}  // namespace

extern "C" {

CUresult cuMemExportToShareableHandle(void* shareable, CUmemGenericAllocationHandle handle,
                                      CUmemAllocationHandleType type, unsigned long long flags) {
  return with_platform([&](Platform& platform) -> CUresult {
    const auto memory = platform.handles().find<PhysicalMemory>(handle);
    if (memory == nullptr || shareable == nullptr || flags != 0) return CUDA_ERROR_INVALID_VALUE;
    const bool single = type == CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR || type == CU_MEM_HANDLE_TYPE_FABRIC;
    if (!single || (memory->properties().requestedHandleTypes & type) == 0) return CUDA_ERROR_INVALID_VALUE;
    if (type == CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR) {
      const int file = duplicate(memory->file());
      if (file < 0) return CUDA_ERROR_OPERATING_SYSTEM;
      std::memcpy(shareable, &file, sizeof file);
      return CUDA_SUCCESS;
    }
    const auto record = read_shareable(memory->file());
    if (!record) return CUDA_ERROR_UNKNOWN;
    const SharedName name = name_shareable(*record, memory->file());
    std::memset(shareable, 0, sizeof(CUmemFabricHandle));
    std::memcpy(shareable, &name, sizeof name);
    return CUDA_SUCCESS;
  });
}

CUresult cuMemImportFromShareableHandle(CUmemGenericAllocationHandle* handle, void* os_handle,
                                        CUmemAllocationHandleType type) {
  return with_platform([&](Platform& platform) -> CUresult {
    if (handle == nullptr) return CUDA_ERROR_INVALID_VALUE;
    const bool fabric = type == CU_MEM_HANDLE_TYPE_FABRIC;
    if (!fabric && type != CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR) return CUDA_ERROR_NOT_SUPPORTED;
    if (fabric && os_handle == nullptr) return CUDA_ERROR_INVALID_VALUE;
    const int file = open_handle(os_handle, type);
    if (file < 0) return CUDA_ERROR_INVALID_VALUE;
    ShareableRecord record;
    Device* device = nullptr;
    const CUresult found = device_of(platform, file, ShareableKind::kMemory, &record, &device);
    if (found != CUDA_SUCCESS) {
      close(file);
      return found;
    }
    *handle = platform.handles().add(PhysicalMemory::import(*device, file, record));
    return CUDA_SUCCESS;
  });
}

CUresult cuMemPoolExportToShareableHandle(void* shareable, CUmemoryPool handle,
                                          CUmemAllocationHandleType type, unsigned long long flags) {
  return with_platform([&](Platform& platform) -> CUresult {
    const auto pool = find<MemoryPool>(platform, handle);
    if (pool == nullptr || shareable == nullptr || flags != 0) return CUDA_ERROR_INVALID_VALUE;
    if (type != CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR || pool->file() < 0 || pool->imported())
      return CUDA_ERROR_INVALID_VALUE;
    const int file = duplicate(pool->file());
    if (file < 0) return CUDA_ERROR_OPERATING_SYSTEM;
    std::memcpy(shareable, &file, sizeof file);
    return CUDA_SUCCESS;
  });
}

CUresult cuMemPoolImportFromShareableHandle(CUmemoryPool* handle, void* os_handle,
                                            CUmemAllocationHandleType type, unsigned long long flags) {
  return with_platform([&](Platform& platform) -> CUresult {
    if (handle == nullptr || flags != 0) return CUDA_ERROR_INVALID_VALUE;
    if (type != CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR) return CUDA_ERROR_NOT_SUPPORTED;
    const int file = open_handle(os_handle, type);
    if (file < 0) return CUDA_ERROR_INVALID_VALUE;
    ShareableRecord record;
    Device* device = nullptr;
    const CUresult found = device_of(platform, file, ShareableKind::kPool, &record, &device);
    if (found != CUDA_SUCCESS) {
      close(file);
      return found;
    }
    *handle = to_handle<CUmemoryPool>(*MemoryPool::import(platform, *device, file, record));
    return CUDA_SUCCESS;
  });
}

CUresult cuMemPoolExportPointer(CUmemPoolPtrExportData* data, CUdeviceptr address) {
  return with_platform([&](Platform& platform) -> CUresult {
    const auto found = platform.memory().find_exact(address);
    if (data == nullptr || !found || found->kind != MemoryKind::kPool) return CUDA_ERROR_INVALID_VALUE;
    const auto pool = platform.handles().find<MemoryPool>(found->pool);
    if (pool == nullptr || pool->file() < 0) return CUDA_ERROR_INVALID_VALUE;
    PointerName name;
    const CUresult shared = pool->device().share(*found, &name.memory);
    if (shared != CUDA_SUCCESS) return shared;
    std::memcpy(name.pool_secret, pool->record().secret, sizeof name.pool_secret);
    *data = {};
    std::memcpy(data, &name, sizeof name);
    return CUDA_SUCCESS;
  });
}

CUresult cuMemPoolImportPointer(CUdeviceptr* address, CUmemoryPool handle, CUmemPoolPtrExportData* data) {
  return with_platform([&](Platform& platform) -> CUresult {
    const auto pool = find<MemoryPool>(platform, handle);
    if (address == nullptr || data == nullptr || pool == nullptr || !pool->imported())
      return CUDA_ERROR_INVALID_VALUE;
    PointerName name;
    std::memcpy(static_cast<void*>(&name), data, sizeof name);
    if (std::memcmp(name.pool_secret, pool->record().secret, sizeof name.pool_secret) != 0)
      return CUDA_ERROR_INVALID_VALUE;
    uint64_t at = 0;
    const CUresult opened =
        platform.imported_memory().open(name.memory, 0, pool->device(), pool->handle(), &at);
    if (opened == CUDA_SUCCESS) *address = at;
    return opened;
  });
}

}  // extern "C"
