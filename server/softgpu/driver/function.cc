// Functions: attributes and occupancy.
#include "server/softgpu/device/limits.h"
#include "server/softgpu/driver/driver.h"
#include "server/softgpu/driver/launch.h"

using namespace outboard::softgpu;

namespace {

template <typename F>
CUresult with_function(CUfunction handle, F&& function) noexcept {
  return with_context([&](Context& context) -> CUresult {
    std::shared_ptr<Function> found;
    const CUresult result = resolve_function(context, handle, &found);
    return result == CUDA_SUCCESS ? function(context, *found) : result;
  });
}

}  // namespace

extern "C" {

CUresult cuFuncGetAttribute(int* value, CUfunction_attribute attribute, CUfunction handle) {
  return with_function(handle, [&](Context&, Function& function) {
    return value == nullptr
               ? CUDA_ERROR_INVALID_VALUE
               : read_function_attribute(function.kernel(), function.settings(), attribute, value);
  });
}

CUresult cuFuncSetAttribute(CUfunction handle, CUfunction_attribute attribute, int value) {
  return with_function(handle, [&](Context&, Function& function) {
    return write_function_attribute(function.kernel(), function.settings(), attribute, value);
  });
}

CUresult cuFuncSetCacheConfig(CUfunction handle, CUfunc_cache) {
  return with_function(handle, [](Context&, Function&) { return CUDA_SUCCESS; });
}

CUresult cuFuncSetSharedMemConfig(CUfunction handle, CUsharedconfig) {
  return with_function(handle, [](Context&, Function&) { return CUDA_SUCCESS; });
}

CUresult cuFuncGetModule(CUmodule* module, CUfunction handle) {
  return with_function(handle, [&](Context&, Function& function) -> CUresult {
    const auto owner = function.module();
    if (module == nullptr || owner == nullptr) return CUDA_ERROR_INVALID_VALUE;
    *module = to_handle<CUmodule>(*owner);
    return CUDA_SUCCESS;
  });
}

CUresult cuFuncGetName(const char** name, CUfunction handle) {
  return with_function(handle, [&](Context&, Function& function) -> CUresult {
    if (name == nullptr) return CUDA_ERROR_INVALID_VALUE;
    *name = function.kernel().name.c_str();
    return CUDA_SUCCESS;
  });
}

CUresult cuFuncGetParamInfo(CUfunction handle, size_t index, size_t* offset, size_t* bytes) {
  return with_function(handle, [&](Context&, Function& function) -> CUresult {
    const auto& params = function.kernel().params;
    if (index >= params.size() || offset == nullptr) return CUDA_ERROR_INVALID_VALUE;
    *offset = params[index].offset;
    if (bytes != nullptr) *bytes = params[index].size;
    return CUDA_SUCCESS;
  });
}

// Programs are compiled when they are loaded, so every function is.
CUresult cuFuncIsLoaded(CUfunctionLoadingState* state, CUfunction handle) {
  return with_function(handle, [&](Context&, Function&) -> CUresult {
    if (state == nullptr) return CUDA_ERROR_INVALID_VALUE;
    *state = CU_FUNCTION_LOADING_STATE_LOADED;
    return CUDA_SUCCESS;
  });
}
CUresult cuFuncLoad(CUfunction handle) {
  return with_function(handle, [](Context&, Function&) { return CUDA_SUCCESS; });
}

CUresult cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int* blocks, CUfunction handle,
                                                              int block_threads, size_t shared_bytes,
                                                              unsigned int flags) {
  return with_function(handle, [&](Context&, Function& function) -> CUresult {
    if (blocks == nullptr || block_threads <= 0 ||
        (flags & ~static_cast<unsigned>(CU_OCCUPANCY_DISABLE_CACHING_OVERRIDE)) != 0) {
      return CUDA_ERROR_INVALID_VALUE;
    }
    *blocks = active_blocks(function.kernel(), function.settings(), block_threads, shared_bytes);
    return CUDA_SUCCESS;
  });
}

