// The element types of matrix instructions, written in plain host arithmetic.
#pragma once

#include <cmath>
#include <cstdint>
#include <functional>
#include <string>

#include "tests/softgpu/forms/form_runner.h"

namespace outboard::softgpu::exec {

// Element types as the test sees them: how a small value is written in bits.
struct Element {
  const char* name;
  unsigned bits;
  std::function<uint64_t(double)> encode;
  bool negative;  // has negative values
};

inline uint64_t encode_float(double value, int exponent_bits, int mantissa_bits) {
  // Exact for the small integers and halves that the tests use.
  if (value == 0) return 0;
  int exponent;
  double fraction = std::frexp(std::fabs(value), &exponent);  // fraction in [0.5, 1)
  const int bias = (1 << (exponent_bits - 1)) - 1;
  uint64_t mantissa =
      static_cast<uint64_t>(std::llround((fraction * 2 - 1) * std::ldexp(1.0, mantissa_bits)));
  return uint64_t{value < 0} << (exponent_bits + mantissa_bits) |
         static_cast<uint64_t>(exponent - 1 + bias) << mantissa_bits | mantissa;
}

inline Element float_element(const char* name, unsigned bits, int exponent_bits, int mantissa_bits) {
  return {name, bits,
          [=](double v) {
            return encode_float(v, exponent_bits, mantissa_bits) << (std::string(name) == "tf32" ? 13 : 0);
          },
          true};
}
inline Element integer_element(const char* name, unsigned bits, bool is_signed) {
  return {
      name, bits,
      [=](double v) { return static_cast<uint64_t>(static_cast<int64_t>(v)) & ((uint64_t{1} << bits) - 1); },
      is_signed};
}
inline Element element(const std::string& name) {
  if (name == "f16") return float_element("f16", 16, 5, 10);
  if (name == "bf16") return float_element("bf16", 16, 8, 7);
  if (name == "tf32") return float_element("tf32", 32, 8, 10);
  if (name == "e4m3") return float_element("e4m3", 8, 4, 3);
  if (name == "e5m2") return float_element("e5m2", 8, 5, 2);
  if (name == "f64") return {"f64", 64, [](double v) { return bits_of(v); }, true};
  if (name == "s8") return integer_element("s8", 8, true);
  if (name == "u8") return integer_element("u8", 8, false);
  if (name == "s4") return integer_element("s4", 4, true);
  return integer_element("u4", 4, false);
}

inline double decode_half(uint64_t bits) {
  if ((bits & 0x7fff) == 0) return 0;
  const double magnitude =
      std::ldexp(1.0 + static_cast<double>(bits & 0x3ff) / 1024, static_cast<int>(bits >> 10 & 31) - 15);
  return bits >> 15 & 1 ? -magnitude : magnitude;
}

// Small values that every element type holds exactly.
inline double sample(unsigned seed, bool negative) {
  const int value = static_cast<int>(seed * 2654435761u >> 29);  // 0..7
  return negative ? value - 3 : value;
}

}  // namespace outboard::softgpu::exec
