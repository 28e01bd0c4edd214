// Contexts: created ones, and the devices' primary ones.
#include "server/worker/handlers_gen.h"
#include "server/worker/worker.h"

namespace outboard::server {

using wire::HandleKind;

CUresult handle(Worker& worker, const wire::ContextCreateRequest& request, wire::ContextCreateReply&) {
  CUdevice device = 0;
  if (CUresult got = worker.driver().cuDeviceGet(&device, request.device); got != CUDA_SUCCESS) return got;
  CUcontext context = nullptr;
  CUresult created = CUDA_SUCCESS;
  if (request.affinity.empty()) {
    created = worker.driver().cuCtxCreate_v2(&context, request.flags, device);
  } else {
    auto affinity = request.affinity;
    created = worker.driver().cuCtxCreate_v3(&context, affinity.data(), static_cast<int>(affinity.size()),
                                             request.flags, device);
  }
  if (created != CUDA_SUCCESS) return created;
  // The driver pushed it on this thread's stack; what is current comes with every command instead.
  CUcontext popped = nullptr;
  worker.driver().cuCtxPopCurrent_v2(&popped);
  worker.session().contexts_changed();
  if (Status named = worker.name_object(HandleKind::kContext, request.context, context); !named) {
    return worker.violation(named.error().message);
  }
  return CUDA_SUCCESS;
}

CUresult handle(Worker& worker, const wire::ContextDestroyRequest& request, wire::ContextDestroyReply&) {
  const auto context = worker.native_as<CUcontext>(HandleKind::kContext, request.context);
  if (!context) return CUDA_ERROR_INVALID_CONTEXT;
  const CUresult destroyed = worker.driver().cuCtxDestroy_v2(*context);
  // For the client it is gone, whatever the driver says.
  worker.forget_object(HandleKind::kContext, request.context);
  return destroyed;
}

CUresult handle(Worker& worker, const wire::ContextSynchronizeRequest& request,
                Work<wire::ContextSynchronizeReply>& work) {
  const auto context = worker.native_as<CUcontext>(HandleKind::kContext, request.context);
  if (!context) return CUDA_ERROR_INVALID_CONTEXT;
  // Not every driver has the form that names a context.
  work = [&driver = worker.driver(), context = *context](wire::ContextSynchronizeReply&) {
    if (CUresult pushed = driver.cuCtxPushCurrent_v2(context); pushed != CUDA_SUCCESS) return pushed;
    const CUresult waited = driver.cuCtxSynchronize();
    CUcontext popped = nullptr;
    driver.cuCtxPopCurrent_v2(&popped);
    return waited;
  };
  return CUDA_SUCCESS;
}

CUresult handle(Worker& worker, const wire::ContextFromGreenRequest& request, wire::ContextFromGreenReply&) {
  const auto green = worker.native_as<CUgreenCtx>(HandleKind::kGreenContext, request.green);
  if (!green) return CUDA_ERROR_INVALID_CONTEXT;
  CUcontext context = nullptr;
  if (CUresult got = worker.driver().cuCtxFromGreenCtx(&context, *green); got != CUDA_SUCCESS) return got;
  // What is made in it belongs to the primary context.
  if (CUresult pushed = worker.driver().cuCtxPushCurrent_v2(context); pushed != CUDA_SUCCESS) return pushed;
  CUdevice device = 0;
  const CUresult asked = worker.driver().cuCtxGetDevice(&device);
  CUcontext popped = nullptr;
  worker.driver().cuCtxPopCurrent_v2(&popped);
  worker.session().contexts_changed();
  if (asked != CUDA_SUCCESS) return asked;
  const ObjectOwners owners{primary_context_handle(static_cast<uint32_t>(device)), HandleKind::kGreenContext,
                            request.green};
  const Status named =
      worker.name_object(HandleKind::kContext, request.context, reinterpret_cast<uintptr_t>(context), owners);
  return named ? CUDA_SUCCESS : worker.violation(named.error().message);
}

// The session holds one reference however many the client has, so that this only makes sure that
// the context exists.
CUresult handle(Worker& worker, const wire::PrimaryContextRetainRequest& request,
                wire::PrimaryContextRetainReply&) {
  if (request.device < 0) return CUDA_ERROR_INVALID_DEVICE;
  CUcontext context = nullptr;
  return worker.session().primary_context(static_cast<uint32_t>(request.device), &context);
}

CUresult handle(Worker& worker, const wire::PrimaryContextReleaseRequest& request,
                wire::PrimaryContextReleaseReply&) {
  if (request.device < 0) return CUDA_ERROR_INVALID_DEVICE;
  const auto device = static_cast<uint32_t>(request.device);
  const CUresult released = worker.session().release_primary_context(device);
  worker.session().objects.erase_content_of(primary_context_handle(device));
  return released;
}

CUresult handle(Worker& worker, const wire::PrimaryContextResetRequest& request,
                wire::PrimaryContextResetReply&) {
  CUdevice device = 0;
  if (CUresult got = worker.driver().cuDeviceGet(&device, request.device); got != CUDA_SUCCESS) return got;
  const CUresult reset = worker.driver().cuDevicePrimaryCtxReset_v2(device);
  worker.session().contexts_changed();
  worker.session().objects.erase_content_of(primary_context_handle(static_cast<uint32_t>(request.device)));
  return reset;
}

CUresult handle(Worker& worker, const wire::PrimaryContextSetFlagsRequest& request,
                wire::PrimaryContextSetFlagsReply&) {
  CUdevice device = 0;
  if (CUresult got = worker.driver().cuDeviceGet(&device, request.device); got != CUDA_SUCCESS) return got;
  return worker.driver().cuDevicePrimaryCtxSetFlags_v2(device, request.flags);
}

CUresult handle(Worker& worker, const wire::PrimaryContextGetStateRequest& request,
                wire::PrimaryContextGetStateReply& reply) {
  CUdevice device = 0;
  if (CUresult got = worker.driver().cuDeviceGet(&device, request.device); got != CUDA_SUCCESS) return got;
  unsigned flags = 0;
  int active = 0;
  const CUresult got = worker.driver().cuDevicePrimaryCtxGetState(device, &flags, &active);
  reply.flags = flags;
  reply.active = active != 0;
  return got;
}

}  // namespace outboard::server
