// What machine code knows of a warp's lanes. Lies behind the warp's special registers.
#pragma once

#include <cstdint>

#include "server/softgpu/exec/special.h"

namespace outboard::softgpu::exec {

struct LaneFacts {
  uint32_t in_order;  // the lanes' %tid.x are consecutive, their %tid.y and %tid.z the same
  uint32_t together;  // so they are, and all lanes have gone the same way since the kernel began
};
inline constexpr uint32_t kLaneFactsOffset = kSpecialCount * kSpecialRowBytes;
inline constexpr uint32_t kSpecialBankBytes = kLaneFactsOffset + 64;

}  // namespace outboard::softgpu::exec
