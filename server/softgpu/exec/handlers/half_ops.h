// 16-bit floats as numbers: f16 and bf16 to and from f32, and rounding to odd, by which rounding
// twice gives what rounding once would.
#pragma once

#include "server/softgpu/exec/handlers/lanes.h"

namespace outboard::softgpu::exec::OUTBOARD_ISA {
namespace {

constexpr u16 kNan16 = 0x7fff;

struct F16 {
  static constexpr bool kFlushable = true;
  static constexpr u16 kExponent = 0x7c00;
  static constexpr u16 kOne = 0x3c00;
  OUTBOARD_INLINE static f32 widen(u16 bits) {
    // Exact for every value: the exponent is moved by scaling, infinity and NaN apart.
    u32 magnitude = bits & 0x7fffu;
    u32 special = magnitude >= 0x7c00 ? 0x7f80'0000u | (magnitude & 0x3ff) << 13 : 0;
    f32 scaled = bits_as<f32>(magnitude << 13) * 0x1p112f;
    return bits_as<f32>((special != 0 ? special : bits_as<u32>(scaled)) | u32{bits} >> 15 << 31);
  }
  OUTBOARD_INLINE static u16 narrow(f32 value) {
    u16 bits = _cvtss_sh(value, _MM_FROUND_TO_NEAREST_INT);
    return (bits & 0x7fff) > 0x7c00 ? kNan16 : bits;
  }
};

struct Bf16 {
  static constexpr bool kFlushable = false;
  static constexpr u16 kExponent = 0x7f80;
  static constexpr u16 kOne = 0x3f80;
  OUTBOARD_INLINE static f32 widen(u16 bits) { return bits_as<f32>(u32{bits} << 16); }
  OUTBOARD_INLINE static u16 narrow(f32 value) {
    u32 bits = bits_as<u32>(value);
    if ((bits & 0x7fff'ffff) > 0x7f80'0000) return kNan16;
    return static_cast<u16>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
  }
};

// x + y with the last bit telling whether anything was lost (round to odd). Both finite sums of
// values far from the ends of f64's range, so the error term is exact.
OUTBOARD_INLINE f64 add_to_odd(f64 x, f64 y) {
  f64 sum = x + y;
  f64 part = sum - x;
  f64 error = (x - (sum - part)) + (y - part);
  u64 bits = bits_as<u64>(sum);
  bool adjust = error != 0 && (bits & 1) == 0 && sum - sum == 0;
  bool up = (error > 0) == (sum > 0);
  return bits_as<f64>(adjust ? (up ? bits + 1 : bits - 1) : bits);
}

OUTBOARD_INLINE f32 to_f32_odd(f64 value) {
  f32 near = static_cast<f32>(value);
  u32 bits = bits_as<u32>(near);
  f64 error = value - static_cast<f64>(near);
  bool adjust = error != 0 && (bits & 1) == 0;
  if (near - near != 0) return value - value == 0 ? bits_as<f32>(bits - 1) : near;  // finite, but beyond f32
  bool up = (error > 0) == (value > 0);
  return bits_as<f32>(adjust ? (up ? bits + 1 : bits - 1) : bits);
}

}  // namespace
}  // namespace outboard::softgpu::exec::OUTBOARD_ISA
