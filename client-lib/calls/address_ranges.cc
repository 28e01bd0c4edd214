// Addresses that come from elsewhere than the allocators: reserved ranges with what is mapped there, and
// memory of other programs.
#include "client-lib/calls/calls_gen.h"
#include "client-lib/calls/handles.h"
#include "client-lib/calls/shareable.h"
#include "client-lib/calls/structs_gen.h"
#include "client-lib/session/client.h"
#include "protocol/base/limits.h"
#include "protocol/wire/messages_ipc_gen.h"
#include "protocol/wire/messages_vmm_gen.h"

namespace outboard::client::calls {

CUresult cuMemAddressReserve(Client& client, CUdeviceptr* ptr, size_t size, size_t alignment,
                             CUdeviceptr addr, unsigned long long flags) {
  if (ptr == nullptr || size == 0) return CUDA_ERROR_INVALID_VALUE;
  wire::MemAddressReserveRequest request;
  request.size = size;
  request.alignment = alignment;
  request.addr = addr;
  request.flags = flags;
  wire::MemAddressReserveReply reply;
  if (const CUresult result = client.call(request, reply); result != CUDA_SUCCESS) return result;
  *ptr = reply.ptr;
  MemoryRange range;
  range.base = reply.ptr;
  range.bytes = size;
  range.kind = MemoryKind::kReserved;
  (void)client.device_memory().insert(range);
  return CUDA_SUCCESS;
}

CUresult cuMemAddressFree(Client& client, CUdeviceptr ptr, size_t size) {
  wire::MemAddressFreeRequest request;
  request.ptr = ptr;
  request.size = size;
  wire::MemAddressFreeReply reply;
  const CUresult result = client.call(request, reply);
  if (result == CUDA_SUCCESS) (void)client.device_memory().remove(ptr);
  return result;
}

CUresult cuIpcOpenMemHandle_v2(Client& client, CUdeviceptr* pdptr, CUipcMemHandle handle,
                               unsigned int Flags) {
  if (pdptr == nullptr) return CUDA_ERROR_INVALID_VALUE;
  ContextInfo* context = nullptr;
  if (const CUresult result = client.require_context(&context); result != CUDA_SUCCESS) return result;
  wire::IpcOpenMemHandleV2Request request;
  request.handle = handle;
  request.Flags = Flags;
  wire::IpcOpenMemHandleV2Reply reply;
  if (const CUresult result = client.call(request, reply); result != CUDA_SUCCESS) return result;
  client.share_with_others();
  *pdptr = reply.pdptr;
  // How much there is behind the address is known to the server only; ask it once.
  CUdeviceptr base = 0;
  size_t size = 0;
  if (cuMemGetAddressRange_v2(client, &base, &size, reply.pdptr) == CUDA_SUCCESS) {
    MemoryRange range;
    range.base = base;
    range.bytes = size;
    range.kind = MemoryKind::kImported;
    range.context = context->owner;
    (void)client.device_memory().insert(range);
  }
  return CUDA_SUCCESS;
}

CUresult cuIpcCloseMemHandle(Client& client, CUdeviceptr dptr) {
  wire::IpcCloseMemHandleRequest request;
  request.dptr = dptr;
  wire::IpcCloseMemHandleReply reply;
  const CUresult result = client.call(request, reply);
  if (result == CUDA_SUCCESS) {
    const auto range = client.device_memory().find(dptr);
    if (range && range->kind == MemoryKind::kImported) client.device_memory().remove(range->base);
  }
  return result;
}

namespace {

constexpr auto kAllocation = wire::HandleKind::kAllocation;

CUresult find_allocation(Client& client, CUmemGenericAllocationHandle value, wire::Handle* handle) {
  return client.find_handle(kAllocation, value, handle);
}

}  // namespace

// Every reference that the program has been given is one to release; the server counts as well.
CUresult cuMemRetainAllocationHandle(Client& client, CUmemGenericAllocationHandle* handle, void* addr) {
  if (handle == nullptr) return CUDA_ERROR_INVALID_VALUE;
  wire::MemRetainAllocationHandleReply reply;
  const CUresult result =
      client.call(wire::MemRetainAllocationHandleRequest{reinterpret_cast<uintptr_t>(addr)}, reply);
  if (result != CUDA_SUCCESS) return result;
  client.allocation_references().add(reply.handle);
  *handle = client.application_handle(kAllocation, reply.handle);
  return CUDA_SUCCESS;
}

CUresult cuMemRelease(Client& client, CUmemGenericAllocationHandle handle) {
  wire::MemReleaseRequest request;
  if (const CUresult result = find_allocation(client, handle, &request.handle); result != CUDA_SUCCESS)
    return result;
  tell_closed_exports(client);
  wire::MemReleaseReply reply;
  const CUresult result = client.call(request, reply);
  if (result == CUDA_SUCCESS && !client.allocation_references().drop(request.handle))
    client.forget_handle(kAllocation, request.handle);
  return result;
}

CUresult cuMemMap(Client& client, CUdeviceptr ptr, size_t size, size_t offset,
                  CUmemGenericAllocationHandle handle, unsigned long long flags) {
  wire::MemMapRequest request{ptr, size, offset, {}, flags};
  if (const CUresult result = find_allocation(client, handle, &request.handle); result != CUDA_SUCCESS)
    return result;
  wire::MemMapReply reply;
  return client.call(request, reply);
}

CUresult cuMemUnmap(Client& client, CUdeviceptr ptr, size_t size) {
  tell_closed_exports(client);
  wire::MemUnmapReply reply;
  return client.call(wire::MemUnmapRequest{ptr, size}, reply);
}

CUresult cuMemMapArrayAsync(Client& client, CUarrayMapInfo* mapInfoList, unsigned int count,
                            CUstream hStream) {
  if (mapInfoList == nullptr && count != 0) return CUDA_ERROR_INVALID_VALUE;
  if (count > limits::kArrayElements) return CUDA_ERROR_NOT_SUPPORTED;
  wire::MemMapArrayAsyncRequest request;
  if (const CUresult result = find(client, hStream, &request.hStream); result != CUDA_SUCCESS) return result;
  request.count = count;
  request.mapInfoList.resize(count);
  for (unsigned i = 0; i < count; ++i) {
    CUarrayMapInfo info = mapInfoList[i];
    // A bit for each device, by the application's numbers.
    info.deviceBitMask = 0;
    for (CUdevice device = 0; device < client.devices().count() && device < 32; ++device) {
      if ((mapInfoList[i].deviceBitMask >> device & 1) != 0)
        info.deviceBitMask |= 1u << client.devices().visible(device)->server_ordinal;
    }
    if (const CUresult result = to_wire(client, info, &request.mapInfoList[i]); result != CUDA_SUCCESS)
      return result;
  }
  wire::MemMapArrayAsyncReply reply;
  return client.call(request, reply);
}

}  // namespace outboard::client::calls
