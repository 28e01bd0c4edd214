// A kernel's parameters as one buffer, in the form that cuLaunchKernel's `extra` argument wants.
#pragma once

#include <array>
#include <cstddef>
#include <span>

#include "protocol/abi/cuda_abi_gen.h"

namespace outboard::server {

// Points into itself and into the buffer: stays where it was made, no longer than the buffer lives.
class PackedParameters {
 public:
  explicit PackedParameters(std::span<const std::byte> buffer)
      : size_bytes_(buffer.size()),
        extra_{CU_LAUNCH_PARAM_BUFFER_POINTER,
               const_cast<std::byte*>(buffer.data()),  // the driver only reads it
               CU_LAUNCH_PARAM_BUFFER_SIZE, &size_bytes_, CU_LAUNCH_PARAM_END} {}
  PackedParameters(const PackedParameters&) = delete;
  PackedParameters& operator=(const PackedParameters&) = delete;

  // Null for a kernel without parameters.
  void** extra() { return size_bytes_ == 0 ? nullptr : extra_.data(); }

 private:
  size_t size_bytes_;
  std::array<void*, 5> extra_;
};

}  // namespace outboard::server
