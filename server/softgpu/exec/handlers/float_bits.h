// Floats as bits: signs, exponents, flushing and canonical NaN, for every group that has floats.
#pragma once

#include "server/softgpu/exec/handlers/lanes.h"

namespace outboard::softgpu::exec::OUTBOARD_ISA {
namespace {

template <typename T>
struct FloatTraits;
template <>
struct FloatTraits<f32> {
  static constexpr u32 kExponent = 0x7f80'0000, kSign = 0x8000'0000, kNan = 0x7fff'ffff;
};
template <>
struct FloatTraits<f64> {
  static constexpr u64 kExponent = 0x7ff0'0000'0000'0000, kSign = 0x8000'0000'0000'0000,
                       kNan = 0x7ff8'0000'0000'0000;
};

template <typename T>
OUTBOARD_INLINE T flush_subnormal(T value) {
  auto bits = bits_as<UnsignedOf<T>>(value);
  return (bits & FloatTraits<T>::kExponent) == 0
             ? bits_as<T>(static_cast<UnsignedOf<T>>(bits & FloatTraits<T>::kSign))
             : value;
}

template <typename T>
OUTBOARD_INLINE T canonical_nan(T value) {
  return value == value ? value : bits_as<T>(FloatTraits<T>::kNan);
}

}  // namespace
}  // namespace outboard::softgpu::exec::OUTBOARD_ISA
