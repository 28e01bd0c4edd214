// Contexts and each thread's stack of them.
#include "server/softgpu/device/environment.h"
#include "server/softgpu/driver/driver.h"

using namespace outboard::softgpu;

namespace {

constexpr unsigned kContextApiVersion = 13000;

// The named context, or the current one for null.
template <typename F>
CUresult with_context_argument(CUcontext handle, F&& function) noexcept {
  if (handle == nullptr) return with_any_context(function);
  return with_platform([&](Platform& platform) -> CUresult {
    const auto context = find<Context>(platform, handle);
    if (context == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
    return function(*context);
  });
}

CUresult create_context(CUcontext* context, unsigned flags, CUdevice ordinal) {
  return with_platform([&](Platform& platform) -> CUresult {
    Device* device = platform.device(ordinal);
    if (context == nullptr) return CUDA_ERROR_INVALID_VALUE;
    if (device == nullptr) return CUDA_ERROR_INVALID_DEVICE;
    auto made = Context::create(platform, *device, flags, false);
    made->open();
    *context = to_handle<CUcontext>(*made);
    thread_state().stack.push_back({std::move(made), nullptr});
    return CUDA_SUCCESS;
  });
}

}  // namespace

extern "C" {

CUresult cuCtxCreate_v2(CUcontext* context, unsigned int flags, CUdevice device) {
  return create_context(context, flags, device);
}
CUresult cuCtxCreate(CUcontext* context, unsigned int flags, CUdevice device) {
  return create_context(context, flags, device);
}

CUresult cuCtxCreate_v3(CUcontext* context, CUexecAffinityParam*, int affinities, unsigned int flags,
                        CUdevice device) {
  return affinities != 0 ? CUDA_ERROR_UNSUPPORTED_EXEC_AFFINITY : create_context(context, flags, device);
}

CUresult cuCtxCreate_v4(CUcontext* context, CUctxCreateParams* params, unsigned int flags, CUdevice device) {
  if (params != nullptr && params->numExecAffinityParams != 0) return CUDA_ERROR_UNSUPPORTED_EXEC_AFFINITY;
  if (params != nullptr && params->cigParams != nullptr) return CUDA_ERROR_NOT_SUPPORTED;
  return create_context(context, flags, device);
}

CUresult cuCtxDestroy_v2(CUcontext handle) {
  return with_platform([&](Platform& platform) -> CUresult {
    const auto context = find<Context>(platform, handle);
    if (context == nullptr || context->primary()) return CUDA_ERROR_INVALID_CONTEXT;
    auto& stack = thread_state().stack;
    if (!stack.empty() && stack.back().context == context) stack.pop_back();
    context->close();
    platform.handles().remove<Context>(context->handle());
    return CUDA_SUCCESS;
  });
}
CUresult cuCtxDestroy(CUcontext handle) { return cuCtxDestroy_v2(handle); }

// Contexts of the old interface have one user.
CUresult cuCtxAttach(CUcontext* handle, unsigned int flags) {
  if (flags != 0) return CUDA_ERROR_INVALID_VALUE;
  return cuCtxGetCurrent(handle);
}
CUresult cuCtxDetach(CUcontext handle) {
  return with_platform([&](Platform& platform) {
    return find<Context>(platform, handle) == nullptr ? CUDA_ERROR_INVALID_CONTEXT : CUDA_SUCCESS;
  });
}

CUresult cuCtxPushCurrent_v2(CUcontext handle) {
  return with_platform([&](Platform& platform) -> CUresult {
    CurrentContext found = find_context(platform, handle);
    if (found.context == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
    thread_state().stack.push_back(std::move(found));
    return CUDA_SUCCESS;
  });
}
CUresult cuCtxPushCurrent(CUcontext handle) { return cuCtxPushCurrent_v2(handle); }

CUresult cuCtxPopCurrent_v2(CUcontext* handle) {
  return with_platform([&](Platform&) -> CUresult {
    auto& stack = thread_state().stack;
    if (stack.empty() || stack.back().context == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
    if (handle != nullptr) *handle = reinterpret_cast<CUcontext>(stack.back().handle());
    stack.pop_back();
    return CUDA_SUCCESS;
  });
}
CUresult cuCtxPopCurrent(CUcontext* handle) { return cuCtxPopCurrent_v2(handle); }

CUresult cuCtxSetCurrent(CUcontext handle) {
  return with_platform([&](Platform& platform) -> CUresult {
    auto& stack = thread_state().stack;
    if (handle == nullptr) {
      if (!stack.empty()) stack.pop_back();
      return CUDA_SUCCESS;
    }
    CurrentContext found = find_context(platform, handle);
    if (found.context == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
    if (stack.empty()) stack.emplace_back();
    stack.back() = std::move(found);
    return CUDA_SUCCESS;
  });
}

CUresult cuCtxGetCurrent(CUcontext* handle) {
  return with_platform([&](Platform&) -> CUresult {
    if (handle == nullptr) return CUDA_ERROR_INVALID_VALUE;
    const ThreadState* state = existing_thread_state();
    const bool none = state == nullptr || state->current() == nullptr;
    *handle = none ? nullptr : reinterpret_cast<CUcontext>(state->stack.back().handle());
    return CUDA_SUCCESS;
  });
}

CUresult cuCtxGetDevice_v2(CUdevice* device, CUcontext handle) {
  if (device == nullptr) return CUDA_ERROR_INVALID_VALUE;
  const auto give = [&](Context& context) {
    *device = context.device().ordinal();
    return CUDA_SUCCESS;
  };
  if (handle != nullptr) return with_context_argument(handle, give);
  return with_platform([&](Platform&) -> CUresult {
    const ThreadState* state = existing_thread_state();
    if (state == nullptr || state->current() == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
    return give(*state->current());
  });
}
CUresult cuCtxGetDevice(CUdevice* device) { return cuCtxGetDevice_v2(device, nullptr); }

CUresult cuCtxGetFlags(unsigned int* flags) {
  return with_any_context([&](Context& context) -> CUresult {
    if (flags == nullptr) return CUDA_ERROR_INVALID_VALUE;
    *flags = context.flags();
    return CUDA_SUCCESS;
  });
}

CUresult cuCtxSetFlags(unsigned int flags) {
  return with_any_context([&](Context& context) -> CUresult {
    if ((flags & ~static_cast<unsigned>(CU_CTX_FLAGS_MASK)) != 0) return CUDA_ERROR_INVALID_VALUE;
    context.set_flags(flags);
    return CUDA_SUCCESS;
  });
}

CUresult cuCtxGetId(CUcontext handle, unsigned long long* id) {
  if (id == nullptr) return CUDA_ERROR_INVALID_VALUE;
  return with_context_argument(handle, [&](Context& context) {
    *id = context.id();
    return CUDA_SUCCESS;
  });
}

CUresult cuCtxGetApiVersion(CUcontext handle, unsigned int* version) {
  if (version == nullptr) return CUDA_ERROR_INVALID_VALUE;
  return with_context_argument(handle, [&](Context&) {
    *version = kContextApiVersion;
    return CUDA_SUCCESS;
  });
}

CUresult cuCtxSynchronize_v2(CUcontext handle) {
  return with_context_argument(handle, [](Context& context) {
    const CUresult forbidden = check_captures(context);
    return forbidden == CUDA_SUCCESS ? context.synchronize() : forbidden;
  });
}
CUresult cuCtxSynchronize() { return cuCtxSynchronize_v2(nullptr); }

CUresult cuCtxGetLimit(size_t* value, CUlimit limit) {
  return with_any_context([&](Context& context) {
    return value == nullptr ? CUDA_ERROR_INVALID_VALUE : context.get_limit(limit, value);
  });
}

CUresult cuCtxSetLimit(CUlimit limit, size_t value) {
  return with_any_context([&](Context& context) { return context.set_limit(limit, value); });
}

CUresult cuCtxGetCacheConfig(CUfunc_cache* config) {
  return with_any_context([&](Context& context) -> CUresult {
    if (config == nullptr) return CUDA_ERROR_INVALID_VALUE;
    *config = static_cast<CUfunc_cache>(context.cache_config.load());
    return CUDA_SUCCESS;
  });
}

CUresult cuCtxSetCacheConfig(CUfunc_cache config) {
  return with_any_context([&](Context& context) -> CUresult {
    if (config < CU_FUNC_CACHE_PREFER_NONE || config > CU_FUNC_CACHE_PREFER_EQUAL)
      return CUDA_ERROR_INVALID_VALUE;
    context.cache_config.store(config);
    return CUDA_SUCCESS;
  });
}

CUresult cuCtxGetSharedMemConfig(CUsharedconfig* config) {
  return with_any_context([&](Context& context) -> CUresult {
    if (config == nullptr) return CUDA_ERROR_INVALID_VALUE;
    *config = static_cast<CUsharedconfig>(context.shared_config.load());
    return CUDA_SUCCESS;
  });
}

CUresult cuCtxSetSharedMemConfig(CUsharedconfig config) {
  return with_any_context([&](Context& context) -> CUresult {
    context.shared_config.store(config);
    return CUDA_SUCCESS;
  });
}

CUresult cuCtxGetStreamPriorityRange(int* least, int* greatest) {
  return with_any_context([&](Context&) {
    if (least != nullptr) *least = kLeastPriority;
    if (greatest != nullptr) *greatest = kGreatestPriority;
    return CUDA_SUCCESS;
  });
}

CUresult cuCtxResetPersistingL2Cache() {
  return with_any_context([](Context&) { return CUDA_SUCCESS; });
}

CUresult cuCtxGetExecAffinity(CUexecAffinityParam*, CUexecAffinityType) {
  return CUDA_ERROR_UNSUPPORTED_EXEC_AFFINITY;
}

CUresult cuThreadExchangeStreamCaptureMode(CUstreamCaptureMode* mode) {
  return guarded([&]() -> CUresult {
    if (mode == nullptr || *mode < CU_STREAM_CAPTURE_MODE_GLOBAL || *mode > CU_STREAM_CAPTURE_MODE_RELAXED) {
      return CUDA_ERROR_INVALID_VALUE;
    }
    std::swap(thread_state().capture_mode, *mode);
    return CUDA_SUCCESS;
  });
}

}  // extern "C"
