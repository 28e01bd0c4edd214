#include "client-lib/calls/launch_parameters.h"

#include <cstring>

#include "client-lib/state/per_thread.h"

namespace outboard::client::calls {
namespace {

// CUDA's limit on kernel parameters since compute capability 7.0 (CUDA 12.1).
constexpr size_t kMaxParameterBytes = 32764;

// A packed parameter buffer of this thread.
struct ParameterBuffer {
  std::byte bytes[kMaxParameterBytes];
};

// From the array of pointers, one per parameter.
CUresult pack(const FunctionInfo& function, void** kernel_parameters, std::span<const std::byte>* packed) {
  if (!function.layout_known) return CUDA_ERROR_NOT_SUPPORTED;
  if (function.parameters.empty()) return CUDA_SUCCESS;
  if (kernel_parameters == nullptr || function.parameter_bytes > kMaxParameterBytes)
    return CUDA_ERROR_INVALID_VALUE;
  std::byte* buffer = per_thread<ParameterBuffer>().bytes;
  uint32_t filled = 0;
  for (size_t i = 0; i < function.parameters.size(); ++i) {
    const FunctionParameter& parameter = function.parameters[i];
    if (kernel_parameters[i] == nullptr) return CUDA_ERROR_INVALID_VALUE;
    // Gaps are zeroed, so that no stale bytes of other launches travel.
    if (parameter.offset_bytes > filled) std::memset(buffer + filled, 0, parameter.offset_bytes - filled);
    std::memcpy(buffer + parameter.offset_bytes, kernel_parameters[i], parameter.size_bytes);
    filled = parameter.offset_bytes + parameter.size_bytes;
  }
  *packed = {buffer, function.parameter_bytes};
  return CUDA_SUCCESS;
}

// From `extra`: a list of (what, value) pairs that ends with CU_LAUNCH_PARAM_END.
CUresult unpack_extra(void** extra, std::span<const std::byte>* packed) {
  const void* pointer = nullptr;
  const size_t* size = nullptr;
  for (size_t i = 0; extra[i] != CU_LAUNCH_PARAM_END; i += 2) {
    if (extra[i] == CU_LAUNCH_PARAM_BUFFER_POINTER) {
      pointer = extra[i + 1];
    } else if (extra[i] == CU_LAUNCH_PARAM_BUFFER_SIZE) {
      size = static_cast<const size_t*>(extra[i + 1]);
    } else {
      return CUDA_ERROR_INVALID_VALUE;
    }
  }
  if (size == nullptr || *size == 0) return CUDA_SUCCESS;
  if (pointer == nullptr || *size > kMaxParameterBytes) return CUDA_ERROR_INVALID_VALUE;
  *packed = {static_cast<const std::byte*>(pointer), *size};
  return CUDA_SUCCESS;
}

}  // namespace

CUresult pack_parameters(const FunctionInfo& function, void** kernel_parameters, void** extra,
                         std::span<const std::byte>* packed) {
  if (extra == nullptr) return pack(function, kernel_parameters, packed);
  return kernel_parameters == nullptr ? unpack_extra(extra, packed) : CUDA_ERROR_INVALID_VALUE;
}

}  // namespace outboard::client::calls
