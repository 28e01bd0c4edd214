// What the driver knows about an address.
#include <cstring>

#include "server/softgpu/device/memory_pool.h"
#include "server/softgpu/driver/driver.h"

using namespace outboard::softgpu;

namespace {

template <typename T>
void give(void* to, T value) {
  std::memcpy(to, &value, sizeof(value));
}

uint64_t context_of(const Allocation& allocation) { return allocation.context; }

uint64_t allowed_handle_types(Platform& platform, const Allocation& allocation) {
  const auto memory = platform.virtual_memory().memory_at(allocation.begin);
  if (memory != nullptr) return static_cast<uint64_t>(memory->properties().requestedHandleTypes);
  const auto pool = platform.handles().find<MemoryPool>(allocation.pool);
  return pool != nullptr && pool->file() >= 0 ? CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR : 0;
}

CUresult read_attribute(Platform& platform, CUpointer_attribute attribute, CUdeviceptr address,
                        const Allocation& a, void* data) {
  const bool host = a.is_host();
  switch (attribute) {
    case CU_POINTER_ATTRIBUTE_CONTEXT:
      if (a.pool != 0 || a.kind == MemoryKind::kVirtual) {
        give<CUcontext>(data, nullptr);
        return CUDA_SUCCESS;
      }
      give(data, context_of(a));
      return CUDA_SUCCESS;
    case CU_POINTER_ATTRIBUTE_MEMORY_TYPE:
      give<unsigned>(data, host ? CU_MEMORYTYPE_HOST : CU_MEMORYTYPE_DEVICE);
      return CUDA_SUCCESS;
    case CU_POINTER_ATTRIBUTE_DEVICE_POINTER: give<CUdeviceptr>(data, address); return CUDA_SUCCESS;
    case CU_POINTER_ATTRIBUTE_HOST_POINTER:
      if (!host && a.kind != MemoryKind::kManaged) return CUDA_ERROR_INVALID_VALUE;
      give<CUdeviceptr>(data, address);
      return CUDA_SUCCESS;
    case CU_POINTER_ATTRIBUTE_SYNC_MEMOPS: give<unsigned>(data, a.sync_memops ? 1 : 0); return CUDA_SUCCESS;
    case CU_POINTER_ATTRIBUTE_BUFFER_ID: give<unsigned long long>(data, a.id); return CUDA_SUCCESS;
    case CU_POINTER_ATTRIBUTE_IS_MANAGED:
      give<unsigned>(data, a.kind == MemoryKind::kManaged ? 1 : 0);
      return CUDA_SUCCESS;
    case CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL: give<int>(data, a.device); return CUDA_SUCCESS;
    case CU_POINTER_ATTRIBUTE_IS_LEGACY_CUDA_IPC_CAPABLE:
      give<unsigned>(data, a.kind == MemoryKind::kDevice ? 1 : 0);
      return CUDA_SUCCESS;
    case CU_POINTER_ATTRIBUTE_RANGE_START_ADDR: give<CUdeviceptr>(data, a.begin); return CUDA_SUCCESS;
    case CU_POINTER_ATTRIBUTE_RANGE_SIZE: give<size_t>(data, a.bytes); return CUDA_SUCCESS;
    case CU_POINTER_ATTRIBUTE_MAPPED: give<unsigned>(data, 1); return CUDA_SUCCESS;
    case CU_POINTER_ATTRIBUTE_ALLOWED_HANDLE_TYPES:
      give<uint64_t>(data, allowed_handle_types(platform, a));
      return CUDA_SUCCESS;
    case CU_POINTER_ATTRIBUTE_IS_GPU_DIRECT_RDMA_CAPABLE: give<unsigned>(data, 0); return CUDA_SUCCESS;
    case CU_POINTER_ATTRIBUTE_ACCESS_FLAGS:
      give<unsigned>(data, a.writable ? CU_POINTER_ATTRIBUTE_ACCESS_FLAG_READWRITE
                                      : CU_POINTER_ATTRIBUTE_ACCESS_FLAG_READ);
      return CUDA_SUCCESS;
    case CU_POINTER_ATTRIBUTE_MEMPOOL_HANDLE: give(data, a.pool); return CUDA_SUCCESS;
    case CU_POINTER_ATTRIBUTE_MAPPING_SIZE: give<size_t>(data, a.valid_bytes); return CUDA_SUCCESS;
    case CU_POINTER_ATTRIBUTE_MAPPING_BASE_ADDR: give<CUdeviceptr>(data, a.begin); return CUDA_SUCCESS;
    case CU_POINTER_ATTRIBUTE_MEMORY_BLOCK_ID: give<unsigned long long>(data, a.id); return CUDA_SUCCESS;
    default: return CUDA_ERROR_INVALID_VALUE;
  }
}

// What cuPointerGetAttributes writes for an address that nobody allocated here.
void give_unknown(CUpointer_attribute attribute, void* data) {
  switch (attribute) {
    case CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL: give<int>(data, CU_DEVICE_INVALID); break;
    case CU_POINTER_ATTRIBUTE_CONTEXT:
    case CU_POINTER_ATTRIBUTE_DEVICE_POINTER:
    case CU_POINTER_ATTRIBUTE_HOST_POINTER:
    case CU_POINTER_ATTRIBUTE_BUFFER_ID:
    case CU_POINTER_ATTRIBUTE_RANGE_START_ADDR:
    case CU_POINTER_ATTRIBUTE_RANGE_SIZE:
    case CU_POINTER_ATTRIBUTE_MEMPOOL_HANDLE:
    case CU_POINTER_ATTRIBUTE_MAPPING_SIZE:
    case CU_POINTER_ATTRIBUTE_MAPPING_BASE_ADDR:
    case CU_POINTER_ATTRIBUTE_ALLOWED_HANDLE_TYPES:
    case CU_POINTER_ATTRIBUTE_MEMORY_BLOCK_ID: give<uint64_t>(data, 0); break;
    default: give<unsigned>(data, 0); break;
  }
}

}  // namespace

