// What a texture or sampler reference is declared with; cuTexRef* calls change it.
#pragma once

#include <cstdint>

namespace outboard::softgpu::ptx {

struct ReferenceSettings {
  bool normalized_coordinates = false;  // of a texture
  bool force_unnormalized = false;      // of a sampler
  bool linear_filter = false;
  uint8_t address_modes[3] = {1, 1, 1};  // 0 wrap, 1 clamp, 2 mirror, 3 border
};

}  // namespace outboard::softgpu::ptx
