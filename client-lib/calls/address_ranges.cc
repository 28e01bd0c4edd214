// Addresses that come from elsewhere than the allocators: reserved ranges and memory of other
// programs. Only the client's map is added to what the server does.
#include "client-lib/calls/calls_gen.h"
#include "client-lib/calls/handles.h"
#include "client-lib/session/client.h"
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
    range.context = context->handle;
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

}  // namespace outboard::client::calls
