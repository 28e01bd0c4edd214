// What machine code keeps of a warp. Lies behind the warp's special registers.
#pragma once

#include <cstdint>

#include "server/softgpu/exec/special.h"

namespace outboard::softgpu::exec {

inline constexpr uint32_t kStreams = 23;

struct LaneFacts {
  uint32_t in_order;  // the lanes' %tid.x are consecutive, their %tid.y and %tid.z the same
  uint32_t together;  // so they are, and all lanes have gone the same way since the kernel began
  // Where instructions that read whole rows side by side were the last time, in this CTA or in the one
  // whose place it took: what they read next is fetched ahead.
  uint64_t streams[kStreams];
};
inline constexpr uint32_t kLaneFactsOffset = kSpecialCount * kSpecialRowBytes;
// No multiple of a page: the warps' rows would all lie in the same cache sets.
static_assert(sizeof(LaneFacts) % 64 == 0 && (kLaneFactsOffset + sizeof(LaneFacts)) % 4096 != 0);
inline constexpr uint32_t kSpecialBankBytes = kLaneFactsOffset + sizeof(LaneFacts);

}  // namespace outboard::softgpu::exec
