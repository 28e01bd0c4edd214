#include "protocol/abi/launch_parts.h"

#include <cstring>

namespace outboard::abi {

CUresult LaunchParts::set_block(int x, int y, int z) {
  if (x <= 0 || y <= 0 || z <= 0) return CUDA_ERROR_INVALID_VALUE;
  std::lock_guard lock(mutex_);
  parts_.block_x = static_cast<unsigned>(x);
  parts_.block_y = static_cast<unsigned>(y);
  parts_.block_z = static_cast<unsigned>(z);
  return CUDA_SUCCESS;
}

CUresult LaunchParts::set_shared(unsigned bytes) {
  std::lock_guard lock(mutex_);
  parts_.shared_bytes = bytes;
  return CUDA_SUCCESS;
}

CUresult LaunchParts::set_parameter_bytes(unsigned bytes) {
  if (bytes > kMaxParameterBytes) return CUDA_ERROR_INVALID_VALUE;
  std::lock_guard lock(mutex_);
  parameter_bytes_ = bytes;
  return CUDA_SUCCESS;
}

CUresult LaunchParts::set_parameter(int offset, const void* value, unsigned bytes) {
  if (value == nullptr || offset < 0 || bytes > kMaxParameterBytes) return CUDA_ERROR_INVALID_VALUE;
  const size_t end = static_cast<size_t>(offset) + bytes;
  if (end > kMaxParameterBytes) return CUDA_ERROR_INVALID_VALUE;
  std::lock_guard lock(mutex_);
  if (parts_.parameters.size() < end) parts_.parameters.resize(end);
  std::memcpy(parts_.parameters.data() + offset, value, bytes);
  return CUDA_SUCCESS;
}

CUresult LaunchParts::assemble(AssembledLaunch* launch) const {
  std::lock_guard lock(mutex_);
  if (parts_.block_x == 0) return CUDA_ERROR_INVALID_VALUE;
  *launch = parts_;
  launch->parameters.resize(parameter_bytes_);  // what was never set is zero
  return CUDA_SUCCESS;
}

}  // namespace outboard::abi
