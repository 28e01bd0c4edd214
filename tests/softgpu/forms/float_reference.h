// Floating point arithmetic in integers, for expected values: any binary format and rounding, with
// nothing of the host's floating point in it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/softgpu/forms/form_check.h"

namespace outboard::softgpu::exec {

struct Format {
  int mantissa_bits;
  int exponent_bits;
  bool has_infinity = true;

  int width() const { return 1 + exponent_bits + mantissa_bits; }
  int bias() const { return (1 << (exponent_bits - 1)) - 1; }
  uint64_t sign() const { return uint64_t{1} << (exponent_bits + mantissa_bits); }
  uint64_t implicit() const { return uint64_t{1} << mantissa_bits; }
  uint64_t infinity() const { return sign() - implicit(); }
  uint64_t largest() const { return has_infinity ? infinity() - 1 : sign() - 2; }
  // What instructions give for NaN. PTX leaves f64's open; it is the quiet one without payload here.
  uint64_t nan() const { return mantissa_bits == 52 ? infinity() | implicit() >> 1 : sign() - 1; }
  uint64_t one() const { return static_cast<uint64_t>(bias()) << mantissa_bits; }
  bool is_nan(uint64_t bits) const {
    return has_infinity ? (bits & (sign() - 1)) > infinity() : (bits & (sign() - 1)) == nan();
  }
  bool is_subnormal(uint64_t bits) const {
    return (bits & (sign() - 1)) != 0 && (bits & (sign() - 1)) < implicit();
  }
};
inline constexpr Format kF16{10, 5}, kBf16{7, 8}, kF32{23, 8}, kF64{52, 11}, kTf32{10, 8}, kE4m3{3, 4, false},
    kE5m2{2, 5};

enum class Round { kNearest, kZero, kDown, kUp, kAway };  // kAway: to nearest, halves away from zero

// mantissa * 2^exponent, or something special.
struct Exact {
  enum class Kind { kFinite, kInfinite, kNan };
  Kind kind = Kind::kFinite;
  bool negative = false;
  unsigned __int128 mantissa = 0;
  int exponent = 0;
  bool is_zero() const { return kind == Kind::kFinite && mantissa == 0; }
};

Exact decode(const Format& format, uint64_t bits);
Exact from_integer(__int128 value);
uint64_t encode(const Format& format, const Exact& value, Round round);
// What is too large for the format becomes its largest number.
uint64_t encode_finite(const Format& format, const Exact& value, Round round);

Exact negated(Exact value);
// `round` chooses the sign of a sum that is zero.
Exact sum(const Exact& a, const Exact& b, Round round);
Exact product(const Exact& a, const Exact& b);
// Quotients and roots have more digits than any format, the last one telling whether others follow.
Exact quotient(const Exact& a, const Exact& b);
Exact root(const Exact& a);
Exact integral(const Exact& value, Round round);
// The nearest integer of that type; no NaN.
uint64_t to_integer(const Exact& value, Round round, unsigned bits, bool is_signed);

// .ftz: a subnormal number becomes a zero of its sign.
uint64_t flushed(const Format& format, uint64_t bits);
// .sat: into [+0, 1], NaN becomes 0.
uint64_t saturated(const Format& format, uint64_t bits);
// .relu: what is negative becomes +0, NaN stays.
uint64_t rectified(const Format& format, uint64_t bits);

// PTX's order: -0 is less than +0, and one NaN gives the other operand.
struct ExtremumRule {
  bool maximum;
  bool nan_wins = false;  // .NaN
  bool xor_sign = false;  // .xorsign.abs
};
uint64_t extremum(const Format& format, uint64_t a, uint64_t b, const ExtremumRule& rule);

// Borders, specials and pseudo-random numbers of many magnitudes.
const Values& samples(const Format& format);
// Numbers between -160 and 160, where exponentials are neither 0 nor infinite.
Values moderate(const Format& format);
// Two values in one register.
Values paired(const Values& values);

struct RoundName {
  const char* text;
  Round round;
};
inline constexpr RoundName kRoundNames[] = {
    {".rn", Round::kNearest}, {".rz", Round::kZero}, {".rm", Round::kDown}, {".rp", Round::kUp}};

// Applies an expectation of 16-bit values to both halves of the inputs.
Expectation in_halves(const Expectation& expectation);

// testp in all its forms; `type` is ".f32".
void check_properties(const Format& format, const std::string& type, const char* reg);

double double_of(const Format& format, uint64_t bits);

}  // namespace outboard::softgpu::exec
