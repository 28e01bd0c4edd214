// Allocations that belong to a graph.
#pragma once

#include "protocol/abi/cuda_abi_gen.h"
#include "server/softgpu/device/context.h"
#include "server/softgpu/device/operation.h"

namespace outboard::softgpu {

// Takes memory for a memory node on the device that `operation->params` names, and fills in its address.
CUresult make_allocation(Platform& platform, AllocateOperation* operation);

// cuMemAllocAsync in a capturing stream: adds a memory node to the graph.
CUresult capture_allocation(Context& context, const std::shared_ptr<Stream>& stream, int device, size_t bytes,
                            CUdeviceptr* address);

}  // namespace outboard::softgpu
