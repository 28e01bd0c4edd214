// Pinned host memory is plain memory of this process as long as copies are all that uses it. The client
// remembers it, because cuMemFreeHost, pointer attributes and copy directions depend on it. Once the
// device uses it directly, it is mirrored (docs/adr/0006).
#include <sys/mman.h>
#include <unistd.h>

#include "client-lib/calls/calls_gen.h"
#include "client-lib/calls/mirrored.h"
#include "client-lib/session/client.h"

namespace outboard::client::calls {
namespace {

// cuMemHostAlloc's memory is page-aligned, as real pinned memory is.
uint64_t whole_pages(uint64_t bytes) {
  const auto page = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  return (bytes + page - 1) / page * page;
}

CUresult allocate(Client& client, void** pp, size_t bytesize, unsigned flags) {
  if (pp == nullptr) return CUDA_ERROR_INVALID_VALUE;
  constexpr unsigned kKnown =
      CU_MEMHOSTALLOC_PORTABLE | CU_MEMHOSTALLOC_DEVICEMAP | CU_MEMHOSTALLOC_WRITECOMBINED;
  if (bytesize == 0 || (flags & ~kKnown) != 0) return CUDA_ERROR_INVALID_VALUE;
  ContextInfo* context = nullptr;
  if (const CUresult result = client.require_context(&context); result != CUDA_SUCCESS) return result;
  if (bytesize > SIZE_MAX / 2) return CUDA_ERROR_OUT_OF_MEMORY;
  void* memory = allocate_pinned(whole_pages(bytesize));
  if (memory == nullptr) return CUDA_ERROR_OUT_OF_MEMORY;
  MemoryRange range;
  range.base = reinterpret_cast<uint64_t>(memory);
  range.bytes = bytesize;
  range.kind = MemoryKind::kHostPinned;
  range.context = context->owner;
  range.flags = flags;
  if (!client.host_memory().insert(range)) {
    // Only possible when the application registered memory and unmapped it without telling us.
    munmap(memory, whole_pages(bytesize));
    return CUDA_ERROR_OUT_OF_MEMORY;
  }
  *pp = memory;
  // Who asks for it may reach the memory by pointers that lie in other memory, which nobody sees.
  if ((flags & CU_MEMHOSTALLOC_DEVICEMAP) != 0) (void)map_host_memory(client, range.base);
  return CUDA_SUCCESS;
}

}  // namespace

CUresult cuMemHostAlloc(Client& client, void** pp, size_t bytesize, unsigned int Flags) {
  return allocate(client, pp, bytesize, Flags);
}

CUresult cuMemAllocHost_v2(Client& client, void** pp, size_t bytesize) {
  return allocate(client, pp, bytesize, 0);
}

CUresult cuMemFreeHost(Client& client, void* p) {
  if (p == nullptr) return CUDA_ERROR_INVALID_VALUE;
  const auto base = reinterpret_cast<uint64_t>(p);
  const auto range = client.host_memory().find(base);
  if (!range || range->base != base || range->kind != MemoryKind::kHostPinned)
    return CUDA_ERROR_INVALID_VALUE;
  client.host_memory().remove(base);
  if (range->device_address != 0) return unmap_host_memory(client, *range);
  munmap(p, whole_pages(range->bytes));
  return CUDA_SUCCESS;
}

CUresult cuMemHostRegister_v2(Client& client, void* p, size_t bytesize, unsigned int Flags) {
  constexpr unsigned kKnown = CU_MEMHOSTREGISTER_PORTABLE | CU_MEMHOSTREGISTER_DEVICEMAP |
                              CU_MEMHOSTREGISTER_IOMEMORY | CU_MEMHOSTREGISTER_READ_ONLY;
  if (p == nullptr || bytesize == 0 || (Flags & ~kKnown) != 0) return CUDA_ERROR_INVALID_VALUE;
  // Device registers of other hardware cannot be reached from another machine.
  if ((Flags & CU_MEMHOSTREGISTER_IOMEMORY) != 0) return CUDA_ERROR_NOT_SUPPORTED;
  ContextInfo* context = nullptr;
  if (const CUresult result = client.require_context(&context); result != CUDA_SUCCESS) return result;
  MemoryRange range;
  range.base = reinterpret_cast<uint64_t>(p);
  range.bytes = bytesize;
  range.kind = MemoryKind::kHostRegistered;
  range.context = context->owner;
  range.flags = Flags;
  return client.host_memory().insert(range) ? CUDA_SUCCESS : CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED;
}

CUresult cuMemHostUnregister(Client& client, void* p) {
  if (p == nullptr) return CUDA_ERROR_INVALID_VALUE;
  const auto base = reinterpret_cast<uint64_t>(p);
  const auto range = client.host_memory().find(base);
  if (!range || range->base != base || range->kind != MemoryKind::kHostRegistered) {
    return CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED;
  }
  unfollow_host_memory(client, *range);
  client.host_memory().remove(base);
  return CUDA_SUCCESS;
}

CUresult cuMemHostGetDevicePointer_v2(Client& client, CUdeviceptr* pdptr, void* p, unsigned int Flags) {
  if (pdptr == nullptr || p == nullptr || Flags != 0) return CUDA_ERROR_INVALID_VALUE;
  *pdptr = 0;
  const auto address = reinterpret_cast<uint64_t>(p);
  const auto range = client.host_memory().find(address);
  if (!range) return CUDA_ERROR_INVALID_VALUE;
  if (range->kind == MemoryKind::kHostRegistered) return follow_host_memory(client, address, pdptr);
  if (const CUresult mapped = map_host_memory(client, address); mapped != CUDA_SUCCESS) return mapped;
  *pdptr = address;
  return CUDA_SUCCESS;
}

CUresult cuMemHostGetFlags(Client& client, unsigned int* pFlags, void* p) {
  if (pFlags == nullptr || p == nullptr) return CUDA_ERROR_INVALID_VALUE;
  const auto range = client.host_memory().find(reinterpret_cast<uint64_t>(p));
  if (!range || range->kind != MemoryKind::kHostPinned) return CUDA_ERROR_INVALID_VALUE;
  // Where addresses are unified, all pinned memory is portable and mapped.
  *pFlags = range->flags | CU_MEMHOSTALLOC_PORTABLE | CU_MEMHOSTALLOC_DEVICEMAP;
  return CUDA_SUCCESS;
}

}  // namespace outboard::client::calls
