// Occupancy questions that take a callback or launch attributes: computed here from the questions
// that the server answers.
#include <algorithm>

#include "client-lib/calls/calls_gen.h"
#include "client-lib/calls/handles.h"
#include "client-lib/calls/launch_attributes.h"
#include "client-lib/session/client.h"
#include "protocol/wire/messages_occupancy_gen.h"

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

// `potential`: the largest cluster, else how many clusters.
CUresult ask_clusters(Client& client, int* answer, CUfunction f, const CUlaunchConfig* config,
                      bool potential) {
  if (answer == nullptr || config == nullptr || (config->numAttrs != 0 && config->attrs == nullptr))
    return CUDA_ERROR_INVALID_VALUE;
  if (!client.has_current_context()) return CUDA_ERROR_INVALID_CONTEXT;
  const auto* function = find_function(client, f);
  if (function == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  wire::OccupancyClustersRequest request;
  if (const CUresult result = translate_attributes(client, *config, &request.attributes);
      result != CUDA_SUCCESS)
    return result;
  request.function = function->handle;
  request.potential = potential;
  request.grid_x = config->gridDimX;
  request.grid_y = config->gridDimY;
  request.grid_z = config->gridDimZ;
  request.block_x = config->blockDimX;
  request.block_y = config->blockDimY;
  request.block_z = config->blockDimZ;
  request.shared_bytes = config->sharedMemBytes;
  wire::OccupancyClustersReply reply;
  const CUresult result = client.call(request, reply);
  if (result == CUDA_SUCCESS) *answer = reply.value;
  return result;
}

}  // namespace

CUresult cuOccupancyMaxActiveClusters(Client& client, int* numClusters, CUfunction func,
                                      const CUlaunchConfig* config) {
  return ask_clusters(client, numClusters, func, config, false);
}

CUresult cuOccupancyMaxPotentialClusterSize(Client& client, int* clusterSize, CUfunction func,
                                            const CUlaunchConfig* config) {
  return ask_clusters(client, clusterSize, func, config, true);
}

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
