// Contexts: the stack lives in the client, the driver's contexts on the server.
#include "client-lib/calls/calls_gen.h"
#include "client-lib/calls/handles.h"
#include "client-lib/calls/memcpy.h"
#include "client-lib/calls/mirrored.h"
#include "client-lib/session/client.h"
#include "protocol/wire/messages_context_gen.h"

namespace outboard::client::calls {
namespace {

using wire::Handle;
using wire::HandleKind;

CUresult create(Client& client, CUcontext* pctx, std::vector<CUexecAffinityParam> affinity, unsigned flags,
                CUdevice dev) {
  if (pctx == nullptr || (flags & ~unsigned{CU_CTX_FLAGS_MASK}) != 0) return CUDA_ERROR_INVALID_VALUE;
  wire::ContextCreateRequest request;
  if (const CUresult result = client.server_device(dev, &request.device); result != CUDA_SUCCESS)
    return result;
  if (const CUresult result = client.create_handle(HandleKind::kContext, &request.context);
      result != CUDA_SUCCESS) {
    return result;
  }
  request.flags = flags;
  request.affinity = std::move(affinity);
  wire::ContextCreateReply reply;
  if (const CUresult result = client.call(request, reply); result != CUDA_SUCCESS) {
    client.forget_handle(HandleKind::kContext, request.context);
    return result;
  }
  client.add_context(request.context, static_cast<uint32_t>(request.device), flags)->retains = 1;
  client.thread().contexts.push_back(request.context);
  *pctx = to_application<CUcontext>(request.context);
  return CUDA_SUCCESS;
}

// `ctx`, or the current context where `ctx` is null.
CUresult named_or_current(Client& client, CUcontext ctx, ContextInfo** info) {
  if (ctx == nullptr) return client.require_context(info);
  *info = find_context(client, ctx);
  return *info == nullptr ? CUDA_ERROR_INVALID_CONTEXT : CUDA_SUCCESS;
}

CUresult device_of(Client& client, CUcontext ctx, CUdevice* device) {
  if (device == nullptr) return CUDA_ERROR_INVALID_VALUE;
  ContextInfo* info = nullptr;
  if (const CUresult result = named_or_current(client, ctx, &info); result != CUDA_SUCCESS) return result;
  return client.application_device(static_cast<int32_t>(info->device), device);
}

CUresult synchronize(Client& client, CUcontext ctx) {
  ContextInfo* info = nullptr;
  if (const CUresult result = named_or_current(client, ctx, &info); result != CUDA_SUCCESS) return result;
  const MirrorWait wait(client);
  StreamActivity& activity = client.activity();
  const StreamActivity::Mark mark = activity.mark_of_all();
  CUresult result = CUDA_SUCCESS;
  // A wait for a primary context is one for its green ones too.
  if (activity.need_of_context(info->owner, mark) == StreamActivity::Need::kNothing) {
    result = what_waits_report(client);
  } else {
    wire::ContextSynchronizeReply reply;
    result = client.call(wire::ContextSynchronizeRequest{info->owner}, reply);
    if (result == CUDA_SUCCESS) activity.context_settled(info->owner, mark);
  }
  if (result == CUDA_SUCCESS) wait.all_done();
  return result;
}

}  // namespace

CUresult cuCtxCreate_v2(Client& client, CUcontext* pctx, unsigned int flags, CUdevice dev) {
  return create(client, pctx, {}, flags, dev);
}

CUresult cuCtxCreate_v3(Client& client, CUcontext* pctx, CUexecAffinityParam* paramsArray, int numParams,
                        unsigned int flags, CUdevice dev) {
  if (numParams < 0 || (numParams > 0 && paramsArray == nullptr)) return CUDA_ERROR_INVALID_VALUE;
  return create(client, pctx, std::vector<CUexecAffinityParam>(paramsArray, paramsArray + numParams), flags,
                dev);
}

CUresult cuCtxCreate_v4(Client& client, CUcontext* pctx, CUctxCreateParams* ctxCreateParams,
                        unsigned int flags, CUdevice dev) {
  if (ctxCreateParams == nullptr) return create(client, pctx, {}, flags, dev);
  // Computing in graphics contexts needs a local display driver.
  if (ctxCreateParams->cigParams != nullptr) return CUDA_ERROR_NOT_SUPPORTED;
  return cuCtxCreate_v3(client, pctx, ctxCreateParams->execAffinityParams,
                        ctxCreateParams->numExecAffinityParams, flags, dev);
}

CUresult cuCtxDestroy_v2(Client& client, CUcontext ctx) {
  ContextInfo* info = find_context(client, ctx);
  if (info == nullptr || info->primary || info->owner != info->handle) return CUDA_ERROR_INVALID_CONTEXT;
  wire::ContextDestroyReply reply;
  const CUresult result = client.call(wire::ContextDestroyRequest{info->handle}, reply);
  client.drop_objects_of(*info);
  client.forget_handle(HandleKind::kContext, info->handle);
  std::vector<Handle>& stack = client.thread().contexts;
  if (!stack.empty() && stack.back() == info->handle) stack.pop_back();
  return result;
}

CUresult cuCtxGetCurrent(Client& client, CUcontext* pctx) {
  if (pctx == nullptr) return CUDA_ERROR_INVALID_VALUE;
  *pctx = to_application<CUcontext>(client.thread().current());
  return CUDA_SUCCESS;
}

CUresult cuCtxSetCurrent(Client& client, CUcontext ctx) {
  std::vector<Handle>& stack = client.thread().contexts;
  if (ctx == nullptr) {
    if (!stack.empty()) stack.pop_back();
    return CUDA_SUCCESS;
  }
  const ContextInfo* info = find_context(client, ctx);
  if (info == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
  if (stack.empty()) {
    stack.push_back(info->handle);
  } else {
    stack.back() = info->handle;
  }
  return CUDA_SUCCESS;
}

CUresult cuCtxPushCurrent_v2(Client& client, CUcontext ctx) {
  const ContextInfo* info = find_context(client, ctx);
  if (info == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
  client.thread().contexts.push_back(info->handle);
  return CUDA_SUCCESS;
}

CUresult cuCtxPopCurrent_v2(Client& client, CUcontext* pctx) {
  std::vector<Handle>& stack = client.thread().contexts;
  if (stack.empty()) return CUDA_ERROR_INVALID_CONTEXT;
  if (pctx != nullptr) *pctx = to_application<CUcontext>(stack.back());
  stack.pop_back();
  return CUDA_SUCCESS;
}

CUresult cuCtxGetDevice(Client& client, CUdevice* device) { return device_of(client, nullptr, device); }

CUresult cuCtxGetDevice_v2(Client& client, CUdevice* device, CUcontext ctx) {
  return device_of(client, ctx, device);
}

CUresult cuCtxGetFlags(Client& client, unsigned int* flags) {
  if (flags == nullptr) return CUDA_ERROR_INVALID_VALUE;
  ContextInfo* info = nullptr;
  if (const CUresult result = client.require_context(&info); result != CUDA_SUCCESS) return result;
  *flags = info->flags;
  return CUDA_SUCCESS;
}

CUresult cuCtxSetFlags(Client& client, unsigned int flags) {
  ContextInfo* info = nullptr;
  if (const CUresult result = client.require_context(&info); result != CUDA_SUCCESS) return result;
  wire::CtxSetFlagsReply reply;
  const CUresult result = client.call(wire::CtxSetFlagsRequest{flags}, reply);
  if (result == CUDA_SUCCESS) info->flags = flags;
  return result;
}

CUresult cuCtxGetId(Client& client, CUcontext ctx, unsigned long long* ctxId) {
  if (ctxId == nullptr) return CUDA_ERROR_INVALID_VALUE;
  ContextInfo* info = nullptr;
  if (const CUresult result = named_or_current(client, ctx, &info); result != CUDA_SUCCESS) return result;
  *ctxId = info->id;
  return CUDA_SUCCESS;
}

CUresult cuCtxGetApiVersion(Client& client, CUcontext ctx, unsigned int* version) {
  if (version == nullptr) return CUDA_ERROR_INVALID_VALUE;
  ContextInfo* info = nullptr;
  if (const CUresult result = named_or_current(client, ctx, &info); result != CUDA_SUCCESS) return result;
  *version = client.devices().on_server(info->device)->snapshot.context_api_version;
  return CUDA_SUCCESS;
}

CUresult cuCtxSynchronize(Client& client) { return synchronize(client, nullptr); }

CUresult cuCtxSynchronize_v2(Client& client, CUcontext ctx) { return synchronize(client, ctx); }

// Usage counts of the days before cuCtxDestroy; flags were never defined.
CUresult cuCtxAttach(Client& client, CUcontext* pctx, unsigned int flags) {
  if (pctx == nullptr || flags != 0) return CUDA_ERROR_INVALID_VALUE;
  ContextInfo* info = nullptr;
  if (const CUresult result = client.require_context(&info); result != CUDA_SUCCESS) return result;
  info->attaches.fetch_add(1, std::memory_order_relaxed);
  *pctx = to_application<CUcontext>(info->handle);
  return CUDA_SUCCESS;
}

CUresult cuCtxDetach(Client& client, CUcontext ctx) {
  ContextInfo* info = find_context(client, ctx);
  if (info == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
  if (info->attaches.fetch_sub(1, std::memory_order_acq_rel) > 1) return CUDA_SUCCESS;
  return cuCtxDestroy_v2(client, ctx);
}

// The capture mode is the thread's and travels with its commands.
CUresult cuThreadExchangeStreamCaptureMode(Client& client, CUstreamCaptureMode* mode) {
  if (mode == nullptr || *mode < CU_STREAM_CAPTURE_MODE_GLOBAL || *mode > CU_STREAM_CAPTURE_MODE_RELAXED) {
    return CUDA_ERROR_INVALID_VALUE;
  }
  ThreadState& thread = client.thread();
  const auto before = static_cast<CUstreamCaptureMode>(thread.capture_mode);
  thread.capture_mode = static_cast<uint8_t>(*mode);
  *mode = before;
  return CUDA_SUCCESS;
}

}  // namespace outboard::client::calls
