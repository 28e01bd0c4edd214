// Green contexts: parts of a device.
#include "server/softgpu/device/green_context.h"

#include <algorithm>

#include "server/softgpu/device/graph.h"
#include "server/softgpu/driver/driver.h"

using namespace outboard::softgpu;

namespace {

template <typename F>
CUresult with_green(CUgreenCtx handle, F&& function) noexcept {
  return with_platform([&](Platform& platform) -> CUresult {
    const auto green = find<GreenContext>(platform, handle);
    return green == nullptr ? CUDA_ERROR_INVALID_CONTEXT : function(platform, green);
  });
}

CUresult give(const MultiprocessorSet& set, CUdevResource* resource, CUdevResourceType type) {
  if (resource == nullptr) return CUDA_ERROR_INVALID_VALUE;
  if (type != CU_DEV_RESOURCE_TYPE_SM) return CUDA_ERROR_INVALID_RESOURCE_TYPE;
  *resource = set.resource();
  return CUDA_SUCCESS;
}

// Work of a green context's streams can be waited for, or made to wait, if none of them is captured.
CUresult check_streams(Platform& platform, const GreenContext& green) {
  CUresult result = CUDA_SUCCESS;
  for (const auto& stream : platform.handles().all<Stream>()) {
    if (stream->green().get() != &green) continue;
    if (const auto capture = stream->capture()) {
      capture->invalidate();
      result = CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
    }
  }
  return result;
}

}  // namespace

