// Primary contexts.
#include "server/softgpu/driver/driver.h"

using namespace outboard::softgpu;

extern "C" {

CUresult cuDevicePrimaryCtxRetain(CUcontext* context, CUdevice ordinal) {
  return with_platform([&](Platform& platform) -> CUresult {
    if (context == nullptr) return CUDA_ERROR_INVALID_VALUE;
    std::shared_ptr<Context> primary;
    const CUresult result = platform.retain_primary(ordinal, &primary);
    if (result == CUDA_SUCCESS) *context = to_handle<CUcontext>(*primary);
    return result;
  });
}

CUresult cuDevicePrimaryCtxRelease_v2(CUdevice ordinal) {
  return with_platform([&](Platform& platform) { return platform.release_primary(ordinal); });
}
CUresult cuDevicePrimaryCtxRelease(CUdevice ordinal) { return cuDevicePrimaryCtxRelease_v2(ordinal); }

CUresult cuDevicePrimaryCtxReset_v2(CUdevice ordinal) {
  return with_platform([&](Platform& platform) { return platform.reset_primary(ordinal); });
}
CUresult cuDevicePrimaryCtxReset(CUdevice ordinal) { return cuDevicePrimaryCtxReset_v2(ordinal); }

CUresult cuDevicePrimaryCtxSetFlags_v2(CUdevice ordinal, unsigned int flags) {
  return with_platform([&](Platform& platform) -> CUresult {
    DeviceEntry* entry = platform.entry(ordinal);
    if (entry == nullptr) return CUDA_ERROR_INVALID_DEVICE;
    if ((flags & ~static_cast<unsigned>(CU_CTX_FLAGS_MASK)) != 0) return CUDA_ERROR_INVALID_VALUE;
    entry->primary_flags = flags;
    entry->primary->set_flags(flags);
    return CUDA_SUCCESS;
  });
}
CUresult cuDevicePrimaryCtxSetFlags(CUdevice ordinal, unsigned int flags) {
  return cuDevicePrimaryCtxSetFlags_v2(ordinal, flags);
}

CUresult cuDevicePrimaryCtxGetState(CUdevice ordinal, unsigned int* flags, int* active) {
  return with_platform([&](Platform& platform) -> CUresult {
    DeviceEntry* entry = platform.entry(ordinal);
    if (entry == nullptr) return CUDA_ERROR_INVALID_DEVICE;
    if (flags != nullptr) *flags = entry->primary_flags;
    if (active != nullptr) *active = entry->primary->active() ? 1 : 0;
    return CUDA_SUCCESS;
  });
}

}  // extern "C"
