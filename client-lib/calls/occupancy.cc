// Occupancy questions that take a callback or launch attributes: computed here from the questions
// that the server answers.
#include <algorithm>

#include "client-lib/calls/calls_gen.h"
#include "client-lib/calls/handles.h"
#include "client-lib/session/client.h"

namespace outboard::client::calls {
namespace {

// Tries every block size in steps of a warp, as CUDA documents it: the largest number of resident
// threads per multiprocessor wins, larger blocks win ties.
CUresult best_block_size(Client& client, int* min_grid, int* best_block, CUfunction function,
                         CUoccupancyB2DSize shared_of_block, size_t shared_bytes, int block_limit,
                         unsigned flags) {
  if (min_grid == nullptr || best_block == nullptr || block_limit < 0) return CUDA_ERROR_INVALID_VALUE;
  ContextInfo* context = nullptr;
  if (const CUresult result = client.require_context(&context); result != CUDA_SUCCESS) return result;
  const Device& device = *client.devices().on_server(context->device);
  int function_limit = 0;
  const CUresult known =
      cuFuncGetAttribute(client, &function_limit, CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK, function);
  if (known != CUDA_SUCCESS) return known;
  const int warp = std::max(1, device.attribute_or(CU_DEVICE_ATTRIBUTE_WARP_SIZE, 32));
  int most = std::min(device.attribute_or(CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK, 1024), function_limit);
  if (block_limit != 0) most = std::min(most, block_limit);
  const int multiprocessors = device.attribute_or(CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, 1);
  const int resident_limit =
      device.attribute_or(CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR, INT32_MAX);

  int best_threads = 0;
  *best_block = 0;
  *min_grid = 0;
  for (int aligned = (most + warp - 1) / warp * warp; aligned > 0; aligned -= warp) {
    const int block = std::min(aligned, most);
    const size_t shared = shared_of_block != nullptr ? shared_of_block(block) : shared_bytes;
    int blocks = 0;
    const CUresult result =
        cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(client, &blocks, function, block, shared, flags);
    if (result != CUDA_SUCCESS) return result;
    if (block * blocks > best_threads) {
      best_threads = block * blocks;
      *best_block = block;
      *min_grid = blocks * multiprocessors;
    }
    if (best_threads >= resident_limit) break;  // nothing can be better
  }
  return CUDA_SUCCESS;
}

}  // namespace

CUresult cuOccupancyMaxPotentialBlockSize(Client& client, int* minGridSize, int* blockSize, CUfunction func,
                                          CUoccupancyB2DSize blockSizeToDynamicSMemSize,
                                          size_t dynamicSMemSize, int blockSizeLimit) {
  return best_block_size(client, minGridSize, blockSize, func, blockSizeToDynamicSMemSize, dynamicSMemSize,
                         blockSizeLimit, CU_OCCUPANCY_DEFAULT);
}

CUresult cuOccupancyMaxPotentialBlockSizeWithFlags(Client& client, int* minGridSize, int* blockSize,
                                                   CUfunction func,
                                                   CUoccupancyB2DSize blockSizeToDynamicSMemSize,
                                                   size_t dynamicSMemSize, int blockSizeLimit,
                                                   unsigned int flags) {
  return best_block_size(client, minGridSize, blockSize, func, blockSizeToDynamicSMemSize, dynamicSMemSize,
                         blockSizeLimit, flags);
}

}  // namespace outboard::client::calls