extern "C" {

CUresult cuDeviceGetDevResource(CUdevice ordinal, CUdevResource* resource, CUdevResourceType type) {
  return with_platform([&](Platform& platform) -> CUresult {
    const Device* device = platform.device(ordinal);
    if (device == nullptr) return CUDA_ERROR_INVALID_DEVICE;
    return give(MultiprocessorSet::whole(*device), resource, type);
  });
}

CUresult cuCtxGetDevResource(CUcontext handle, CUdevResource* resource, CUdevResourceType type) {
  return with_platform([&](Platform& platform) -> CUresult {
    const CurrentContext found = find_context(platform, handle);
    if (found.context == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
    return give(found.green != nullptr ? found.green->multiprocessors()
                                       : MultiprocessorSet::whole(found.context->device()),
                resource, type);
  });
}

CUresult cuGreenCtxGetDevResource(CUgreenCtx handle, CUdevResource* resource, CUdevResourceType type) {
  return with_green(handle, [&](Platform&, const std::shared_ptr<GreenContext>& green) {
    return give(green->multiprocessors(), resource, type);
  });
}

CUresult cuDevSmResourceSplitByCount(CUdevResource* result, unsigned int* groups, const CUdevResource* input,
                                     CUdevResource* remaining, unsigned int flags, unsigned int least) {
  return with_platform([&](Platform& platform) -> CUresult {
    constexpr unsigned kKnown =
        CU_DEV_SM_RESOURCE_SPLIT_IGNORE_SM_COSCHEDULING | CU_DEV_SM_RESOURCE_SPLIT_MAX_POTENTIAL_CLUSTER_SIZE;
    if (groups == nullptr || input == nullptr || (flags & ~kKnown) != 0) return CUDA_ERROR_INVALID_VALUE;
    if (input->type != CU_DEV_RESOURCE_TYPE_SM) return CUDA_ERROR_INVALID_RESOURCE_TYPE;
    MultiprocessorSet set;
    // What a split has made is split again only as the resources of a green context.
    if (!MultiprocessorSet::read(*input, &set) || set.split != 0)
      return CUDA_ERROR_INVALID_RESOURCE_CONFIGURATION;
    const size_t size = std::max(least, 1u), most = set.members.count() / size;
    if (least > set.members.count()) return CUDA_ERROR_INVALID_VALUE;
    if (result == nullptr) {
      *groups = static_cast<unsigned>(most);
      return CUDA_SUCCESS;
    }
    *groups = static_cast<unsigned>(std::min<size_t>(*groups, most));
    set.split = platform.next_id();
    for (unsigned i = 0; i < *groups; ++i) result[i] = set.take(size, set.split).resource();
    if (remaining != nullptr) *remaining = set.resource();
    return CUDA_SUCCESS;
  });
}

CUresult cuDevResourceGenerateDesc(CUdevResourceDesc* handle, CUdevResource* resources, unsigned int count) {
  return with_platform([&](Platform& platform) -> CUresult {
    if (handle == nullptr || resources == nullptr || count == 0) return CUDA_ERROR_INVALID_VALUE;
    MultiprocessorSet all;
    for (unsigned i = 0; i < count; ++i) {
      if (resources[i].type != CU_DEV_RESOURCE_TYPE_SM) return CUDA_ERROR_INVALID_RESOURCE_TYPE;
      MultiprocessorSet one;
      if (!MultiprocessorSet::read(resources[i], &one)) return CUDA_ERROR_INVALID_RESOURCE_CONFIGURATION;
      if (i == 0) {
        all = one;
        continue;
      }
      const bool fits = one.device == all.device && one.split == all.split && one.split != 0 &&
                        (one.members & all.members).none();
      if (!fits) return CUDA_ERROR_INVALID_RESOURCE_CONFIGURATION;
      all.members |= one.members;
    }
    all.split = 0;  // may be split again where it is used
    auto description = std::make_shared<ResourceDescription>(all);
    *handle = reinterpret_cast<CUdevResourceDesc>(platform.handles().add(std::move(description)));
    return CUDA_SUCCESS;
  });
}

CUresult cuGreenCtxCreate(CUgreenCtx* handle, CUdevResourceDesc description_handle, CUdevice ordinal,
                          unsigned int flags) {
  return with_platform([&](Platform& platform) -> CUresult {
    if (handle == nullptr || flags != CU_GREEN_CTX_DEFAULT_STREAM) return CUDA_ERROR_INVALID_VALUE;
    if (platform.device(ordinal) == nullptr) return CUDA_ERROR_INVALID_DEVICE;
    const auto description = find<ResourceDescription>(platform, description_handle);
    if (description == nullptr || description->multiprocessors.device != ordinal)
      return CUDA_ERROR_INVALID_VALUE;
    std::shared_ptr<Context> primary;
    if (const CUresult result = platform.retain_primary(ordinal, &primary); result != CUDA_SUCCESS)
      return result;
    *handle = to_handle<CUgreenCtx>(*GreenContext::create(std::move(primary), description->multiprocessors));
    return CUDA_SUCCESS;
  });
}

CUresult cuGreenCtxDestroy(CUgreenCtx handle) {
  return with_green(handle, [&](Platform& platform, const std::shared_ptr<GreenContext>& green) {
    (void)check_streams(platform, *green);
    green->primary()->remove_green(green);
    return platform.release_primary(green->primary()->device().ordinal());
  });
}

CUresult cuCtxFromGreenCtx(CUcontext* context, CUgreenCtx handle) {
  return with_green(handle, [&](Platform&, const std::shared_ptr<GreenContext>& green) -> CUresult {
    if (context == nullptr) return CUDA_ERROR_INVALID_VALUE;
    *context = reinterpret_cast<CUcontext>(green->view());
    return CUDA_SUCCESS;
  });
}

CUresult cuGreenCtxStreamCreate(CUstream* stream, CUgreenCtx handle, unsigned int flags, int priority) {
  return with_green(handle, [&](Platform&, const std::shared_ptr<GreenContext>& green) -> CUresult {
    if (stream == nullptr || flags != CU_STREAM_NON_BLOCKING) return CUDA_ERROR_INVALID_VALUE;
    const int clamped = std::clamp(priority, kGreatestPriority, kLeastPriority);
    *stream = to_handle<CUstream>(*green->primary()->create_stream(flags, clamped, green));
    return CUDA_SUCCESS;
  });
}

CUresult cuStreamGetGreenCtx(CUstream handle, CUgreenCtx* green_handle) {
  return with_stream(handle, [&](Context&, const std::shared_ptr<Stream>& stream) -> CUresult {
    if (green_handle == nullptr) return CUDA_ERROR_INVALID_VALUE;
    *green_handle = stream->green() == nullptr ? nullptr : to_handle<CUgreenCtx>(*stream->green());
    return CUDA_SUCCESS;
  });
}

CUresult cuGreenCtxGetId(CUgreenCtx handle, unsigned long long* id) {
  if (id == nullptr) return CUDA_ERROR_INVALID_VALUE;
  const auto give_id = [&](Platform&, const std::shared_ptr<GreenContext>& green) -> CUresult {
    *id = green->id();
    return CUDA_SUCCESS;
  };
  if (handle != nullptr) return with_green(handle, give_id);
  return with_any_context([&](Context& context) -> CUresult {
    const auto green = thread_state().green();
    return green == nullptr ? CUDA_ERROR_INVALID_CONTEXT : give_id(context.platform(), green);
  });
}

CUresult cuGreenCtxRecordEvent(CUgreenCtx handle, CUevent event_handle) {
  return with_green(handle, [&](Platform& platform, const std::shared_ptr<GreenContext>& green) -> CUresult {
    const auto event = find<Event>(platform, event_handle);
    Context& primary = *green->primary();
    if (event == nullptr || event->context() != primary.handle()) return CUDA_ERROR_INVALID_HANDLE;
    if (const CUresult captured = check_streams(platform, *green); captured != CUDA_SUCCESS) return captured;
    // The default stream waits for the others, and then reaches the event.
    const auto stream = green->null_stream();
    if (stream == nullptr) return CUDA_ERROR_CONTEXT_IS_DESTROYED;
    primary.enqueue(stream, make_work([](std::string&) { return CUDA_SUCCESS; }, true),
                    primary.tails_of(*green));
    return primary.record_event(event, stream);
  });
}

CUresult cuGreenCtxWaitEvent(CUgreenCtx handle, CUevent event_handle) {
  return with_green(handle, [&](Platform& platform, const std::shared_ptr<GreenContext>& green) -> CUresult {
    const auto event = find<Event>(platform, event_handle);
    if (event == nullptr) return CUDA_ERROR_INVALID_HANDLE;
    if (const auto captured = event->captured(); captured.capture != nullptr) {
      captured.capture->invalidate();
      return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
    }
    if (const CUresult captured = check_streams(platform, *green); captured != CUDA_SUCCESS) return captured;
    Context& primary = *green->primary();
    const auto null_stream = green->null_stream();
    if (null_stream == nullptr) return CUDA_ERROR_CONTEXT_IS_DESTROYED;
    CUresult result = primary.wait_event(null_stream, event);
    for (const auto& stream : platform.handles().all<Stream>()) {
      if (result == CUDA_SUCCESS && stream->green() == green) result = primary.wait_event(stream, event);
    }
    return result;
  });
}

}  // extern "C"
