// Callbacks for news of devices. The one kind of news that CUDA has, a program over its budget of
// device memory, cannot happen here: an allocation beyond the device fails.
#include <mutex>
#include <set>

#include "server/softgpu/driver/driver.h"

using namespace outboard::softgpu;

namespace {

struct Listeners {
  std::mutex mutex;
  uintptr_t next = 1;
  std::set<std::pair<CUdevice, uintptr_t>> all;
};

// Never destroyed: see Driver.
Listeners& listeners() {
  static auto* const all = new Listeners;
  return *all;
}

}  // namespace

extern "C" {

CUresult cuDeviceRegisterAsyncNotification(CUdevice ordinal, CUasyncCallback function, void*,
                                           CUasyncCallbackHandle* handle) {
  return with_platform([&](Platform& platform) -> CUresult {
    if (function == nullptr || handle == nullptr) return CUDA_ERROR_INVALID_VALUE;
    if (platform.device(ordinal) == nullptr) return CUDA_ERROR_INVALID_DEVICE;
    std::lock_guard lock(listeners().mutex);
    const uintptr_t number = listeners().next++;
    listeners().all.emplace(ordinal, number);
    *handle = reinterpret_cast<CUasyncCallbackHandle>(number);
    return CUDA_SUCCESS;
  });
}

CUresult cuDeviceUnregisterAsyncNotification(CUdevice ordinal, CUasyncCallbackHandle handle) {
  return with_platform([&](Platform& platform) -> CUresult {
    if (platform.device(ordinal) == nullptr) return CUDA_ERROR_INVALID_DEVICE;
    std::lock_guard lock(listeners().mutex);
    const bool known = listeners().all.erase({ordinal, reinterpret_cast<uintptr_t>(handle)}) != 0;
    return known ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE;
  });
}

}  // extern "C"
