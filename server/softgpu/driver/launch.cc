#include "server/softgpu/driver/launch.h"

#include <cstring>
#include <set>

#include "server/softgpu/device/limits.h"
#include "server/softgpu/device/note.h"
#include "server/softgpu/driver/driver.h"

namespace outboard::softgpu {
namespace {

CUresult check_shape(const ptx::Kernel& kernel, const FunctionSettings& settings, const LaunchShape& shape) {
  const auto& [grid, block, shared_bytes, cooperative] = shape;
  if (grid.x == 0 || grid.y == 0 || grid.z == 0 || block.x == 0 || block.y == 0 || block.z == 0)
    return CUDA_ERROR_INVALID_VALUE;
  if (grid.x > kMaxGridX || grid.y > kMaxGridYZ || grid.z > kMaxGridYZ) return CUDA_ERROR_INVALID_VALUE;
  if (block.x > kMaxBlockXY || block.y > kMaxBlockXY || block.z > kMaxBlockZ) return CUDA_ERROR_INVALID_VALUE;
  const uint64_t threads = block.count();
  if (threads > kMaxThreadsPerBlock) return CUDA_ERROR_INVALID_VALUE;
  if (threads > kernel.max_threads) return CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES;
  const auto& required = kernel.required_block;
  if (required[0] != 0 && (block.x != required[0] || block.y != required[1] || block.z != required[2]))
    return CUDA_ERROR_INVALID_VALUE;
  int dynamic_limit = 0;
  (void)read_function_attribute(kernel, settings, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES,
                                &dynamic_limit);
  if (shared_bytes > static_cast<unsigned>(dynamic_limit)) return CUDA_ERROR_INVALID_VALUE;
  return CUDA_SUCCESS;
}

// `extra`: pairs of a tag and a pointer, ended by CU_LAUNCH_PARAM_END.
CUresult pack_extra(void** extra, uint32_t wanted_bytes, std::vector<std::byte>* packed) {
  const void* buffer = nullptr;
  const size_t* bytes = nullptr;
  for (int i = 0; extra[i] != CU_LAUNCH_PARAM_END; i += 2) {
    if (extra[i] == CU_LAUNCH_PARAM_BUFFER_POINTER) {
      buffer = extra[i + 1];
    } else if (extra[i] == CU_LAUNCH_PARAM_BUFFER_SIZE) {
      bytes = static_cast<const size_t*>(extra[i + 1]);
    } else {
      return CUDA_ERROR_INVALID_VALUE;
    }
  }
  if (wanted_bytes == 0) return CUDA_SUCCESS;
  if (buffer == nullptr || bytes == nullptr || *bytes < wanted_bytes) return CUDA_ERROR_INVALID_VALUE;
  std::memcpy(packed->data(), buffer, wanted_bytes);
  return CUDA_SUCCESS;
}

CUresult pack_params(const ptx::Kernel& kernel, void** params, void** extra, std::vector<std::byte>* packed) {
  packed->resize(kernel.param_bytes);
  if (params != nullptr && extra != nullptr) return CUDA_ERROR_INVALID_VALUE;
  if (extra != nullptr) return pack_extra(extra, kernel.param_bytes, packed);
  if (params == nullptr) return kernel.params.empty() ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
  for (size_t i = 0; i < kernel.params.size(); ++i) {
    if (params[i] == nullptr) return CUDA_ERROR_INVALID_VALUE;
    std::memcpy(packed->data() + kernel.params[i].offset, params[i], kernel.params[i].size);
  }
  return CUDA_SUCCESS;
}

// Blocks of a cooperative launch must all be resident at once.
CUresult check_cooperative(Context& context, const Function& function, FunctionSettings& settings,
                           const LaunchShape& shape) {
  const int per_multiprocessor =
      active_blocks(function.kernel(), settings, static_cast<int>(shape.block.count()), shape.shared_bytes);
  const uint64_t resident =
      uint64_t{context.device().multiprocessors()} * static_cast<uint64_t>(per_multiprocessor);
  return shape.grid.count() > resident ? CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE : CUDA_SUCCESS;
}

CUresult launch(CUstream stream_handle, CUfunction handle, const LaunchShape& shape, void** params,
                void** extra) noexcept {
  return with_stream(stream_handle, [&](Context& context, const std::shared_ptr<Stream>& stream) -> CUresult {
    KernelOperation operation;
    const CUresult result = make_launch(context, handle, shape, params, extra, &operation);
    return result == CUDA_SUCCESS ? context.submit(stream, std::move(operation)) : result;
  });
}

}  // namespace

CUresult resolve_function(Context& context, CUfunction handle, std::shared_ptr<Function>* function) {
  HandleTable& handles = context.platform().handles();
  const auto value = reinterpret_cast<uint64_t>(handle);
  if (HandleTable::kind_of(value) == ObjectKind::kFunction) {
    *function = handles.find<Function>(value);
    return *function == nullptr ? CUDA_ERROR_INVALID_HANDLE : CUDA_SUCCESS;
  }
  const auto kernel = handles.find<Kernel>(value);
  if (kernel == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  std::string message;
  const CUresult result = kernel->function_in(context, function, &message);
  if (result != CUDA_SUCCESS && !message.empty()) note(message);
  return result;
}

CUresult make_launch(Context& context, CUfunction handle, const LaunchShape& shape, void** params,
                     void** extra, KernelOperation* operation) {
  std::shared_ptr<Function> function;
  if (const CUresult result = resolve_function(context, handle, &function); result != CUDA_SUCCESS)
    return result;
  const ptx::Kernel& kernel = function->kernel();
  if (!kernel.refusal.empty()) {
    note("Kernel " + kernel.name + " cannot run on the software device: " + kernel.refusal);
    return CUDA_ERROR_NOT_SUPPORTED;
  }
  if (const CUresult result = check_shape(kernel, function->settings(), shape); result != CUDA_SUCCESS)
    return result;
  if (shape.cooperative) {
    const CUresult result = check_cooperative(context, *function, function->settings(), shape);
    if (result != CUDA_SUCCESS) return result;
  }
  if (const CUresult result = pack_params(kernel, params, extra, &operation->params); result != CUDA_SUCCESS)
    return result;
  operation->handle = reinterpret_cast<uint64_t>(handle);
  operation->function = std::move(function);
  operation->grid = shape.grid;
  operation->block = shape.block;
  operation->dynamic_shared_bytes = shape.shared_bytes;
  operation->cooperative = shape.cooperative;
  return CUDA_SUCCESS;
}

}  // namespace outboard::softgpu

using namespace outboard::softgpu;

extern "C" {

CUresult cuLaunchKernel(CUfunction function, unsigned int grid_x, unsigned int grid_y, unsigned int grid_z,
                        unsigned int block_x, unsigned int block_y, unsigned int block_z,
                        unsigned int shared_bytes, CUstream stream, void** params, void** extra) {
  return launch(stream, function,
                {{grid_x, grid_y, grid_z}, {block_x, block_y, block_z}, shared_bytes, false}, params, extra);
}

CUresult cuLaunchCooperativeKernel(CUfunction function, unsigned int grid_x, unsigned int grid_y,
                                   unsigned int grid_z, unsigned int block_x, unsigned int block_y,
                                   unsigned int block_z, unsigned int shared_bytes, CUstream stream,
                                   void** params) {
  return launch(stream, function, {{grid_x, grid_y, grid_z}, {block_x, block_y, block_z}, shared_bytes, true},
                params, nullptr);
}

CUresult cuLaunchKernelEx(const CUlaunchConfig* config, CUfunction function, void** params, void** extra) {
  if (config == nullptr || (config->numAttrs != 0 && config->attrs == nullptr))
    return CUDA_ERROR_INVALID_VALUE;
  LaunchShape shape{{config->gridDimX, config->gridDimY, config->gridDimZ},
                    {config->blockDimX, config->blockDimY, config->blockDimZ},
                    config->sharedMemBytes,
                    false};
  for (unsigned i = 0; i < config->numAttrs; ++i) {
    const CUlaunchAttribute& attribute = config->attrs[i];
    if (attribute.id == CU_LAUNCH_ATTRIBUTE_COOPERATIVE) shape.cooperative = attribute.value.cooperative != 0;
    if (attribute.id == CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION) {
      const auto& cluster = attribute.value.clusterDim;
      // A cluster of one block is no cluster; larger ones need hardware that is not modelled.
      if (uint64_t{cluster.x} * cluster.y * cluster.z > 1) return CUDA_ERROR_NOT_SUPPORTED;
    }
  }
  return launch(config->hStream, function, shape, params, extra);
}

// Kernels would learn of their peers on other devices from %envreg, which is zero here: for them
// there is no multi-device group to wait for. So the launches are independent.
CUresult cuLaunchCooperativeKernelMultiDevice(CUDA_LAUNCH_PARAMS* launches, unsigned int count,
                                              unsigned int flags) {
  constexpr unsigned kKnown = CUDA_COOPERATIVE_LAUNCH_MULTI_DEVICE_NO_PRE_LAUNCH_SYNC |
                              CUDA_COOPERATIVE_LAUNCH_MULTI_DEVICE_NO_POST_LAUNCH_SYNC;
  return with_platform([&](Platform& platform) -> CUresult {
    if (launches == nullptr || count == 0 || count > platform.device_count() || (flags & ~kKnown) != 0)
      return CUDA_ERROR_INVALID_VALUE;
    std::set<int> devices;
    for (unsigned i = 0; i < count; ++i) {
      const CUDA_LAUNCH_PARAMS& launch = launches[i];
      const auto stream = find<Stream>(platform, launch.hStream);  // special streams are not allowed
      const auto context = stream == nullptr ? nullptr : stream->context();
      if (context == nullptr) return CUDA_ERROR_INVALID_HANDLE;
      const bool same_shape =
          launch.gridDimX == launches[0].gridDimX && launch.gridDimY == launches[0].gridDimY &&
          launch.gridDimZ == launches[0].gridDimZ && launch.blockDimX == launches[0].blockDimX &&
          launch.blockDimY == launches[0].blockDimY && launch.blockDimZ == launches[0].blockDimZ &&
          launch.sharedMemBytes == launches[0].sharedMemBytes;
      if (!same_shape || !devices.insert(context->device().ordinal()).second) return CUDA_ERROR_INVALID_VALUE;
    }
    for (unsigned i = 0; i < count; ++i) {
      const CUDA_LAUNCH_PARAMS& launch = launches[i];
      const CUresult result = cuLaunchCooperativeKernel(
          launch.function, launch.gridDimX, launch.gridDimY, launch.gridDimZ, launch.blockDimX,
          launch.blockDimY, launch.blockDimZ, launch.sharedMemBytes, launch.hStream, launch.kernelParams);
      if (result != CUDA_SUCCESS) return result;
    }
    return CUDA_SUCCESS;
  });
}

}  // extern "C"
