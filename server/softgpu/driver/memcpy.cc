// Copies. The _ptds variants differ only in what stream 0 means.
#include "server/softgpu/driver/copy.h"
#include "server/softgpu/driver/driver.h"

using namespace outboard::softgpu;

namespace {

const CopyOrder kLegacy{nullptr, CU_STREAM_LEGACY, true};
const CopyOrder kPerThread{nullptr, CU_STREAM_PER_THREAD, true};
CopyOrder queued(CUstream stream) { return {stream, CU_STREAM_LEGACY, false}; }

uint64_t host(const void* pointer) { return reinterpret_cast<uint64_t>(pointer); }

// Addresses say on which device memory lies; the contexts must exist and add nothing.
CUresult copy_between(CUdeviceptr to, CUcontext to_context, CUdeviceptr from, CUcontext from_context,
                      size_t bytes, const CopyOrder& order) {
  return with_context([&](Context& current) -> CUresult {
    const bool known = find<Context>(current.platform(), to_context) != nullptr &&
                       find<Context>(current.platform(), from_context) != nullptr;
    if (!known) return CUDA_ERROR_INVALID_CONTEXT;
    return copy_linear(to, Side::kDevice, from, Side::kDevice, bytes, order);
  });
}

CUresult peer_box(const CUDA_MEMCPY3D_PEER* peer, const CopyOrder& order) {
  if (peer == nullptr) return CUDA_ERROR_INVALID_VALUE;
  CUDA_MEMCPY3D box{};
  box.srcXInBytes = peer->srcXInBytes;
  box.srcY = peer->srcY;
  box.srcZ = peer->srcZ;
  box.srcMemoryType = peer->srcMemoryType;
  box.srcHost = peer->srcHost;
  box.srcDevice = peer->srcDevice;
  box.srcArray = peer->srcArray;
  box.srcPitch = peer->srcPitch;
  box.srcHeight = peer->srcHeight;
  box.dstXInBytes = peer->dstXInBytes;
  box.dstY = peer->dstY;
  box.dstZ = peer->dstZ;
  box.dstMemoryType = peer->dstMemoryType;
  box.dstHost = peer->dstHost;
  box.dstDevice = peer->dstDevice;
  box.dstArray = peer->dstArray;
  box.dstPitch = peer->dstPitch;
  box.dstHeight = peer->dstHeight;
  box.WidthInBytes = peer->WidthInBytes;
  box.Height = peer->Height;
  box.Depth = peer->Depth;
  return copy_box(box, order);
}

}  // namespace

