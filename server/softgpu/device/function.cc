// Attributes of kernels and how many blocks fit.
#include <algorithm>

#include "server/softgpu/device/limits.h"
#include "server/softgpu/device/module.h"

namespace outboard::softgpu {
namespace {

constexpr int kBinaryVersion = 90;
constexpr int kMaxClusterBlocks = 8;
constexpr uint32_t kRegisterUnit = 256;  // registers are handed out to warps in pieces of this many
constexpr uint64_t kMaxRegistersPerThread = 255;
constexpr uint64_t kSharedUnit = 128;

uint64_t round_up(uint64_t value, uint64_t multiple) { return (value + multiple - 1) / multiple * multiple; }

// Any kernel runs here in blocks of all the threads that it allows, whatever it keeps in registers.
// What is told of its registers must not say otherwise: programs compute their launches from it.
uint32_t registers_of_thread(const ptx::Kernel& kernel) {
  const uint64_t warps = round_up(kernel.max_threads, kWarpSize) / kWarpSize;
  const uint64_t warp_registers = kRegistersPerMultiprocessor / warps / kRegisterUnit * kRegisterUnit;
  const uint64_t most = std::min<uint64_t>(warp_registers / kWarpSize, kMaxRegistersPerThread);
  return static_cast<uint32_t>(std::min<uint64_t>(kernel.registers, most));
}

int max_dynamic_bytes(const ptx::Kernel& kernel, const FunctionSettings& settings) {
  if (settings.max_dynamic_shared_bytes >= 0) return settings.max_dynamic_shared_bytes;
  return static_cast<int>(kSharedBytesPerBlock - std::min(kSharedBytesPerBlock, kernel.static_shared_bytes));
}

}  // namespace

CUresult read_function_attribute(const ptx::Kernel& kernel, const FunctionSettings& settings,
                                 CUfunction_attribute attribute, int* value) {
  switch (attribute) {
    case CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK: *value = static_cast<int>(kernel.max_threads); break;
    case CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES: *value = static_cast<int>(kernel.static_shared_bytes); break;
    case CU_FUNC_ATTRIBUTE_CONST_SIZE_BYTES: *value = static_cast<int>(kernel.constant_bytes); break;
    case CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES: *value = static_cast<int>(kernel.local_bytes); break;
    case CU_FUNC_ATTRIBUTE_NUM_REGS: *value = static_cast<int>(registers_of_thread(kernel)); break;
    case CU_FUNC_ATTRIBUTE_PTX_VERSION: *value = static_cast<int>(kernel.target); break;
    case CU_FUNC_ATTRIBUTE_BINARY_VERSION: *value = kBinaryVersion; break;
    case CU_FUNC_ATTRIBUTE_CACHE_MODE_CA: *value = 0; break;
    case CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES: *value = max_dynamic_bytes(kernel, settings); break;
    case CU_FUNC_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT: *value = settings.shared_carveout; break;
    case CU_FUNC_ATTRIBUTE_CLUSTER_SIZE_MUST_BE_SET: *value = 0; break;
    case CU_FUNC_ATTRIBUTE_REQUIRED_CLUSTER_WIDTH:
      *value =
          settings.cluster_width != 0 ? settings.cluster_width : static_cast<int>(kernel.cluster_block[0]);
      break;
    case CU_FUNC_ATTRIBUTE_REQUIRED_CLUSTER_HEIGHT:
      *value =
          settings.cluster_height != 0 ? settings.cluster_height : static_cast<int>(kernel.cluster_block[1]);
      break;
    case CU_FUNC_ATTRIBUTE_REQUIRED_CLUSTER_DEPTH:
      *value =
          settings.cluster_depth != 0 ? settings.cluster_depth : static_cast<int>(kernel.cluster_block[2]);
      break;
    case CU_FUNC_ATTRIBUTE_NON_PORTABLE_CLUSTER_SIZE_ALLOWED: *value = settings.non_portable_cluster; break;
    case CU_FUNC_ATTRIBUTE_CLUSTER_SCHEDULING_POLICY_PREFERENCE: *value = settings.cluster_policy; break;
    default: return CUDA_ERROR_INVALID_VALUE;
  }
  return CUDA_SUCCESS;
}

CUresult write_function_attribute(const ptx::Kernel& kernel, FunctionSettings& settings,
                                  CUfunction_attribute attribute, int value) {
  const auto set_cluster = [&](int& field) {
    if (value < 0 || value > kMaxClusterBlocks) return CUDA_ERROR_INVALID_VALUE;
    field = value;
    return CUDA_SUCCESS;
  };
  switch (attribute) {
    case CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES:
      if (value < 0 ||
          static_cast<uint64_t>(value) + kernel.static_shared_bytes > kSharedBytesPerBlockOptIn) {
        return CUDA_ERROR_INVALID_VALUE;
      }
      settings.max_dynamic_shared_bytes = value;
      return CUDA_SUCCESS;
    case CU_FUNC_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT:
      if (value < -1 || value > 100) return CUDA_ERROR_INVALID_VALUE;
      settings.shared_carveout = value;
      return CUDA_SUCCESS;
    case CU_FUNC_ATTRIBUTE_REQUIRED_CLUSTER_WIDTH: return set_cluster(settings.cluster_width);
    case CU_FUNC_ATTRIBUTE_REQUIRED_CLUSTER_HEIGHT: return set_cluster(settings.cluster_height);
    case CU_FUNC_ATTRIBUTE_REQUIRED_CLUSTER_DEPTH: return set_cluster(settings.cluster_depth);
    case CU_FUNC_ATTRIBUTE_NON_PORTABLE_CLUSTER_SIZE_ALLOWED:
      settings.non_portable_cluster = value != 0;
      return CUDA_SUCCESS;
    case CU_FUNC_ATTRIBUTE_CLUSTER_SCHEDULING_POLICY_PREFERENCE:
      settings.cluster_policy = value;
      return CUDA_SUCCESS;
    default: return CUDA_ERROR_INVALID_VALUE;
  }
}

int active_blocks(const ptx::Kernel& kernel, const FunctionSettings& settings, int block_threads,
                  uint64_t dynamic_shared_bytes) {
  if (block_threads <= 0 ||
      static_cast<uint32_t>(block_threads) > std::min(kernel.max_threads, kMaxThreadsPerBlock))
    return 0;
  if (dynamic_shared_bytes > static_cast<uint64_t>(max_dynamic_bytes(kernel, settings))) return 0;
  const uint64_t warps = (static_cast<uint64_t>(block_threads) + kWarpSize - 1) / kWarpSize;
  const uint64_t by_threads = kMaxThreadsPerMultiprocessor / (warps * kWarpSize);
  const uint64_t warp_registers =
      round_up(uint64_t{std::max(registers_of_thread(kernel), 1u)} * kWarpSize, kRegisterUnit);
  const uint64_t by_registers = kRegistersPerMultiprocessor / (warps * warp_registers);
  const uint64_t shared =
      round_up(kernel.static_shared_bytes + dynamic_shared_bytes + kReservedSharedBytesPerBlock, kSharedUnit);
  const uint64_t by_shared = kSharedBytesPerMultiprocessor / shared;
  return static_cast<int>(
      std::min({by_threads, by_registers, by_shared, uint64_t{kMaxBlocksPerMultiprocessor}}));
}

}  // namespace outboard::softgpu
