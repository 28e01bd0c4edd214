// The launch by parts, as it was before CUDA 4.0: block shape, shared memory and parameters are set
// on the function by calls of their own, stay until they are set again, and a launch takes them all.
#pragma once

#include <cstddef>
#include <mutex>
#include <vector>

#include "protocol/abi/cuda_abi_gen.h"

namespace outboard::abi {

// What one launch takes.
struct AssembledLaunch {
  unsigned block_x = 0, block_y = 0, block_z = 0;
  unsigned shared_bytes = 0;
  std::vector<std::byte> parameters;  // packed, at the offsets that the program gave
};

// Of one function. Any thread.
class LaunchParts {
 public:
  // CUDA's limit on the parameters of a kernel.
  static constexpr size_t kMaxParameterBytes = 32764;

  // cuFuncSetBlockShape, cuFuncSetSharedSize, cuParamSetSize, cuParamSetv: CUDA_ERROR_INVALID_VALUE
  // for what no function can have; the device's own limits are checked by the launch.
  CUresult set_block(int x, int y, int z);
  CUresult set_shared(unsigned bytes);
  CUresult set_parameter_bytes(unsigned bytes);
  CUresult set_parameter(int offset, const void* value, unsigned bytes);

  // CUDA_ERROR_INVALID_VALUE before set_block().
  CUresult assemble(AssembledLaunch* launch) const;

 private:
  mutable std::mutex mutex_;
  AssembledLaunch parts_;
  size_t parameter_bytes_ = 0;
};

// cuLaunch and its relatives: calls launch(assembled, extra), whose `extra` is cuLaunchKernel's.
template <typename Launch>
CUresult launch_assembled(const LaunchParts& parts, Launch&& launch) {
  AssembledLaunch assembled;
  if (const CUresult result = parts.assemble(&assembled); result != CUDA_SUCCESS) return result;
  size_t bytes = assembled.parameters.size();
  void* extra[] = {CU_LAUNCH_PARAM_BUFFER_POINTER, assembled.parameters.data(), CU_LAUNCH_PARAM_BUFFER_SIZE,
                   &bytes, CU_LAUNCH_PARAM_END};
  return launch(assembled, bytes == 0 ? nullptr : extra);
}

}  // namespace outboard::abi
