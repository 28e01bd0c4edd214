#include "server/softgpu/driver/graph_memory.h"

#include "server/softgpu/device/platform.h"
#include "server/softgpu/driver/driver.h"

namespace outboard::softgpu {

CUresult make_allocation(Platform& platform, AllocateOperation* operation) {
  CUDA_MEM_ALLOC_NODE_PARAMS& params = operation->params;
  if (params.poolProps.location.type != CU_MEM_LOCATION_TYPE_DEVICE) return CUDA_ERROR_NOT_SUPPORTED;
  Device* device = platform.device(params.poolProps.location.id);
  if (device == nullptr) return CUDA_ERROR_INVALID_DEVICE;
  MemoryRequest request;
  request.bytes = params.bytesize;
  request.kind = MemoryKind::kPool;
  request.graph_owned = true;
  uint64_t at = 0;
  const CUresult result = device->allocate(request, &at);
  if (result != CUDA_SUCCESS) return result;
  operation->memory = std::shared_ptr<void>(reinterpret_cast<void*>(at), [device](void* memory) {
    (void)device->free(reinterpret_cast<uint64_t>(memory));
  });
  params.dptr = at;
  params.accessDescs = nullptr;
  params.accessDescCount = 0;
  return CUDA_SUCCESS;
}

CUresult capture_allocation(Context& context, const std::shared_ptr<Stream>& stream, int device, size_t bytes,
                            CUdeviceptr* address) {
  AllocateOperation operation;
  operation.params.poolProps.allocType = CU_MEM_ALLOCATION_TYPE_PINNED;
  operation.params.poolProps.location.type = CU_MEM_LOCATION_TYPE_DEVICE;
  operation.params.poolProps.location.id = device;
  operation.params.bytesize = bytes;
  const CUresult result = make_allocation(context.platform(), &operation);
  if (result != CUDA_SUCCESS) return result;
  *address = operation.params.dptr;
  return context.submit(stream, operation);
}

}  // namespace outboard::softgpu

using namespace outboard::softgpu;

namespace {

// A pool's memory nodes hold what they use and nothing else.
uint64_t graph_bytes(Platform& platform, int device) {
  uint64_t bytes = 0;
  platform.memory().for_each([&](const Allocation& a) {
    if (a.graph_owned && a.device == device) bytes += a.valid_bytes;
  });
  return bytes;
}

}  // namespace

extern "C" {

CUresult cuDeviceGetGraphMemAttribute(CUdevice device, CUgraphMem_attribute attribute, void* value) {
  return with_platform([&](Platform& platform) -> CUresult {
    if (platform.device(device) == nullptr) return CUDA_ERROR_INVALID_DEVICE;
    if (value == nullptr || attribute > CU_GRAPH_MEM_ATTR_RESERVED_MEM_HIGH) return CUDA_ERROR_INVALID_VALUE;
    *static_cast<cuuint64_t*>(value) = graph_bytes(platform, device);
    return CUDA_SUCCESS;
  });
}

CUresult cuDeviceSetGraphMemAttribute(CUdevice device, CUgraphMem_attribute attribute, void* value) {
  return with_platform([&](Platform& platform) -> CUresult {
    if (platform.device(device) == nullptr) return CUDA_ERROR_INVALID_DEVICE;
    const bool high =
        attribute == CU_GRAPH_MEM_ATTR_USED_MEM_HIGH || attribute == CU_GRAPH_MEM_ATTR_RESERVED_MEM_HIGH;
    return value == nullptr || !high ? CUDA_ERROR_INVALID_VALUE : CUDA_SUCCESS;
  });
}

CUresult cuDeviceGraphMemTrim(CUdevice device) {
  return with_platform([&](Platform& platform) {
    return platform.device(device) == nullptr ? CUDA_ERROR_INVALID_DEVICE : CUDA_SUCCESS;
  });
}

}  // extern "C"
