// Green contexts: parts of a device. What is made in one belongs to the device's primary context, but for
// streams.
#include "client-lib/calls/green_context.h"

#include <memory>

#include "client-lib/calls/calls_gen.h"
#include "client-lib/calls/handles.h"
#include "client-lib/calls/primary_context.h"
#include "protocol/wire/messages_green_context_gen.h"

namespace outboard::client::calls {
namespace {

using wire::Handle;
using wire::HandleKind;

struct GreenInfo {
  Handle handle;
  ContextInfo* primary = nullptr;
  std::mutex mutex;
  Handle view;  // the context that it can be made current as; null until somebody asks
};

GreenInfo* find_green(Client& client, CUgreenCtx value) {
  return static_cast<GreenInfo*>(find_payload(client, value));
}

// Ends with the green context, and with the primary context that it is a view of.
CUresult view_of(Client& client, GreenInfo& green, CUcontext* context) {
  const std::lock_guard lock(green.mutex);
  if (!client.handles().alive(HandleKind::kContext, green.view)) {
    wire::ContextFromGreenRequest request;
    request.green = green.handle;
    request.context = client.handles().create(HandleKind::kContext, nullptr, green.primary->handle.index);
    if (request.context.is_null()) return CUDA_ERROR_OUT_OF_MEMORY;
    wire::ContextFromGreenReply reply;
    if (const CUresult result = client.call(request, reply); result != CUDA_SUCCESS) {
      client.forget_handle(HandleKind::kContext, request.context);
      return result;
    }
    ContextInfo* info = client.add_context(request.context, green.primary->device, green.primary->flags);
    info->owner = green.primary->handle;
    info->retains = 1;
    green.view = request.context;
  }
  *context = to_application<CUcontext>(green.view);
  return CUDA_SUCCESS;
}

}  // namespace

CUresult green_context_of(Client& client, CUstream stream, CUgreenCtx* green, CUcontext* context) {
  *green = nullptr;
  // Most programs have none, and need not ask.
  if (client.handles().live_count(HandleKind::kGreenContext) == 0) return CUDA_SUCCESS;
  if (const CUresult result = cuStreamGetGreenCtx(client, stream, green); result != CUDA_SUCCESS)
    return result;
  GreenInfo* info = find_green(client, *green);
  return info == nullptr ? CUDA_SUCCESS : view_of(client, *info, context);
}

CUresult cuGreenCtxCreate(Client& client, CUgreenCtx* phCtx, CUdevResourceDesc desc, CUdevice dev,
                          unsigned int flags) {
  if (phCtx == nullptr) return CUDA_ERROR_INVALID_VALUE;
  wire::GreenCtxCreateRequest request;
  request.flags = flags;
  if (const CUresult r = client.server_device(dev, &request.dev); r != CUDA_SUCCESS) return r;
  if (const CUresult r =
          client.find_handle(HandleKind::kDevResourceDesc, reinterpret_cast<uint64_t>(desc), &request.desc);
      r != CUDA_SUCCESS) {
    return r;
  }
  auto green = std::make_unique<GreenInfo>();
  green->primary = client.primary_context(static_cast<uint32_t>(request.dev));
  // It holds the primary context as cuDevicePrimaryCtxRetain does.
  CUcontext primary = nullptr;
  if (const CUresult r = cuDevicePrimaryCtxRetain(client, &primary, dev); r != CUDA_SUCCESS) return r;
  CUresult result = client.create_handle_with(HandleKind::kGreenContext, green.get(), &request.phCtx);
  if (result == CUDA_SUCCESS) {
    wire::GreenCtxCreateReply reply;
    result = client.call(request, reply);
    if (result != CUDA_SUCCESS) client.forget_handle(HandleKind::kGreenContext, request.phCtx);
  }
  if (result != CUDA_SUCCESS) {
    (void)cuDevicePrimaryCtxRelease_v2(client, dev);
    return result;
  }
  green->handle = request.phCtx;
  *phCtx = to_application<CUgreenCtx>(green.release()->handle);
  return CUDA_SUCCESS;
}

CUresult cuGreenCtxDestroy(Client& client, CUgreenCtx hCtx) {
  GreenInfo* info = find_green(client, hCtx);
  if (info == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
  wire::GreenCtxDestroyReply reply;
  const CUresult result = client.call(wire::GreenCtxDestroyRequest{info->handle}, reply);
  if (result != CUDA_SUCCESS) return result;
  const std::unique_ptr<GreenInfo> green(info);
  if (!green->view.is_null()) client.forget_handle(HandleKind::kContext, green->view);
  client.forget_handle(HandleKind::kGreenContext, green->handle);
  return release_primary(client, *green->primary);
}

CUresult cuCtxFromGreenCtx(Client& client, CUcontext* pContext, CUgreenCtx hCtx) {
  if (pContext == nullptr) return CUDA_ERROR_INVALID_VALUE;
  GreenInfo* info = find_green(client, hCtx);
  return info == nullptr ? CUDA_ERROR_INVALID_CONTEXT : view_of(client, *info, pContext);
}

// Whichever context is current, the stream is in the green one.
CUresult cuGreenCtxStreamCreate(Client& client, CUstream* phStream, CUgreenCtx greenCtx, unsigned int flags,
                                int priority) {
  if (phStream == nullptr) return CUDA_ERROR_INVALID_VALUE;
  const GreenInfo* info = find_green(client, greenCtx);
  if (info == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
  wire::GreenCtxStreamCreateRequest request;
  request.greenCtx = info->handle;
  request.flags = flags;
  request.priority = priority;
  request.phStream = client.handles().create(HandleKind::kStream, nullptr, info->primary->handle.index);
  if (request.phStream.is_null()) return CUDA_ERROR_OUT_OF_MEMORY;
  wire::GreenCtxStreamCreateReply reply;
  if (const CUresult result = client.call(request, reply); result != CUDA_SUCCESS) {
    client.forget_handle(HandleKind::kStream, request.phStream);
    return result;
  }
  *phStream = to_application<CUstream>(request.phStream);
  return CUDA_SUCCESS;
}

}  // namespace outboard::client::calls
