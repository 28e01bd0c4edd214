// Device memory: every allocation passes the session's ledger.
#include <algorithm>
#include <array>

#include "protocol/base/limits.h"
#include "server/worker/handlers_gen.h"
#include "server/worker/worker.h"

namespace outboard::server {
namespace {

// Reserves, calls, commits or rolls back. `allocate` stores the address that it got.
template <typename Allocate>
CUresult allocate_accounted(Worker& worker, uint64_t bytes, Allocate allocate) {
  uint32_t device = 0;
  if (CUresult got = worker.current_device(&device); got != CUDA_SUCCESS) return got;
  auto reservation = worker.session().pools.reserve(device, bytes);
  if (!reservation) return CUDA_ERROR_OUT_OF_MEMORY;
  CUdeviceptr address = 0;
  const CUresult allocated = allocate(&address);
  if (allocated != CUDA_SUCCESS) return allocated;
  reservation->commit({AllocationKind::kDeviceMemory, address}, worker.context_owner());
  return CUDA_SUCCESS;
}

}  // namespace

CUresult handle(Worker& worker, const wire::MemAllocRequest& request, wire::MemAllocReply& reply) {
  return allocate_accounted(worker, request.size_bytes, [&](CUdeviceptr* address) {
    const CUresult allocated = worker.driver().cuMemAlloc_v2(address, request.size_bytes);
    reply.address = *address;
    return allocated;
  });
}

CUresult handle(Worker& worker, const wire::MemAllocPitchRequest& request, wire::MemAllocPitchReply& reply) {
  uint64_t least_bytes = 0;
  if (__builtin_mul_overflow(request.width_bytes, request.height, &least_bytes))
    return CUDA_ERROR_INVALID_VALUE;
  uint32_t device = 0;
  if (CUresult got = worker.current_device(&device); got != CUDA_SUCCESS) return got;
  auto reservation = worker.session().pools.reserve(device, least_bytes);
  if (!reservation) return CUDA_ERROR_OUT_OF_MEMORY;
  CUdeviceptr address = 0;
  size_t pitch = 0;
  const CUresult allocated = worker.driver().cuMemAllocPitch_v2(&address, &pitch, request.width_bytes,
                                                                request.height, request.element_bytes);
  if (allocated != CUDA_SUCCESS) return allocated;
  // The pitch is the driver's choice, so the size is known only now.
  const AllocationKey key{AllocationKind::kDeviceMemory, address};
  if (!reservation->settle(key, pitch * request.height, worker.context_owner())) {
    (void)worker.driver().cuMemFree_v2(address);
    worker.session().forget_memory(address);
    return CUDA_ERROR_OUT_OF_MEMORY;
  }
  reply.address = address;
  reply.pitch_bytes = pitch;
  return CUDA_SUCCESS;
}

CUresult handle(Worker& worker, const wire::MemAllocManagedRequest& request,
                wire::MemAllocManagedReply& reply) {
  return allocate_accounted(worker, request.size_bytes, [&](CUdeviceptr* address) {
    const CUresult allocated = worker.driver().cuMemAllocManaged(address, request.size_bytes, request.flags);
    reply.address = *address;
    return allocated;
  });
}

CUresult handle(Worker& worker, const wire::MemFreeRequest& request, wire::MemFreeReply&) {
  const CUresult freed = worker.driver().cuMemFree_v2(request.address);
  if (freed == CUDA_SUCCESS) worker.session().forget_memory(request.address);
  return freed;
}

CUresult handle(Worker& worker, const wire::MemGetInfoRequest&, wire::MemGetInfoReply& reply) {
  size_t free_bytes = 0;
  size_t total_bytes = 0;
  if (CUresult got = worker.driver().cuMemGetInfo_v2(&free_bytes, &total_bytes); got != CUDA_SUCCESS)
    return got;
  reply.free_bytes = free_bytes;
  reply.total_bytes = total_bytes;
  uint32_t device = 0;
  worker.session().pools.measure();
  if (worker.current_device(&device) == CUDA_SUCCESS && worker.session().ledger.limited(device)) {
    const MemoryAccount account = worker.session().ledger.account(device);
    reply.total_bytes = std::min<uint64_t>(reply.total_bytes, account.limit_bytes);
    reply.free_bytes = std::min<uint64_t>(reply.free_bytes, account.free_bytes());
  }
  return CUDA_SUCCESS;
}

CUresult handle(Worker& worker, const wire::MemGetAddressRangeRequest& request,
                wire::MemGetAddressRangeReply& reply) {
  CUdeviceptr base = 0;
  size_t size_bytes = 0;
  const CUresult got = worker.driver().cuMemGetAddressRange_v2(&base, &size_bytes, request.address);
  reply.base = base;
  reply.size_bytes = size_bytes;
  return got;
}

namespace {

// The size of an attribute's value; 0 for those that hold handles or addresses of a process, which
// the client knows better, and for unknown ones, whose size nobody could bound.
size_t pointer_attribute_bytes(uint32_t attribute) {
  switch (attribute) {
    case CU_POINTER_ATTRIBUTE_IS_LEGACY_CUDA_IPC_CAPABLE:
    case CU_POINTER_ATTRIBUTE_MAPPED:
    case CU_POINTER_ATTRIBUTE_IS_GPU_DIRECT_RDMA_CAPABLE:
    case CU_POINTER_ATTRIBUTE_IS_HW_DECOMPRESS_CAPABLE:
    case CU_POINTER_ATTRIBUTE_IS_MANAGED:
    case CU_POINTER_ATTRIBUTE_SYNC_MEMOPS:
    case CU_POINTER_ATTRIBUTE_MEMORY_TYPE:
    case CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL:
    case CU_POINTER_ATTRIBUTE_ACCESS_FLAGS: return 4;
    case CU_POINTER_ATTRIBUTE_DEVICE_POINTER:
    case CU_POINTER_ATTRIBUTE_BUFFER_ID:
    case CU_POINTER_ATTRIBUTE_RANGE_START_ADDR:
    case CU_POINTER_ATTRIBUTE_RANGE_SIZE:
    case CU_POINTER_ATTRIBUTE_ALLOWED_HANDLE_TYPES:
    case CU_POINTER_ATTRIBUTE_MAPPING_SIZE:
    case CU_POINTER_ATTRIBUTE_MAPPING_BASE_ADDR:
    case CU_POINTER_ATTRIBUTE_MEMORY_BLOCK_ID: return 8;
    default: return 0;
  }
}

}  // namespace

CUresult handle(Worker& worker, const wire::PointerGetAttributeRequest& request,
                wire::PointerGetAttributeReply& reply) {
  const size_t size_bytes = pointer_attribute_bytes(request.attribute);
  if (size_bytes == 0) return CUDA_ERROR_NOT_SUPPORTED;
  std::array<std::byte, 8> value{};  // room for any of them, whatever the driver writes
  const CUresult got = worker.driver().cuPointerGetAttribute(
      value.data(), static_cast<CUpointer_attribute>(request.attribute), request.address);
  reply.value.assign(value.begin(), value.begin() + static_cast<ptrdiff_t>(size_bytes));
  return got;
}

// The client translates device ordinals; the driver bounds the size by the attribute.
CUresult handle(Worker& worker, const wire::MemRangeGetAttributeRequest& request,
                wire::MemRangeGetAttributeReply& reply) {
  if (request.value_bytes == 0 || request.value_bytes > limits::kArrayElements)
    return CUDA_ERROR_INVALID_VALUE;
  reply.value.resize(request.value_bytes);
  return worker.driver().cuMemRangeGetAttribute(reply.value.data(), request.value_bytes,
                                                static_cast<CUmem_range_attribute>(request.attribute),
                                                request.address, request.size_bytes);
}

}  // namespace outboard::server
