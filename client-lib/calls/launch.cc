// Kernel launches. The hot path of everything: no lock but the stream's, no allocation.
#include "client-lib/calls/calls_gen.h"
#include "client-lib/calls/handles.h"
#include "client-lib/calls/launch_attributes.h"
#include "client-lib/calls/launch_parameters.h"
#include "client-lib/calls/mirrored.h"
#include "client-lib/session/client.h"
#include "client-lib/state/per_thread.h"
#include "protocol/wire/messages_launch_gen.h"

namespace outboard::client::calls {
namespace {

bool within(uint32_t value, const Device& device, CUdevice_attribute limit) {
  return value != 0 && value <= static_cast<uint32_t>(device.attribute_or(limit, INT32_MAX));
}

CUresult check_shape(const Device& device, const FunctionInfo& function,
                     const wire::LaunchKernelRequest& launch) {
  const bool shape = within(launch.grid_x, device, CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_X) &&
                     within(launch.grid_y, device, CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Y) &&
                     within(launch.grid_z, device, CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Z) &&
                     within(launch.block_x, device, CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_X) &&
                     within(launch.block_y, device, CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Y) &&
                     within(launch.block_z, device, CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Z);
  if (!shape) return CUDA_ERROR_INVALID_VALUE;
  const uint64_t threads = uint64_t{launch.block_x} * launch.block_y * launch.block_z;
  const auto device_threads =
      static_cast<uint64_t>(device.attribute_or(CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK, 1024));
  if (threads > device_threads) return CUDA_ERROR_INVALID_VALUE;
  // The function's own limit comes from its registers.
  const auto function_threads = function.attributes.get(CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK);
  if (function_threads && threads > static_cast<uint64_t>(*function_threads)) {
    return CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES;
  }
  // Attributes of code that was loaded before there was a context are not known yet; then the
  // device's limit for functions that have not asked for more is what can be checked.
  const int32_t shared =
      function.attributes.get(CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES)
          .value_or(device.attribute_or(CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK, -1));
  if (shared >= 0 && launch.shared_bytes > static_cast<uint32_t>(shared)) return CUDA_ERROR_INVALID_VALUE;
  return CUDA_SUCCESS;
}

bool is_cooperative(const wire::LaunchKernelRequest& launch) {
  if (launch.cooperative) return true;
  for (const wire::LaunchAttribute& attribute : launch.attributes) {
    if (attribute.id == CU_LAUNCH_ATTRIBUTE_COOPERATIVE) return true;
  }
  return false;
}

// Fills in function, stream and parameters, checks, sends.
CUresult launch(Client& client, wire::LaunchKernelRequest& request, CUfunction f, CUstream stream,
                void** kernel_parameters, void** extra) {
  const auto* function = find_function(client, f);
  if (function == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  ContextInfo* context = nullptr;
  if (const CUresult result = client.require_context(&context); result != CUDA_SUCCESS) return result;
  const Device& device = *client.devices().on_server(context->device);
  if (const CUresult result = check_shape(device, *function, request); result != CUDA_SUCCESS) return result;
  if (const CUresult result = find(client, stream, &request.stream); result != CUDA_SUCCESS) return result;
  const CUresult packed = pack_parameters(*function, kernel_parameters, extra, &request.parameters);
  if (packed != CUDA_SUCCESS) return packed;
  if (const CUresult mapped = map_what_parameters_name(client, &request.parameters); mapped != CUDA_SUCCESS)
    return mapped;
  request.function = function->handle;
  client.count_launch();
  if (!is_cooperative(request)) [[likely]]
    return client.post(request);
  // Whether all blocks fit the device at once is for the driver to say, and CUDA says it at the launch.
  wire::LaunchKernelReply reply;
  return client.call(request, reply);
}

}  // namespace

CUresult cuLaunchKernel(Client& client, CUfunction f, unsigned int gridDimX, unsigned int gridDimY,
                        unsigned int gridDimZ, unsigned int blockDimX, unsigned int blockDimY,
                        unsigned int blockDimZ, unsigned int sharedMemBytes, CUstream hStream,
                        void** kernelParams, void** extra) {
  wire::LaunchKernelRequest request;
  request.grid_x = gridDimX;
  request.grid_y = gridDimY;
  request.grid_z = gridDimZ;
  request.block_x = blockDimX;
  request.block_y = blockDimY;
  request.block_z = blockDimZ;
  request.shared_bytes = sharedMemBytes;
  return launch(client, request, f, hStream, kernelParams, extra);
}

CUresult cuLaunchCooperativeKernel(Client& client, CUfunction f, unsigned int gridDimX, unsigned int gridDimY,
                                   unsigned int gridDimZ, unsigned int blockDimX, unsigned int blockDimY,
                                   unsigned int blockDimZ, unsigned int sharedMemBytes, CUstream hStream,
                                   void** kernelParams) {
  wire::LaunchKernelRequest request;
  request.grid_x = gridDimX;
  request.grid_y = gridDimY;
  request.grid_z = gridDimZ;
  request.block_x = blockDimX;
  request.block_y = blockDimY;
  request.block_z = blockDimZ;
  request.shared_bytes = sharedMemBytes;
  request.cooperative = true;
  return launch(client, request, f, hStream, kernelParams, nullptr);
}

CUresult cuLaunchKernelEx(Client& client, const CUlaunchConfig* config, CUfunction f, void** kernelParams,
                          void** extra, CUstream default_stream) {
  if (config == nullptr || (config->numAttrs != 0 && config->attrs == nullptr))
    return CUDA_ERROR_INVALID_VALUE;
  // Reused, so that launches with attributes allocate nothing in steady state either.
  auto& request = per_thread<wire::LaunchKernelRequest>();
  request.cooperative = false;
  request.parameters = {};
  if (const CUresult result = translate_attributes(client, *config, &request.attributes);
      result != CUDA_SUCCESS)
    return result;
  request.grid_x = config->gridDimX;
  request.grid_y = config->gridDimY;
  request.grid_z = config->gridDimZ;
  request.block_x = config->blockDimX;
  request.block_y = config->blockDimY;
  request.block_z = config->blockDimZ;
  request.shared_bytes = config->sharedMemBytes;
  const CUstream stream = config->hStream != nullptr ? config->hStream : default_stream;
  return launch(client, request, f, stream, kernelParams, extra);
}

// Shapes, and what the devices must have in common, are for the driver to check.
CUresult cuLaunchCooperativeKernelMultiDevice(Client& client, CUDA_LAUNCH_PARAMS* launchParamsList,
                                              unsigned int numDevices, unsigned int flags) {
  if (launchParamsList == nullptr || numDevices == 0 || numDevices > client.devices().server_count())
    return CUDA_ERROR_INVALID_VALUE;
  wire::LaunchCooperativeMultiDeviceRequest request;
  request.flags = flags;
  for (unsigned i = 0; i < numDevices; ++i) {
    const CUDA_LAUNCH_PARAMS& from = launchParamsList[i];
    const auto* function = find_function(client, from.function);
    if (function == nullptr) return CUDA_ERROR_INVALID_HANDLE;
    wire::CooperativeLaunch part{
        function->handle, from.gridDimX,  from.gridDimY,       from.gridDimZ,  from.blockDimX,
        from.blockDimY,   from.blockDimZ, from.sharedMemBytes, wire::Handle{}, {}};
    if (const CUresult result = find(client, from.hStream, &part.stream); result != CUDA_SUCCESS)
      return result;
    std::span<const std::byte> packed;
    const CUresult result = pack_parameters(*function, from.kernelParams, nullptr, &packed);
    if (result != CUDA_SUCCESS) return result;
    part.parameters.assign(packed.begin(), packed.end());
    request.launches.push_back(std::move(part));
  }
  for (unsigned i = 0; i < numDevices; ++i) client.count_launch();
  wire::LaunchCooperativeMultiDeviceReply reply;
  return client.call(request, reply);
}

}  // namespace outboard::client::calls