extern "C" {

CUresult cuMemcpy(CUdeviceptr to, CUdeviceptr from, size_t bytes) {
  return copy_linear(to, Side::kAny, from, Side::kAny, bytes, kLegacy);
}
CUresult cuMemcpy_ptds(CUdeviceptr to, CUdeviceptr from, size_t bytes) {
  return copy_linear(to, Side::kAny, from, Side::kAny, bytes, kPerThread);
}
CUresult cuMemcpyAsync(CUdeviceptr to, CUdeviceptr from, size_t bytes, CUstream stream) {
  return copy_linear(to, Side::kAny, from, Side::kAny, bytes, queued(stream));
}

CUresult cuMemcpyHtoD_v2(CUdeviceptr to, const void* from, size_t bytes) {
  return copy_linear(to, Side::kDevice, host(from), Side::kHost, bytes, kLegacy);
}
CUresult cuMemcpyHtoD_v2_ptds(CUdeviceptr to, const void* from, size_t bytes) {
  return copy_linear(to, Side::kDevice, host(from), Side::kHost, bytes, kPerThread);
}
CUresult cuMemcpyHtoDAsync_v2(CUdeviceptr to, const void* from, size_t bytes, CUstream stream) {
  return copy_linear(to, Side::kDevice, host(from), Side::kHost, bytes, queued(stream));
}

CUresult cuMemcpyDtoH_v2(void* to, CUdeviceptr from, size_t bytes) {
  return copy_linear(host(to), Side::kHost, from, Side::kDevice, bytes, kLegacy);
}
CUresult cuMemcpyDtoH_v2_ptds(void* to, CUdeviceptr from, size_t bytes) {
  return copy_linear(host(to), Side::kHost, from, Side::kDevice, bytes, kPerThread);
}
CUresult cuMemcpyDtoHAsync_v2(void* to, CUdeviceptr from, size_t bytes, CUstream stream) {
  return copy_linear(host(to), Side::kHost, from, Side::kDevice, bytes, queued(stream));
}

CUresult cuMemcpyDtoD_v2(CUdeviceptr to, CUdeviceptr from, size_t bytes) {
  return copy_linear(to, Side::kDevice, from, Side::kDevice, bytes, kLegacy);
}
CUresult cuMemcpyDtoD_v2_ptds(CUdeviceptr to, CUdeviceptr from, size_t bytes) {
  return copy_linear(to, Side::kDevice, from, Side::kDevice, bytes, kPerThread);
}
CUresult cuMemcpyDtoDAsync_v2(CUdeviceptr to, CUdeviceptr from, size_t bytes, CUstream stream) {
  return copy_linear(to, Side::kDevice, from, Side::kDevice, bytes, queued(stream));
}

CUresult cuMemcpyPeer(CUdeviceptr to, CUcontext to_context, CUdeviceptr from, CUcontext from_context,
                      size_t bytes) {
  return copy_between(to, to_context, from, from_context, bytes, kLegacy);
}
CUresult cuMemcpyPeer_ptds(CUdeviceptr to, CUcontext to_context, CUdeviceptr from, CUcontext from_context,
                           size_t bytes) {
  return copy_between(to, to_context, from, from_context, bytes, kPerThread);
}
CUresult cuMemcpyPeerAsync(CUdeviceptr to, CUcontext to_context, CUdeviceptr from, CUcontext from_context,
                           size_t bytes, CUstream stream) {
  return copy_between(to, to_context, from, from_context, bytes, queued(stream));
}

CUresult cuMemcpy2D_v2(const CUDA_MEMCPY2D* copy) {
  return copy == nullptr ? CUDA_ERROR_INVALID_VALUE : copy_rectangle(*copy, kLegacy);
}
CUresult cuMemcpy2D_v2_ptds(const CUDA_MEMCPY2D* copy) {
  return copy == nullptr ? CUDA_ERROR_INVALID_VALUE : copy_rectangle(*copy, kPerThread);
}
CUresult cuMemcpy2DUnaligned_v2(const CUDA_MEMCPY2D* copy) { return cuMemcpy2D_v2(copy); }
CUresult cuMemcpy2DUnaligned_v2_ptds(const CUDA_MEMCPY2D* copy) { return cuMemcpy2D_v2_ptds(copy); }
CUresult cuMemcpy2DAsync_v2(const CUDA_MEMCPY2D* copy, CUstream stream) {
  return copy == nullptr ? CUDA_ERROR_INVALID_VALUE : copy_rectangle(*copy, queued(stream));
}

CUresult cuMemcpy3D_v2(const CUDA_MEMCPY3D* copy) {
  return copy == nullptr ? CUDA_ERROR_INVALID_VALUE : copy_box(*copy, kLegacy);
}
CUresult cuMemcpy3D_v2_ptds(const CUDA_MEMCPY3D* copy) {
  return copy == nullptr ? CUDA_ERROR_INVALID_VALUE : copy_box(*copy, kPerThread);
}
CUresult cuMemcpy3DAsync_v2(const CUDA_MEMCPY3D* copy, CUstream stream) {
  return copy == nullptr ? CUDA_ERROR_INVALID_VALUE : copy_box(*copy, queued(stream));
}
CUresult cuMemcpy3DPeer(const CUDA_MEMCPY3D_PEER* copy) { return peer_box(copy, kLegacy); }
CUresult cuMemcpy3DPeer_ptds(const CUDA_MEMCPY3D_PEER* copy) { return peer_box(copy, kPerThread); }
CUresult cuMemcpy3DPeerAsync(const CUDA_MEMCPY3D_PEER* copy, CUstream stream) {
  return peer_box(copy, queued(stream));
}

}  // extern "C"
