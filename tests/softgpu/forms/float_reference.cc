#include "tests/softgpu/forms/float_reference.h"

#include <cmath>
#include <map>
#include <random>

namespace outboard::softgpu::exec {
namespace {

using Wide = unsigned __int128;
using Kind = Exact::Kind;

constexpr int kTop = 124;  // normalised mantissas have their highest bit here

int length_of(Wide value) {
  int length = 0;
  for (; value != 0; value >>= 1) ++length;
  return length;
}

// Bits that fall off are remembered in the last one.
Wide shifted_right(Wide value, int count) {
  if (count <= 0) return value;
  if (count > 127) return value != 0;
  Wide kept = value >> count;
  return kept | ((kept << count) != value);
}

Exact normalised(Exact value) {
  int shift = kTop + 1 - length_of(value.mantissa);
  value.mantissa <<= shift;
  value.exponent -= shift;
  return value;
}

Exact special(Kind kind, bool negative) { return {kind, negative, 0, 0}; }

// mantissa * 2^-shift as an integer.
Wide rounded(Wide mantissa, int shift, bool negative, Round round) {
  if (shift <= 0) return mantissa << -shift;
  Wide kept = shift > 127 ? 0 : mantissa >> shift;
  Wide rest = shift > 127 ? mantissa : mantissa - (kept << shift);
  if (rest == 0) return kept;
  // Everything is below one half if it is shifted out that far.
  Wide half = shift > 127 ? ~Wide{0} : Wide{1} << (shift - 1);
  switch (round) {
    case Round::kNearest: return kept + (rest > half || (rest == half && (kept & 1) != 0));
    case Round::kAway: return kept + (rest >= half);
    case Round::kZero: return kept;
    case Round::kDown: return kept + negative;
    default: return kept + !negative;
  }
}

uint64_t encode_with(const Format& format, const Exact& value, Round round, bool finite) {
  if (value.kind == Kind::kNan) return format.nan();
  uint64_t sign = value.negative ? format.sign() : 0;
  if (value.kind == Kind::kInfinite) return sign | (finite ? format.largest() : format.infinity());
  if (value.mantissa == 0) return sign;
  int lowest = 1 - format.bias();
  int exponent = value.exponent + length_of(value.mantissa) - 1;
  int place = (exponent < lowest ? lowest : exponent) - format.mantissa_bits;
  if (exponent > format.bias() + 1) place = format.bias() + 1 - format.mantissa_bits;  // too large anyway
  Wide kept = exponent > format.bias() + 1
                  ? Wide{2} << format.mantissa_bits
                  : rounded(value.mantissa, place - value.exponent, value.negative, round);
  // The implicit bit adds one to the exponent.
  Wide bits =
      kept + (Wide{static_cast<uint64_t>(place + format.mantissa_bits - lowest)} << format.mantissa_bits);
  if (bits > format.largest()) {
    bool inward = round == Round::kZero || (round == Round::kDown && !value.negative) ||
                  (round == Round::kUp && value.negative);
    bits = finite || inward ? format.largest() : format.infinity();
  }
  return sign | static_cast<uint64_t>(bits);
}

}  // namespace

Exact decode(const Format& format, uint64_t bits) {
  bool negative = (bits & format.sign()) != 0;
  uint64_t magnitude = bits & (format.sign() - 1);
  if (format.is_nan(bits)) return special(Kind::kNan, false);
  if (format.has_infinity && magnitude == format.infinity()) return special(Kind::kInfinite, negative);
  uint64_t field = magnitude >> format.mantissa_bits;
  uint64_t mantissa = magnitude & (format.implicit() - 1);
  int exponent = (field == 0 ? 1 : static_cast<int>(field)) - format.bias() - format.mantissa_bits;
  return {Kind::kFinite, negative, field == 0 ? mantissa : mantissa | format.implicit(), exponent};
}

Exact from_integer(__int128 value) {
  return {Kind::kFinite, value < 0, static_cast<Wide>(value < 0 ? -value : value), 0};
}

uint64_t encode(const Format& format, const Exact& value, Round round) {
  return encode_with(format, value, round, false);
}
uint64_t encode_finite(const Format& format, const Exact& value, Round round) {
  return encode_with(format, value, round, true);
}

Exact negated(Exact value) {
  value.negative = !value.negative;
  return value;
}

Exact sum(const Exact& a, const Exact& b, Round round) {
  if (a.kind == Kind::kNan || b.kind == Kind::kNan) return special(Kind::kNan, false);
  if (a.kind == Kind::kInfinite)
    return b.kind == Kind::kInfinite && a.negative != b.negative ? special(Kind::kNan, false) : a;
  if (b.kind == Kind::kInfinite) return b;
  const bool zero_sign = a.negative == b.negative ? a.negative : round == Round::kDown;
  if (a.is_zero() && b.is_zero()) return {Kind::kFinite, zero_sign, 0, 0};
  if (a.is_zero()) return b;
  if (b.is_zero()) return a;
  Exact high = normalised(a), low = normalised(b);
  if (high.exponent < low.exponent) std::swap(high, low);
  low.mantissa = shifted_right(low.mantissa, high.exponent - low.exponent);
  if (high.negative == low.negative) {
    high.mantissa += low.mantissa;
    return high;
  }
  if (high.mantissa == low.mantissa) return {Kind::kFinite, zero_sign, 0, 0};
  high.negative = high.mantissa > low.mantissa ? high.negative : low.negative;
  high.mantissa = high.mantissa > low.mantissa ? high.mantissa - low.mantissa : low.mantissa - high.mantissa;
  return high;
}

Exact product(const Exact& a, const Exact& b) {
  const bool negative = a.negative != b.negative;
  if (a.kind == Kind::kNan || b.kind == Kind::kNan) return special(Kind::kNan, false);
  if (a.kind == Kind::kInfinite || b.kind == Kind::kInfinite)
    return special(a.is_zero() || b.is_zero() ? Kind::kNan : Kind::kInfinite, negative);
  return {Kind::kFinite, negative, a.mantissa * b.mantissa, a.exponent + b.exponent};
}

Exact quotient(const Exact& a, const Exact& b) {
  const bool negative = a.negative != b.negative;
  if (a.kind == Kind::kNan || b.kind == Kind::kNan) return special(Kind::kNan, false);
  if (a.kind == Kind::kInfinite)
    return special(b.kind == Kind::kInfinite ? Kind::kNan : Kind::kInfinite, negative);
  if (b.kind == Kind::kInfinite) return {Kind::kFinite, negative, 0, 0};
  if (b.is_zero()) return special(a.is_zero() ? Kind::kNan : Kind::kInfinite, negative);
  if (a.is_zero()) return {Kind::kFinite, negative, 0, 0};
  const Exact dividend = normalised(a);
  Wide digits = dividend.mantissa / b.mantissa;
  digits = digits << 1 | (dividend.mantissa % b.mantissa != 0);
  return {Kind::kFinite, negative, digits, dividend.exponent - b.exponent - 1};
}

Exact root(const Exact& a) {
  if (a.is_zero()) return a;
  if (a.kind == Kind::kNan || a.negative) return special(Kind::kNan, false);
  if (a.kind == Kind::kInfinite) return a;
  Exact square = normalised(a);
  if ((square.exponent & 1) != 0) {
    square.mantissa <<= 1;
    --square.exponent;
  }
  Wide digits = 0;
  for (int bit = 63; bit >= 0; --bit) {
    Wide next = digits | Wide{1} << bit;
    if (next * next <= square.mantissa) digits = next;
  }
  return {Kind::kFinite, false, digits << 1 | (digits * digits != square.mantissa), square.exponent / 2 - 1};
}

Exact integral(const Exact& value, Round round) {
  if (value.kind != Kind::kFinite || value.exponent >= 0) return value;
  return {Kind::kFinite, value.negative, rounded(value.mantissa, -value.exponent, value.negative, round), 0};
}

uint64_t to_integer(const Exact& value, Round round, unsigned bits, bool is_signed) {
  const __int128 one = 1;
  const __int128 least = is_signed ? -(one << (bits - 1)) : 0;
  const __int128 most = is_signed ? (one << (bits - 1)) - 1 : (one << bits) - 1;
  const Exact whole = integral(value, round);
  __int128 result = whole.negative ? least : most;
  if (whole.kind == Kind::kFinite && length_of(whole.mantissa) + whole.exponent <= 100) {
    result = static_cast<__int128>(whole.mantissa << whole.exponent);
    if (whole.negative) result = -result;
  }
  return static_cast<uint64_t>(result < least ? least : result > most ? most : result);
}

uint64_t flushed(const Format& format, uint64_t bits) {
  return format.is_subnormal(bits) ? bits & format.sign() : bits;
}

uint64_t saturated(const Format& format, uint64_t bits) {
  if (format.is_nan(bits) || (bits & format.sign()) != 0) return 0;
  return bits > format.one() ? format.one() : bits;
}

uint64_t rectified(const Format& format, uint64_t bits) {
  return (bits & format.sign()) != 0 && !format.is_nan(bits) ? 0 : bits;
}

uint64_t extremum(const Format& format, uint64_t a, uint64_t b, const ExtremumRule& rule) {
  const uint64_t flipped = (a ^ b) & format.sign();
  if (rule.xor_sign) {
    a &= ~format.sign();
    b &= ~format.sign();
  }
  const bool a_nan = format.is_nan(a), b_nan = format.is_nan(b);
  if ((a_nan && b_nan) || (rule.nan_wins && (a_nan || b_nan))) return format.nan();
  auto key = [&](uint64_t bits) {
    const auto magnitude = static_cast<int64_t>(bits & (format.sign() - 1));
    return (bits & format.sign()) != 0 ? -magnitude - 1 : magnitude;
  };
  const bool first = b_nan || (!a_nan && (rule.maximum ? key(a) > key(b) : key(a) < key(b)));
  return (first ? a : b) | (rule.xor_sign ? flipped : 0);
}

void check_properties(const Format& format, const std::string& type, const char* reg) {
  const uint64_t infinity = format.infinity(), least = format.implicit();
  struct Property {
    const char* name;
    std::function<bool(uint64_t magnitude)> holds;
  };
  const Property properties[] = {
      {"finite", [=](uint64_t x) { return x < infinity; }},
      {"infinite", [=](uint64_t x) { return x == infinity; }},
      {"number", [=](uint64_t x) { return x <= infinity; }},
      {"notanumber", [=](uint64_t x) { return x > infinity; }},
      {"normal", [=](uint64_t x) { return x == 0 || (x >= least && x < infinity); }},  // zeros count
      {"subnormal", [=](uint64_t x) { return x > 0 && x < least; }}};
  for (const Property& property : properties) {
    FormCheck form{std::string("testp.") + property.name + type, "pred", {reg}, [=](const Values& in) {
                     return uint64_t{property.holds(in[0] & (format.sign() - 1))};
                   }};
    form.edges = {&samples(format)};
    form.rounds = 16;
    check_form(form);
  }
}

const Values& samples(const Format& format) {
  static std::map<int, Values> known;
  Values& values = known[format.mantissa_bits * 64 + format.exponent_bits];
  if (!values.empty()) return values;
  const uint64_t one = format.one(), ulp = 1, least = format.implicit();
  for (uint64_t magnitude : {uint64_t{0},
                             ulp,
                             3 * ulp,
                             least / 2,
                             least - 1,
                             least,
                             least + 1,
                             one / 2,
                             one,
                             one - 1,
                             one + 1,
                             one - least,
                             one + least,
                             one + least / 2,
                             one + least + least / 2,
                             one + 2 * least + least / 4,
                             format.largest(),
                             format.largest() - 1,
                             format.infinity(),
                             format.nan(),
                             format.infinity() + 1}) {
    values.push_back(magnitude);
    values.push_back(magnitude | format.sign());
  }
  std::mt19937_64 random(20240229);
  auto add = [&](uint64_t lowest_exponent, uint64_t exponents) {
    uint64_t exponent = lowest_exponent + random() % exponents;
    uint64_t mantissa = random() & (format.implicit() - 1);
    values.push_back((random() & 1 ? format.sign() : 0) | exponent << format.mantissa_bits | mantissa);
  };
  const uint64_t bias = static_cast<uint64_t>(format.bias());
  for (int i = 0; i < 24; ++i) add(bias - 2, 5);         // sums cancel or round
  for (int i = 0; i < 16; ++i) add(0, 2 * bias + 1);     // any magnitude
  for (int i = 0; i < 12; ++i) add(0, 3);                // around the smallest
  for (int i = 0; i < 8; ++i) add(2 * bias - 2, 3);      // around the largest
  for (int i = 0; i < 12; ++i) add(bias / 2, 4);         // products near the smallest
  for (int i = 0; i < 12; ++i) add(bias + bias / 2, 4);  // products near the largest
  return values;
}

Values moderate(const Format& format) {
  Values values;
  for (int i = -128; i <= 128; ++i)
    values.push_back(encode(format, quotient(from_integer(i * 5), from_integer(4)), Round::kNearest));
  return values;
}

Values paired(const Values& values) {
  Values pairs;
  for (size_t i = 0; i < values.size(); ++i)
    pairs.push_back(values[(i * 17 + 5) % values.size()] << 16 | values[i]);
  return pairs;
}

Expectation in_halves(const Expectation& expectation) {
  return [expectation](const Values& in) {
    Values low, high;
    for (uint64_t value : in) {
      low.push_back(value & 0xffff);
      high.push_back(value >> 16 & 0xffff);
    }
    return (expectation(high) & 0xffff) << 16 | (expectation(low) & 0xffff);
  };
}

double double_of(const Format& format, uint64_t bits) {
  const Exact value = decode(format, bits);
  if (value.kind == Kind::kNan) return std::nan("");
  double magnitude = value.kind == Kind::kInfinite
                         ? INFINITY
                         : std::ldexp(static_cast<double>(value.mantissa), value.exponent);
  return value.negative ? -magnitude : magnitude;
}

}  // namespace outboard::softgpu::exec
