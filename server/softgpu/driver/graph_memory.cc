#include "server/softgpu/driver/graph_memory.h"

#include "server/softgpu/device/device.h"

namespace outboard::softgpu {

CUresult capture_allocation(Context& context, const std::shared_ptr<Stream>& stream, MemoryPool& pool, size_t bytes,
                            CUdeviceptr* address) {
  uint64_t at = 0;
  const CUresult result = pool.allocate(context, bytes, &at);
  if (result != CUDA_SUCCESS) return result;
  AllocateOperation operation;
  operation.params.poolProps.allocType = CU_MEM_ALLOCATION_TYPE_PINNED;
  operation.params.poolProps.location.type = CU_MEM_LOCATION_TYPE_DEVICE;
  operation.params.poolProps.location.id = pool.device().ordinal();
  operation.params.bytesize = bytes;
  operation.params.dptr = at;
  *address = at;
  return context.submit(stream, operation);
}

}  // namespace outboard::softgpu