CUresult cuOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, CUfunction handle, int block_threads,
                                                     size_t shared_bytes) {
  return cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(blocks, handle, block_threads, shared_bytes, 0);
}

CUresult cuOccupancyMaxPotentialBlockSizeWithFlags(int* grid, int* block, CUfunction handle,
                                                   CUoccupancyB2DSize shared_of, size_t shared_bytes,
                                                   int limit, unsigned int) {
  return with_function(handle, [&](Context& context, Function& function) -> CUresult {
    if (grid == nullptr || block == nullptr) return CUDA_ERROR_INVALID_VALUE;
    int best_threads = 0;
    *block = 0;
    *grid = 0;
    const int most = limit > 0 ? std::min(limit, static_cast<int>(kMaxThreadsPerBlock))
                               : static_cast<int>(kMaxThreadsPerBlock);
    for (int threads = (most + 31) / 32 * 32; threads >= 32; threads -= 32) {
      const int size = std::min(threads, most);
      const size_t shared = shared_of != nullptr ? shared_of(size) : shared_bytes;
      const int blocks = active_blocks(function.kernel(), function.settings(), size, shared);
      if (blocks * size <= best_threads) continue;
      best_threads = blocks * size;
      *block = size;
      *grid = blocks * static_cast<int>(context.device().multiprocessors());
    }
    return best_threads == 0 ? CUDA_ERROR_INVALID_VALUE : CUDA_SUCCESS;
  });
}

CUresult cuOccupancyMaxPotentialBlockSize(int* grid, int* block, CUfunction handle,
                                          CUoccupancyB2DSize shared_of, size_t shared_bytes, int limit) {
  return cuOccupancyMaxPotentialBlockSizeWithFlags(grid, block, handle, shared_of, shared_bytes, limit, 0);
}

CUresult cuOccupancyAvailableDynamicSMemPerBlock(size_t* bytes, CUfunction handle, int blocks,
                                                 int block_threads) {
  return with_function(handle, [&](Context&, Function& function) -> CUresult {
    if (bytes == nullptr || blocks <= 0 || block_threads <= 0) return CUDA_ERROR_INVALID_VALUE;
    const size_t each = kSharedBytesPerMultiprocessor / static_cast<size_t>(blocks);
    const size_t taken = function.kernel().static_shared_bytes + kReservedSharedBytesPerBlock;
    const size_t left = each > taken ? each - taken : 0;
    *bytes =
        std::min<size_t>(left, kSharedBytesPerBlockOptIn - std::min(kSharedBytesPerBlockOptIn,
                                                                    function.kernel().static_shared_bytes));
    return CUDA_SUCCESS;
  });
}

// Clusters of more than one block are refused at launch, and so counted as not fitting.
CUresult cuOccupancyMaxPotentialClusterSize(int* cluster, CUfunction handle, const CUlaunchConfig*) {
  return with_function(handle, [&](Context&, Function&) -> CUresult {
    if (cluster == nullptr) return CUDA_ERROR_INVALID_VALUE;
    *cluster = 1;
    return CUDA_SUCCESS;
  });
}

CUresult cuOccupancyMaxActiveClusters(int* clusters, CUfunction handle, const CUlaunchConfig* config) {
  return with_function(handle, [&](Context& context, Function& function) -> CUresult {
    if (clusters == nullptr || config == nullptr) return CUDA_ERROR_INVALID_VALUE;
    const uint64_t threads = uint64_t{config->blockDimX} * config->blockDimY * config->blockDimZ;
    const int blocks = threads > kMaxThreadsPerBlock
                           ? 0
                           : active_blocks(function.kernel(), function.settings(), static_cast<int>(threads),
                                           config->sharedMemBytes);
    *clusters = blocks * static_cast<int>(context.device().multiprocessors());
    return CUDA_SUCCESS;
  });
}

}  // extern "C"
