// Selectors of video instructions ("%r1.b2", "%r2.h10"): part of operands in the text, of the
// instruction once it is lowered.
#pragma once

#include <cstdint>

namespace outboard::softgpu::ptx {

// Scalar instructions select one part: the whole, a byte or a half-word.
inline constexpr uint32_t kVideoWhole = 0, kVideoByte = 1, kVideoHalf = 5;

struct VideoSelectors {
  uint32_t d = 0;        // scalar: the part that is written. Several at a time: a bit per element
  uint32_t a = 0;        // scalar: a part. Four at a time: 3 bits per element, two: 2 bits
  uint32_t b = 0;        // likewise
  uint32_t negated = 0;  // bits 0 to 2: a, b and c of vmad
};

// Force-inlined into handlers, which must not share functions with other code.
[[gnu::always_inline]] constexpr int64_t pack_video(const VideoSelectors& s) {
  return static_cast<int64_t>(s.d | uint64_t{s.a} << 8 | uint64_t{s.b} << 20 | uint64_t{s.negated} << 32);
}
[[gnu::always_inline]] constexpr VideoSelectors unpack_video(int64_t packed) {
  auto bits = static_cast<uint64_t>(packed);
  return {static_cast<uint32_t>(bits & 0xff), static_cast<uint32_t>(bits >> 8 & 0xfff),
          static_cast<uint32_t>(bits >> 20 & 0xfff), static_cast<uint32_t>(bits >> 32 & 7)};
}

}  // namespace outboard::softgpu::ptx
