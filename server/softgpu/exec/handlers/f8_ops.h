// 8-bit floats as numbers: e4m3 (ExponentBits 4) and e5m2 (5).
#pragma once

#include "server/softgpu/exec/handlers/lanes.h"

namespace outboard::softgpu::exec::OUTBOARD_ISA {
namespace {

template <u32 ExponentBits>
OUTBOARD_INLINE f32 from_f8(u32 bits) {
  constexpr u32 kMantissaBits = 7 - ExponentBits;
  u32 sign = bits >> 7 << 31, magnitude = bits & 0x7f;
  if constexpr (ExponentBits == 4) {
    if (magnitude == 0x7f) return bits_as<f32>(0x7fff'ffffu);  // e4m3 has NaN, but no infinity
  } else if (magnitude >= 0x7c) {
    return bits_as<f32>(sign | (magnitude == 0x7c ? 0x7f80'0000u : 0x7fff'ffffu));
  }
  // Scaling by a power of two is exact, and makes subnormals come out right.
  constexpr u32 kBias = (1u << (ExponentBits - 1)) - 1;
  f32 scaled = bits_as<f32>(magnitude << (23 - kMantissaBits)) * bits_as<f32>((127u + 127u - kBias) << 23);
  return bits_as<f32>(bits_as<u32>(scaled) | sign);
}

}  // namespace
}  // namespace outboard::softgpu::exec::OUTBOARD_ISA
