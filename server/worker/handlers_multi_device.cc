// One cooperative kernel on several devices.
#include <vector>

#include "server/worker/function_description.h"
#include "server/worker/handlers_gen.h"
#include "server/worker/worker.h"

namespace outboard::server {
namespace {

constexpr size_t kMaxParts = limits::kDevices;

// The driver takes pointers to the single parameters here, and no packed buffer.
CUresult point_at_parameters(const DriverApi& driver, CUfunction function,
                             const std::vector<std::byte>& packed, std::vector<void*>* pointers) {
  const wire::FunctionDescription description = describe_function(driver, function, false);
  if (!description.layout_known) return CUDA_ERROR_NOT_SUPPORTED;
  for (const wire::ParameterLayout& parameter : description.parameters) {
    if (uint64_t{parameter.offset_bytes} + parameter.size_bytes > packed.size())
      return CUDA_ERROR_INVALID_VALUE;
    // The driver only reads it.
    pointers->push_back(const_cast<std::byte*>(packed.data()) + parameter.offset_bytes);
  }
  return CUDA_SUCCESS;
}

}  // namespace

CUresult handle(Worker& worker, const wire::LaunchCooperativeMultiDeviceRequest& request,
                wire::LaunchCooperativeMultiDeviceReply&) {
  if (request.launches.empty() || request.launches.size() > kMaxParts) return CUDA_ERROR_INVALID_VALUE;
  std::vector<std::vector<void*>> pointers(request.launches.size());
  std::vector<CUDA_LAUNCH_PARAMS> launches;
  for (size_t i = 0; i < request.launches.size(); ++i) {
    const wire::CooperativeLaunch& from = request.launches[i];
    const auto function = worker.native_as<CUfunction>(wire::HandleKind::kFunction, from.function);
    if (!function) return CUDA_ERROR_INVALID_HANDLE;
    CUDA_LAUNCH_PARAMS launch{};
    launch.function = *function;
    if (CUresult found = worker.native_stream(from.stream, &launch.hStream); found != CUDA_SUCCESS)
      return found;
    const CUresult pointed = point_at_parameters(worker.driver(), *function, from.parameters, &pointers[i]);
    if (pointed != CUDA_SUCCESS) return pointed;
    launch.gridDimX = from.grid_x;
    launch.gridDimY = from.grid_y;
    launch.gridDimZ = from.grid_z;
    launch.blockDimX = from.block_x;
    launch.blockDimY = from.block_y;
    launch.blockDimZ = from.block_z;
    launch.sharedMemBytes = from.shared_bytes;
    launch.kernelParams = pointers[i].data();
    launches.push_back(launch);
  }
  // On the first device; that its turn covers the others is good enough for a call that CUDA 13 has
  // given up.
  return worker.launch(launches[0].hStream, reinterpret_cast<uintptr_t>(launches[0].function), [&] {
    return worker.driver().cuLaunchCooperativeKernelMultiDevice(
        launches.data(), static_cast<unsigned>(launches.size()), request.flags);
  });
}

}  // namespace outboard::server
