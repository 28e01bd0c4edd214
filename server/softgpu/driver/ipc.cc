// Memory and events that processes share.
#include <cstring>

#include "server/softgpu/device/interprocess.h"
#include "server/softgpu/driver/driver.h"

using namespace outboard::softgpu;

namespace {

template <typename Handle>
SharedName to_name(const Handle& handle) {
  SharedName name;
  std::memcpy(static_cast<void*>(&name), &handle, sizeof name);
  return name;
}

template <typename Handle>
void give_name(const SharedName& name, Handle* handle) {
  *handle = {};
  std::memcpy(handle, &name, sizeof name);
}

}  // namespace

extern "C" {

CUresult cuIpcGetMemHandle(CUipcMemHandle* handle, CUdeviceptr address) {
  return with_context([&](Context& context) -> CUresult {
    Platform& platform = context.platform();
    const auto found = platform.memory().find(address);
    if (handle == nullptr || !found || found->kind != MemoryKind::kDevice) return CUDA_ERROR_INVALID_VALUE;
    SharedName name;
    const CUresult result = platform.device(found->device)->share(*found, &name);
    if (result == CUDA_SUCCESS) give_name(name, handle);
    return result;
  });
}

CUresult cuIpcOpenMemHandle_v2(CUdeviceptr* address, CUipcMemHandle handle, unsigned int flags) {
  return with_context([&](Context& context) -> CUresult {
    if (address == nullptr || flags != CU_IPC_MEM_LAZY_ENABLE_PEER_ACCESS) return CUDA_ERROR_INVALID_VALUE;
    Platform& platform = context.platform();
    const SharedName name = to_name(handle);
    const Device* device = platform.device_at(name.device);
    if (device == nullptr) return CUDA_ERROR_INVALID_DEVICE;
    uint64_t at = 0;
    const CUresult result = platform.imported_memory().open(name, context.handle(), *device, 0, &at);
    if (result == CUDA_SUCCESS) *address = at;
    return result;
  });
}
CUresult cuIpcOpenMemHandle(CUdeviceptr* address, CUipcMemHandle handle, unsigned int flags) {
  return cuIpcOpenMemHandle_v2(address, handle, flags);
}

CUresult cuIpcCloseMemHandle(CUdeviceptr address) {
  return with_any_context([&](Context& context) -> CUresult {
    wait_for_work(context.platform());
    return context.platform().imported_memory().close(address);
  });
}

CUresult cuIpcGetEventHandle(CUipcEventHandle* handle, CUevent event_handle) {
  return with_context([&](Context& context) -> CUresult {
    const auto event = find<Event>(context.platform(), event_handle);
    if (event == nullptr) return CUDA_ERROR_INVALID_HANDLE;
    if (handle == nullptr || event->shared() == nullptr) return CUDA_ERROR_INVALID_VALUE;
    give_name(event->shared()->name(), handle);
    return CUDA_SUCCESS;
  });
}

CUresult cuIpcOpenEventHandle(CUevent* event_handle, CUipcEventHandle handle) {
  return with_context([&](Context& context) -> CUresult {
    if (event_handle == nullptr) return CUDA_ERROR_INVALID_VALUE;
    std::shared_ptr<SharedEvent> shared;
    if (const CUresult result = SharedEvent::open(to_name(handle), &shared); result != CUDA_SUCCESS)
      return result;
    constexpr unsigned kFlags = CU_EVENT_DISABLE_TIMING | CU_EVENT_INTERPROCESS;
    auto event = std::make_shared<Event>(kFlags, context.handle(), std::move(shared));
    *event_handle = reinterpret_cast<CUevent>(context.platform().handles().add(std::move(event)));
    return CUDA_SUCCESS;
  });
}

}  // extern "C"
