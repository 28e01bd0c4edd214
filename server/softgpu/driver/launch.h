// Checking a launch and packing its parameters.
#pragma once

#include "protocol/abi/cuda_abi_gen.h"
#include "server/softgpu/device/context.h"
#include "server/softgpu/device/module.h"
#include "server/softgpu/device/operation.h"

namespace outboard::softgpu {

// A CUfunction, or a CUkernel in this context. Null with a CUresult why not.
CUresult resolve_function(Context& context, CUfunction handle, std::shared_ptr<Function>* function);

// Grid, block, shared memory and parameters as given to any launch call or kernel node.
struct LaunchShape {
  exec::Dim3 grid;
  exec::Dim3 block;
  unsigned shared_bytes = 0;
  bool cooperative = false;
};
CUresult make_launch(Context& context, CUfunction handle, const LaunchShape& shape, void** params,
                     void** extra, KernelOperation* operation);

}  // namespace outboard::softgpu
