// Device memory: allocating asks the server, which decides; the client remembers every range, so
// that copies know their direction and wrong addresses are refused at once.
#include <unistd.h>

#include <vector>

#include "client-lib/calls/calls_gen.h"
#include "client-lib/calls/handles.h"
#include "client-lib/calls/shareable.h"
#include "client-lib/session/client.h"
#include "protocol/base/bytes.h"
#include "protocol/wire/messages_memory_gen.h"

namespace outboard::client::calls {
namespace {

void remember(Client& client, uint64_t address, uint64_t bytes, MemoryKind kind, wire::Handle context,
              uint32_t flags = 0) {
  MemoryRange range;
  range.base = address;
  range.bytes = bytes;
  range.kind = kind;
  range.context = context;
  range.flags = flags;
  // The address may be one that we think is taken: memory can be freed in ways that we do not see (a
  // pool that was destroyed, a graph's own memory).
  client.device_memory().replace(range);
}

CUresult allocate_async(Client& client, CUdeviceptr* dptr, size_t bytesize, wire::Handle pool,
                        CUstream stream) {
  if (dptr == nullptr) return CUDA_ERROR_INVALID_VALUE;
  ContextInfo* context = nullptr;
  if (const CUresult result = client.require_context(&context); result != CUDA_SUCCESS) return result;
  wire::MemAllocAsyncRequest request;
  request.size_bytes = bytesize;
  request.pool = pool;
  if (const CUresult result = find(client, stream, &request.stream); result != CUDA_SUCCESS) return result;
  wire::MemAllocAsyncReply reply;
  const CUresult result = client.call(request, reply);
  if (result != CUDA_SUCCESS) return result;
  *dptr = reply.address;
  // A pool's memory outlives contexts: it belongs to the device.
  if (bytesize != 0) remember(client, reply.address, bytesize, MemoryKind::kPool, context->owner);
  return CUDA_SUCCESS;
}

}  // namespace

CUresult cuMemAlloc_v2(Client& client, CUdeviceptr* dptr, size_t bytesize) {
  if (dptr == nullptr || bytesize == 0) return CUDA_ERROR_INVALID_VALUE;
  ContextInfo* context = nullptr;
  if (const CUresult result = client.require_context(&context); result != CUDA_SUCCESS) return result;
  wire::MemAllocReply reply;
  const CUresult result = client.call(wire::MemAllocRequest{bytesize}, reply);
  if (result != CUDA_SUCCESS) return result;
  *dptr = reply.address;
  remember(client, reply.address, bytesize, MemoryKind::kDevice, context->owner);
  return CUDA_SUCCESS;
}

CUresult cuMemAllocPitch_v2(Client& client, CUdeviceptr* dptr, size_t* pPitch, size_t WidthInBytes,
                            size_t Height, unsigned int ElementSizeBytes) {
  if (dptr == nullptr || pPitch == nullptr || WidthInBytes == 0 || Height == 0)
    return CUDA_ERROR_INVALID_VALUE;
  if (ElementSizeBytes != 4 && ElementSizeBytes != 8 && ElementSizeBytes != 16)
    return CUDA_ERROR_INVALID_VALUE;
  ContextInfo* context = nullptr;
  if (const CUresult result = client.require_context(&context); result != CUDA_SUCCESS) return result;
  wire::MemAllocPitchReply reply;
  const CUresult result =
      client.call(wire::MemAllocPitchRequest{WidthInBytes, Height, ElementSizeBytes}, reply);
  if (result != CUDA_SUCCESS) return result;
  *dptr = reply.address;
  *pPitch = reply.pitch_bytes;
  remember(client, reply.address, reply.pitch_bytes * Height, MemoryKind::kDevice, context->owner);
  return CUDA_SUCCESS;
}

// The server's driver chooses the address; where something of this process lies there, it is asked for
// another, while it keeps the unfit ones.
CUresult cuMemAllocManaged(Client& client, CUdeviceptr* dptr, size_t bytesize, unsigned int flags) {
  if (dptr == nullptr || bytesize == 0) return CUDA_ERROR_INVALID_VALUE;
  if (flags != CU_MEM_ATTACH_GLOBAL && flags != CU_MEM_ATTACH_HOST) return CUDA_ERROR_INVALID_VALUE;
  if (bytesize > SIZE_MAX / 2) return CUDA_ERROR_OUT_OF_MEMORY;
  ContextInfo* context = nullptr;
  if (const CUresult result = client.require_context(&context); result != CUDA_SUCCESS) return result;
  constexpr size_t kMostAttempts = 16;
  const auto page = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  const uint64_t bytes = (bytesize + page - 1) / page * page;
  std::vector<uint64_t> unfit;
  CUresult result = CUDA_ERROR_ALREADY_MAPPED;
  wire::MemAllocManagedReply reply;
  while (result == CUDA_ERROR_ALREADY_MAPPED && unfit.size() < kMostAttempts) {
    result = client.call(wire::MemAllocManagedRequest{bytes, CU_MEM_ATTACH_GLOBAL}, reply);
    if (result != CUDA_SUCCESS) break;
    result = client.mirrors().add(reply.address, bytes, context->owner, PageState::kHost);
    if (result != CUDA_SUCCESS) unfit.push_back(reply.address);
  }
  for (const uint64_t address : unfit) (void)client.post(wire::MemFreeRequest{address});
  if (result == CUDA_ERROR_ALREADY_MAPPED) {
    client.log_once(LogLevel::kError, "managed",
                    text("No managed memory: this process uses all ", kMostAttempts,
                         " addresses that the server's driver chose for ", bytes, " bytes."));
  }
  if (result != CUDA_SUCCESS) return CUDA_ERROR_OUT_OF_MEMORY;
  *dptr = reply.address;
  if (flags == CU_MEM_ATTACH_HOST) (void)client.mirrors().attach(reply.address, flags, {});
  remember(client, reply.address, bytesize, MemoryKind::kManaged, context->owner, flags);
  return CUDA_SUCCESS;
}

CUresult cuMemFree_v2(Client& client, CUdeviceptr dptr) {
  if (dptr == 0) return CUDA_SUCCESS;
  ContextInfo* context = nullptr;
  if (const CUresult result = client.require_context(&context); result != CUDA_SUCCESS) return result;
  const auto range = client.device_memory().find(dptr);
  const bool ours = range && range->base == dptr && range->kind != MemoryKind::kReserved &&
                    range->kind != MemoryKind::kGlobal && range->kind != MemoryKind::kImported;
  if (!ours) return CUDA_ERROR_INVALID_VALUE;
  if (range->kind != MemoryKind::kGraph) client.device_memory().remove(dptr);
  if (range->kind == MemoryKind::kManaged) (void)client.mirrors().remove(dptr);
  return client.post(wire::MemFreeRequest{dptr});
}

CUresult cuMemGetInfo_v2(Client& client, size_t* free, size_t* total) {
  if (free == nullptr || total == nullptr) return CUDA_ERROR_INVALID_VALUE;
  ContextInfo* context = nullptr;
  if (const CUresult result = client.require_context(&context); result != CUDA_SUCCESS) return result;
  tell_closed_exports(client);
  wire::MemGetInfoReply reply;
  const CUresult result = client.call(wire::MemGetInfoRequest{}, reply);
  if (result != CUDA_SUCCESS) return result;
  *free = reply.free_bytes;
  *total = reply.total_bytes;
  return CUDA_SUCCESS;
}

CUresult cuMemGetAddressRange_v2(Client& client, CUdeviceptr* pbase, size_t* psize, CUdeviceptr dptr) {
  const auto range = client.device_memory().find(dptr);
  uint64_t base = 0;
  uint64_t size = 0;
  if (range && range->kind != MemoryKind::kReserved) {
    base = range->base;
    size = range->bytes;
  } else {
    wire::MemGetAddressRangeReply reply;
    const CUresult result = client.call(wire::MemGetAddressRangeRequest{dptr}, reply);
    if (result != CUDA_SUCCESS) return result;
    base = reply.base;
    size = reply.size_bytes;
  }
  if (pbase != nullptr) *pbase = base;
  if (psize != nullptr) *psize = size;
  return CUDA_SUCCESS;
}

CUresult cuMemAllocAsync(Client& client, CUdeviceptr* dptr, size_t bytesize, CUstream hStream) {
  return allocate_async(client, dptr, bytesize, {}, hStream);
}

CUresult cuMemAllocFromPoolAsync(Client& client, CUdeviceptr* dptr, size_t bytesize, CUmemoryPool pool,
                                 CUstream hStream) {
  wire::Handle handle;
  if (const CUresult result = find(client, pool, &handle); result != CUDA_SUCCESS) return result;
  return allocate_async(client, dptr, bytesize, handle, hStream);
}

CUresult cuMemFreeAsync(Client& client, CUdeviceptr dptr, CUstream hStream) {
  if (dptr == 0) return CUDA_ERROR_INVALID_VALUE;
  wire::MemFreeAsyncRequest request;
  request.address = dptr;
  if (const CUresult result = find(client, hStream, &request.stream); result != CUDA_SUCCESS) return result;
  const auto range = client.device_memory().find(dptr);
  // Memory of a captured allocation is not in the map: the server knows whether it exists.
  if (range) {
    if (range->base != dptr || (range->kind != MemoryKind::kPool && range->kind != MemoryKind::kDevice &&
                                range->kind != MemoryKind::kGraph)) {
      return CUDA_ERROR_INVALID_VALUE;
    }
    if (range->kind != MemoryKind::kGraph) client.device_memory().remove(dptr);
    return client.post(request);
  }
  wire::MemFreeAsyncReply reply;
  return client.call(request, reply);
}

}  // namespace outboard::client::calls
