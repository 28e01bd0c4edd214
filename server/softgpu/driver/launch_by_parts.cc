// The launch by parts, as it was before CUDA 4.0.
#include "protocol/abi/launch_parts.h"
#include "server/softgpu/device/texture.h"
#include "server/softgpu/driver/driver.h"
#include "server/softgpu/driver/launch.h"

using namespace outboard::softgpu;
using outboard::abi::AssembledLaunch;
using outboard::abi::LaunchParts;

namespace {

template <typename F>
CUresult with_parts(CUfunction handle, F&& function) noexcept {
  return with_context([&](Context& context) -> CUresult {
    std::shared_ptr<Function> found;
    const CUresult result = resolve_function(context, handle, &found);
    return result == CUDA_SUCCESS ? function(context, found->parts()) : result;
  });
}

CUresult launch(CUfunction function, int width, int height, CUstream stream) noexcept {
  if (width <= 0 || height <= 0) return CUDA_ERROR_INVALID_VALUE;
  return with_parts(function, [&](Context&, const LaunchParts& parts) {
    return outboard::abi::launch_assembled(parts, [&](const AssembledLaunch& launch, void** extra) {
      return cuLaunchKernel(function, static_cast<unsigned>(width), static_cast<unsigned>(height), 1,
                            launch.block_x, launch.block_y, launch.block_z, launch.shared_bytes, stream,
                            nullptr, extra);
    });
  });
}

}  // namespace

extern "C" {

CUresult cuFuncSetBlockShape(CUfunction function, int x, int y, int z) {
  return with_parts(function, [&](Context&, LaunchParts& parts) { return parts.set_block(x, y, z); });
}

CUresult cuFuncSetSharedSize(CUfunction function, unsigned int bytes) {
  return with_parts(function, [&](Context&, LaunchParts& parts) { return parts.set_shared(bytes); });
}

CUresult cuParamSetSize(CUfunction function, unsigned int bytes) {
  return with_parts(function, [&](Context&, LaunchParts& parts) { return parts.set_parameter_bytes(bytes); });
}

CUresult cuParamSetv(CUfunction function, int offset, void* value, unsigned int bytes) {
  return with_parts(function,
                    [&](Context&, LaunchParts& parts) { return parts.set_parameter(offset, value, bytes); });
}
CUresult cuParamSeti(CUfunction function, int offset, unsigned int value) {
  return cuParamSetv(function, offset, &value, sizeof value);
}
CUresult cuParamSetf(CUfunction function, int offset, float value) {
  return cuParamSetv(function, offset, &value, sizeof value);
}

// References belong to their module; the call has had nothing left to do since CUDA 3.0.
CUresult cuParamSetTexRef(CUfunction function, int unit, CUtexref reference) {
  return with_parts(function, [&](Context& context, LaunchParts&) -> CUresult {
    if (unit != CU_PARAM_TR_DEFAULT) return CUDA_ERROR_INVALID_VALUE;
    return find<TextureReference>(context.platform(), reference) == nullptr ? CUDA_ERROR_INVALID_HANDLE
                                                                            : CUDA_SUCCESS;
  });
}

CUresult cuLaunch(CUfunction function) { return launch(function, 1, 1, nullptr); }
CUresult cuLaunchGrid(CUfunction function, int width, int height) {
  return launch(function, width, height, nullptr);
}
CUresult cuLaunchGridAsync(CUfunction function, int width, int height, CUstream stream) {
  return launch(function, width, height, stream);
}

}  // extern "C"
