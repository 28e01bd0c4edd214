// IR and register allocation to the interpreter's code.
#pragma once

#include "server/softgpu/ptx/allocate.h"
#include "server/softgpu/ptx/constants.h"
#include "server/softgpu/ptx/image.h"

namespace outboard::softgpu::ptx {

// Where each constant's row lies in the constant bank; grows with the pool.
class ConstantLayout {
 public:
  uint32_t offset(const std::vector<Constant>& constants, uint32_t index);
  const std::vector<uint32_t>& offsets() const { return offsets_; }
  uint32_t bytes() const { return bytes_; }

 private:
  std::vector<uint32_t> offsets_;
  uint32_t bytes_ = 0;
};

// Appends the function's code to image.code and fills in entry, end, return_row and frame_bytes of
// image.functions[index], whose register_begin and predicate_begin are already set.
void decode_function(const IrFunction& function, const std::vector<uint32_t>& order,
                     const Allocation& allocation, const std::vector<Constant>& constants,
                     ConstantLayout& layout, const exec::FormTable& forms, uint32_t index, Image& image);

}  // namespace outboard::softgpu::ptx
