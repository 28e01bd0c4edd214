// What machine code keeps of a warp. Lies behind the warp's special registers.
#pragma once

#include <cstdint>

#include "server/softgpu/exec/special.h"

namespace outboard::softgpu::exec {

inline constexpr uint32_t kStreams = 24;

struct LaneFacts {
  // Where instructions that read whole rows side by side were the last time, in this CTA or in the one
  // whose place it took: what they read next is fetched ahead.
  uint64_t streams[kStreams];
};
inline constexpr uint32_t kLaneFactsOffset = static_cast<uint32_t>(Special::kFirstOfCta) * kSpecialRowBytes;
// No multiple of a page: the warps' rows would all lie in the same cache sets.
static_assert(sizeof(LaneFacts) % 64 == 0 && (kLaneFactsOffset + sizeof(LaneFacts)) % 4096 != 0);
inline constexpr uint32_t kSpecialBankBytes = kLaneFactsOffset + sizeof(LaneFacts);

}  // namespace outboard::softgpu::exec