extern "C" {

CUresult cuPointerGetAttribute(void* data, CUpointer_attribute attribute, CUdeviceptr address) {
  return with_platform([&](Platform& platform) -> CUresult {
    if (data == nullptr) return CUDA_ERROR_INVALID_VALUE;
    const auto found = platform.memory().find(address);
    if (!found) return CUDA_ERROR_INVALID_VALUE;
    return read_attribute(platform, attribute, address, *found, data);
  });
}

CUresult cuPointerGetAttributes(unsigned int count, CUpointer_attribute* attributes, void** data,
                                CUdeviceptr address) {
  return with_platform([&](Platform& platform) -> CUresult {
    if (attributes == nullptr || data == nullptr || count == 0) return CUDA_ERROR_INVALID_VALUE;
    const auto found = platform.memory().find(address);
    for (unsigned i = 0; i < count; ++i) {
      if (data[i] == nullptr) return CUDA_ERROR_INVALID_VALUE;
      if (!found || read_attribute(platform, attributes[i], address, *found, data[i]) != CUDA_SUCCESS) {
        give_unknown(attributes[i], data[i]);
      }
    }
    return CUDA_SUCCESS;
  });
}

CUresult cuPointerSetAttribute(const void* value, CUpointer_attribute attribute, CUdeviceptr address) {
  return with_platform([&](Platform& platform) -> CUresult {
    if (value == nullptr || attribute != CU_POINTER_ATTRIBUTE_SYNC_MEMOPS) return CUDA_ERROR_INVALID_VALUE;
    unsigned wanted = 0;
    std::memcpy(&wanted, value, sizeof(wanted));
    const auto found = platform.memory().find(address);
    const bool changed =
        found && platform.memory().update(found->begin, [&](Allocation& a) { a.sync_memops = wanted != 0; });
    return changed ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
  });
}

}  // extern "C"
