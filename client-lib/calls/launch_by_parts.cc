// The launch by parts, as it was before CUDA 4.0: collected here, sent as cuLaunchKernel.
#include "client-lib/calls/calls_gen.h"
#include "client-lib/calls/handles.h"
#include "client-lib/session/client.h"
#include "protocol/abi/launch_parts.h"

namespace outboard::client::calls {
namespace {

CUresult with_parts(Client& client, CUfunction function, auto&& body) {
  ContextInfo* context = nullptr;
  if (const CUresult result = client.require_context(&context); result != CUDA_SUCCESS) return result;
  FunctionInfo* info = find_function(client, function);
  return info == nullptr ? CUDA_ERROR_INVALID_HANDLE : body(info->parts);
}

CUresult launch(Client& client, CUfunction function, int width, int height, CUstream stream) {
  if (width <= 0 || height <= 0) return CUDA_ERROR_INVALID_VALUE;
  return with_parts(client, function, [&](const abi::LaunchParts& parts) {
    return abi::launch_assembled(parts, [&](const abi::AssembledLaunch& launch, void** extra) {
      return cuLaunchKernel(client, function, static_cast<unsigned>(width), static_cast<unsigned>(height), 1,
                            launch.block_x, launch.block_y, launch.block_z, launch.shared_bytes, stream,
                            nullptr, extra);
    });
  });
}

}  // namespace

CUresult cuFuncSetBlockShape(Client& client, CUfunction hfunc, int x, int y, int z) {
  return with_parts(client, hfunc, [&](abi::LaunchParts& parts) { return parts.set_block(x, y, z); });
}

CUresult cuFuncSetSharedSize(Client& client, CUfunction hfunc, unsigned int bytes) {
  return with_parts(client, hfunc, [&](abi::LaunchParts& parts) { return parts.set_shared(bytes); });
}

CUresult cuParamSetSize(Client& client, CUfunction hfunc, unsigned int numbytes) {
  return with_parts(client, hfunc,
                    [&](abi::LaunchParts& parts) { return parts.set_parameter_bytes(numbytes); });
}

CUresult cuParamSeti(Client& client, CUfunction hfunc, int offset, unsigned int value) {
  return cuParamSetv(client, hfunc, offset, &value, sizeof value);
}

CUresult cuParamSetf(Client& client, CUfunction hfunc, int offset, float value) {
  return cuParamSetv(client, hfunc, offset, &value, sizeof value);
}

CUresult cuParamSetv(Client& client, CUfunction hfunc, int offset, void* ptr, unsigned int numbytes) {
  return with_parts(client, hfunc,
                    [&](abi::LaunchParts& parts) { return parts.set_parameter(offset, ptr, numbytes); });
}

// References belong to their module; the call has had nothing left to do since CUDA 3.0.
CUresult cuParamSetTexRef(Client& client, CUfunction hfunc, int texunit, CUtexref hTexRef) {
  if (texunit != CU_PARAM_TR_DEFAULT) return CUDA_ERROR_INVALID_VALUE;
  wire::Handle reference;
  const CUresult found =
      client.find_handle(wire::HandleKind::kTexRef, reinterpret_cast<uint64_t>(hTexRef), &reference);
  if (found != CUDA_SUCCESS) return found;
  return with_parts(client, hfunc, [](abi::LaunchParts&) { return CUDA_SUCCESS; });
}

CUresult cuLaunch(Client& client, CUfunction f) { return launch(client, f, 1, 1, nullptr); }

CUresult cuLaunchGrid(Client& client, CUfunction f, int grid_width, int grid_height) {
  return launch(client, f, grid_width, grid_height, nullptr);
}

CUresult cuLaunchGridAsync(Client& client, CUfunction f, int grid_width, int grid_height, CUstream hStream) {
  return launch(client, f, grid_width, grid_height, hStream);
}

}  // namespace outboard::client::calls
