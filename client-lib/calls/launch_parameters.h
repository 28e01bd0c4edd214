// Kernel parameters as they travel: one packed buffer, laid out as the kernel expects it.
#pragma once

#include <cstddef>
#include <span>

#include "client-lib/state/modules.h"
#include "protocol/abi/cuda_abi_gen.h"

namespace outboard::client::calls {

// From `kernel_parameters` (an array of pointers, one per parameter) or `extra` (a list of pairs
// that ends with CU_LAUNCH_PARAM_END); both at once are CUDA_ERROR_INVALID_VALUE. The result lies in
// the caller's memory or in a buffer of this thread that the next call overwrites.
CUresult pack_parameters(const FunctionInfo& function, void** kernel_parameters, void** extra,
                         std::span<const std::byte>* packed);

}  // namespace outboard::client::calls
