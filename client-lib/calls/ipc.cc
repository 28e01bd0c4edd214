// Handles for other programs. Who has given one away, or has opened one, waits for every command from then
// on: the programs tell one another by ways of their own what is done.
#include "client-lib/calls/calls_gen.h"
#include "client-lib/calls/handles.h"
#include "client-lib/session/client.h"
#include "protocol/wire/messages_ipc_gen.h"

namespace outboard::client::calls {

CUresult cuIpcGetMemHandle(Client& client, CUipcMemHandle* pHandle, CUdeviceptr dptr) {
  if (pHandle == nullptr) return CUDA_ERROR_INVALID_VALUE;
  ContextInfo* context = nullptr;
  if (const CUresult result = client.require_context(&context); result != CUDA_SUCCESS) return result;
  wire::IpcGetMemHandleRequest request;
  request.dptr = dptr;
  wire::IpcGetMemHandleReply reply;
  if (const CUresult result = client.call(request, reply); result != CUDA_SUCCESS) return result;
  client.share_with_others();
  *pHandle = reply.pHandle;
  return CUDA_SUCCESS;
}

CUresult cuIpcGetEventHandle(Client& client, CUipcEventHandle* pHandle, CUevent event) {
  if (pHandle == nullptr) return CUDA_ERROR_INVALID_VALUE;
  ContextInfo* context = nullptr;
  if (const CUresult result = client.require_context(&context); result != CUDA_SUCCESS) return result;
  wire::IpcGetEventHandleRequest request;
  if (const CUresult result = find(client, event, &request.event); result != CUDA_SUCCESS) return result;
  wire::IpcGetEventHandleReply reply;
  if (const CUresult result = client.call(request, reply); result != CUDA_SUCCESS) return result;
  client.share_with_others();
  *pHandle = reply.pHandle;
  return CUDA_SUCCESS;
}

CUresult cuIpcOpenEventHandle(Client& client, CUevent* phEvent, CUipcEventHandle handle) {
  if (phEvent == nullptr) return CUDA_ERROR_INVALID_VALUE;
  ContextInfo* context = nullptr;
  if (const CUresult result = client.require_context(&context); result != CUDA_SUCCESS) return result;
  wire::IpcOpenEventHandleRequest request;
  request.handle = handle;
  if (const CUresult result = client.create_handle(wire::HandleKind::kEvent, &request.phEvent);
      result != CUDA_SUCCESS)
    return result;
  wire::IpcOpenEventHandleReply reply;
  if (const CUresult result = client.call(request, reply); result != CUDA_SUCCESS) {
    client.forget_handle(wire::HandleKind::kEvent, request.phEvent);
    return result;
  }
  client.share_with_others();
  *phEvent = reinterpret_cast<CUevent>(
      static_cast<uintptr_t>(client.application_handle(wire::HandleKind::kEvent, request.phEvent)));
  return CUDA_SUCCESS;
}

}  // namespace outboard::client::calls
