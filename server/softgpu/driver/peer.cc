// Access between devices. All of them are memory of this process, so everything is possible; what was
// not enabled is still refused, as on real devices.
#include "server/softgpu/driver/driver.h"

using namespace outboard::softgpu;

extern "C" {

CUresult cuDeviceCanAccessPeer(int* can, CUdevice device, CUdevice peer) {
  return with_platform([&](Platform& platform) -> CUresult {
    if (can == nullptr) return CUDA_ERROR_INVALID_VALUE;
    if (platform.device(device) == nullptr || platform.device(peer) == nullptr)
      return CUDA_ERROR_INVALID_DEVICE;
    *can = device != peer ? 1 : 0;
    return CUDA_SUCCESS;
  });
}

CUresult cuDeviceGetP2PAttribute(int* value, CUdevice_P2PAttribute attribute, CUdevice device,
                                 CUdevice peer) {
  return with_platform([&](Platform& platform) -> CUresult {
    if (value == nullptr) return CUDA_ERROR_INVALID_VALUE;
    if (platform.device(device) == nullptr || platform.device(peer) == nullptr || device == peer)
      return CUDA_ERROR_INVALID_DEVICE;
    switch (attribute) {
      case CU_DEVICE_P2P_ATTRIBUTE_PERFORMANCE_RANK: *value = 0; return CUDA_SUCCESS;
      case CU_DEVICE_P2P_ATTRIBUTE_ACCESS_SUPPORTED:
      case CU_DEVICE_P2P_ATTRIBUTE_NATIVE_ATOMIC_SUPPORTED:
      case CU_DEVICE_P2P_ATTRIBUTE_CUDA_ARRAY_ACCESS_SUPPORTED: *value = 1; return CUDA_SUCCESS;
      default: *value = 0; return CUDA_SUCCESS;
    }
  });
}

CUresult cuCtxEnablePeerAccess(CUcontext handle, unsigned int flags) {
  return with_context([&](Context& context) -> CUresult {
    const auto peer = find<Context>(context.platform(), handle);
    if (peer == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
    const int device = peer->device().ordinal();
    if (flags != 0) return CUDA_ERROR_INVALID_VALUE;
    if (device == context.device().ordinal()) return CUDA_ERROR_INVALID_DEVICE;
    if (context.peer_enabled(device)) return CUDA_ERROR_PEER_ACCESS_ALREADY_ENABLED;
    context.set_peer(device, true);
    return CUDA_SUCCESS;
  });
}

CUresult cuCtxDisablePeerAccess(CUcontext handle) {
  return with_context([&](Context& context) -> CUresult {
    const auto peer = find<Context>(context.platform(), handle);
    if (peer == nullptr) return CUDA_ERROR_INVALID_CONTEXT;
    if (!context.peer_enabled(peer->device().ordinal())) return CUDA_ERROR_PEER_ACCESS_NOT_ENABLED;
    context.set_peer(peer->device().ordinal(), false);
    return CUDA_SUCCESS;
  });
}

}  // extern "C"
