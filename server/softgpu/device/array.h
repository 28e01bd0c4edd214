// Arrays: images in device memory, which kernels see through textures and surfaces only.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "protocol/abi/cuda_abi_gen.h"
#include "server/softgpu/device/object.h"

namespace outboard::softgpu {

class Context;
class Device;

// Bytes of one channel; 0 for a format that is not a plain one (block compressed, planar).
uint32_t channel_bytes(CUarray_format format);

// Rows follow one another (row 0 of layer 0 first); depth and layers are slices.
class Array : public Object {
 public:
  static constexpr ObjectKind kKind = ObjectKind::kArray;

  // CUDA_ERROR_INVALID_VALUE for a descriptor that makes no sense. Not yet in the handle table.
  static CUresult create(Context& context, const CUDA_ARRAY3D_DESCRIPTOR& descriptor,
                         std::shared_ptr<Array>* array);
  ~Array() override;

  const CUDA_ARRAY3D_DESCRIPTOR& descriptor() const { return descriptor_; }
  uint64_t address() const { return address_; }
  uint32_t element_bytes() const { return element_bytes_; }
  uint64_t row_pitch() const { return row_pitch_; }
  uint64_t slice_pitch() const { return row_pitch_ * rows(); }
  uint64_t rows() const { return descriptor_.Height == 0 ? 1 : descriptor_.Height; }
  uint64_t slices() const { return descriptor_.Depth == 0 ? 1 : descriptor_.Depth; }
  uint64_t bytes() const { return slice_pitch() * slices(); }
  Device& device() const { return device_; }
  uint64_t context() const { return context_; }

  Array(Device& device, uint64_t context, const CUDA_ARRAY3D_DESCRIPTOR& descriptor);

 private:
  Device& device_;
  const uint64_t context_;
  const CUDA_ARRAY3D_DESCRIPTOR descriptor_;
  const uint32_t element_bytes_;
  const uint64_t row_pitch_;
  uint64_t address_ = 0;
};

class MipmappedArray : public Object {
 public:
  static constexpr ObjectKind kKind = ObjectKind::kMipmappedArray;

  CUDA_ARRAY3D_DESCRIPTOR descriptor = {};
  std::vector<std::shared_ptr<Array>> levels;  // each has a handle of its own
};

}  // namespace outboard::softgpu
