// Streams.
#include <algorithm>

#include "server/softgpu/device/environment.h"
#include "server/softgpu/device/graph.h"
#include "server/softgpu/device/host_call.h"
#include "server/softgpu/driver/driver.h"

using namespace outboard::softgpu;

extern "C" {

CUresult cuStreamCreateWithPriority(CUstream* handle, unsigned int flags, int priority) {
  return with_context([&](Context& context) -> CUresult {
    if (handle == nullptr || (flags & ~static_cast<unsigned>(CU_STREAM_NON_BLOCKING)) != 0)
      return CUDA_ERROR_INVALID_VALUE;
    const int clamped = std::clamp(priority, kGreatestPriority, kLeastPriority);
    *handle = to_handle<CUstream>(*context.create_stream(flags, clamped, thread_state().green()));
    return CUDA_SUCCESS;
  });
}

CUresult cuStreamCreate(CUstream* handle, unsigned int flags) {
  return cuStreamCreateWithPriority(handle, flags, 0);
}

CUresult cuStreamDestroy_v2(CUstream handle) {
  return with_platform([&](Platform& platform) -> CUresult {
    const auto stream = find<Stream>(platform, handle);
    if (stream == nullptr) return CUDA_ERROR_INVALID_HANDLE;
    if (stream->green() != nullptr && !stream->green()->attached()) return CUDA_ERROR_CONTEXT_IS_DESTROYED;
    platform.handles().remove<Stream>(stream->handle());
    if (const auto context = stream->context()) context->forget_stream(stream);
    return CUDA_SUCCESS;
  });
}
CUresult cuStreamDestroy(CUstream handle) { return cuStreamDestroy_v2(handle); }

CUresult cuStreamSynchronize(CUstream handle) {
  return with_stream(handle, [&](Context& context, const std::shared_ptr<Stream>& stream) -> CUresult {
    if (const CUresult forbidden = check_captures(context); forbidden != CUDA_SUCCESS) return forbidden;
    if (const CUresult implicit = context.check_implicit_capture(*stream); implicit != CUDA_SUCCESS)
      return implicit;
    if (const auto capture = stream->capture()) {
      capture->invalidate();
      return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
    }
    return context.synchronize(stream);
  });
}

CUresult cuStreamQuery(CUstream handle) {
  return with_stream(handle, [&](Context& context, const std::shared_ptr<Stream>& stream) -> CUresult {
    if (const CUresult forbidden = check_captures(context); forbidden != CUDA_SUCCESS) return forbidden;
    if (const CUresult implicit = context.check_implicit_capture(*stream); implicit != CUDA_SUCCESS)
      return implicit;
    if (const auto capture = stream->capture()) {
      capture->invalidate();
      return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
    }
    if (!stream->idle()) return CUDA_ERROR_NOT_READY;
    context.environment().flush_prints();
    return context.errors().code();
  });
}

CUresult cuStreamWaitEvent(CUstream handle, CUevent event_handle, unsigned int flags) {
  return with_stream(handle, [&](Context& context, const std::shared_ptr<Stream>& stream) -> CUresult {
    const auto event = find<Event>(context.platform(), event_handle);
    if (event == nullptr) return CUDA_ERROR_INVALID_HANDLE;
    if ((flags & ~static_cast<unsigned>(CU_EVENT_WAIT_EXTERNAL)) != 0) return CUDA_ERROR_INVALID_VALUE;
    if (flags == CU_EVENT_WAIT_EXTERNAL && stream->capturing())
      return context.submit(stream, EventWaitOperation{event});
    return context.wait_event(stream, event);
  });
}

CUresult cuStreamGetPriority(CUstream handle, int* priority) {
  return with_stream(handle, [&](Context&, const std::shared_ptr<Stream>& stream) -> CUresult {
    if (priority == nullptr) return CUDA_ERROR_INVALID_VALUE;
    *priority = stream->priority();
    return CUDA_SUCCESS;
  });
}

CUresult cuStreamGetFlags(CUstream handle, unsigned int* flags) {
  return with_stream(handle, [&](Context&, const std::shared_ptr<Stream>& stream) -> CUresult {
    if (flags == nullptr) return CUDA_ERROR_INVALID_VALUE;
    *flags = stream->flags();
    return CUDA_SUCCESS;
  });
}

CUresult cuStreamGetId(CUstream handle, unsigned long long* id) {
  return with_stream(handle, [&](Context&, const std::shared_ptr<Stream>& stream) -> CUresult {
    if (id == nullptr) return CUDA_ERROR_INVALID_VALUE;
    *id = stream->id();
    return CUDA_SUCCESS;
  });
}

CUresult cuStreamGetCtx(CUstream handle, CUcontext* context_handle) {
  return with_stream(handle, [&](Context& context, const std::shared_ptr<Stream>& stream) -> CUresult {
    if (context_handle == nullptr) return CUDA_ERROR_INVALID_VALUE;
    const auto& green = stream->green();
    *context_handle =
        green == nullptr ? to_handle<CUcontext>(context) : reinterpret_cast<CUcontext>(green->view());
    return CUDA_SUCCESS;
  });
}

CUresult cuStreamGetCtx_v2(CUstream handle, CUcontext* context_handle, CUgreenCtx* green_handle) {
  return with_stream(handle, [&](Context& context, const std::shared_ptr<Stream>& stream) -> CUresult {
    if (context_handle == nullptr || green_handle == nullptr) return CUDA_ERROR_INVALID_VALUE;
    const auto& green = stream->green();
    *context_handle = to_handle<CUcontext>(context);
    *green_handle = green == nullptr ? nullptr : to_handle<CUgreenCtx>(*green);
    return CUDA_SUCCESS;
  });
}

CUresult cuStreamGetDevice(CUstream handle, CUdevice* device) {
  return with_stream(handle, [&](Context& context, const std::shared_ptr<Stream>&) -> CUresult {
    if (device == nullptr) return CUDA_ERROR_INVALID_VALUE;
    *device = context.device().ordinal();
    return CUDA_SUCCESS;
  });
}

CUresult cuStreamCopyAttributes(CUstream to, CUstream from) {
  return with_stream(to, [&](Context& context, const std::shared_ptr<Stream>&) {
    return find_stream(context, from) == nullptr ? CUDA_ERROR_INVALID_HANDLE : CUDA_SUCCESS;
  });
}

CUresult cuStreamGetAttribute(CUstream handle, CUstreamAttrID attribute, CUstreamAttrValue* value) {
  return with_stream(handle, [&](Context&, const std::shared_ptr<Stream>& stream) -> CUresult {
    if (value == nullptr) return CUDA_ERROR_INVALID_VALUE;
    *value = {};
    switch (attribute) {
      case CU_LAUNCH_ATTRIBUTE_PRIORITY: value->priority = stream->priority(); return CUDA_SUCCESS;
      case CU_LAUNCH_ATTRIBUTE_SYNCHRONIZATION_POLICY:
        value->syncPolicy = CU_SYNC_POLICY_AUTO;
        return CUDA_SUCCESS;
      case CU_LAUNCH_ATTRIBUTE_ACCESS_POLICY_WINDOW:
      case CU_LAUNCH_ATTRIBUTE_MEM_SYNC_DOMAIN:
      case CU_LAUNCH_ATTRIBUTE_MEM_SYNC_DOMAIN_MAP: return CUDA_SUCCESS;
      default: return CUDA_ERROR_INVALID_VALUE;
    }
  });
}

// The attributes are hints about caches and waiting; there is nothing to hint at here.
CUresult cuStreamSetAttribute(CUstream handle, CUstreamAttrID attribute, const CUstreamAttrValue* value) {
  CUstreamAttrValue ignored{};
  return value == nullptr ? CUDA_ERROR_INVALID_VALUE : cuStreamGetAttribute(handle, attribute, &ignored);
}

CUresult cuLaunchHostFunc(CUstream handle, CUhostFn function, void* user_data) {
  return with_stream(handle, [&](Context& context, const std::shared_ptr<Stream>& stream) -> CUresult {
    if (function == nullptr) return CUDA_ERROR_INVALID_VALUE;
    return context.submit(stream, HostOperation{function, user_data});
  });
}

CUresult cuStreamAddCallback(CUstream handle, CUstreamCallback callback, void* user_data,
                             unsigned int flags) {
  return with_stream(handle, [&](Context& context, const std::shared_ptr<Stream>& stream) -> CUresult {
    if (callback == nullptr || flags != 0) return CUDA_ERROR_INVALID_VALUE;
    if (const auto capture = stream->capture()) {
      capture->invalidate();
      return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
    }
    // Unlike a host function it is told of the context's error, so it runs after one too.
    context.enqueue(stream,
                    make_work(
                        [owner = context.shared_from_this(), handle, callback, user_data](std::string&) {
                          owner->environment().flush_prints();
                          const HostCall call;
                          callback(handle, owner->errors().code(), user_data);
                          return CUDA_SUCCESS;
                        },
                        true));
    return CUDA_SUCCESS;
  });
}

}  // extern "C"
