// Allocations that belong to a graph.
#pragma once

#include "protocol/abi/cuda_abi_gen.h"
#include "server/softgpu/device/context.h"
#include "server/softgpu/device/memory_pool.h"

namespace outboard::softgpu {

// cuMemAllocAsync in a capturing stream: takes the memory now, so that the address is known, and adds
// a memory node to the graph.
CUresult capture_allocation(Context& context, const std::shared_ptr<Stream>& stream, MemoryPool& pool, size_t bytes,
                            CUdeviceptr* address);

}  // namespace outboard::softgpu
