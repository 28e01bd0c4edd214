// What float32.cc, float64.cc and convert.cc share: rounding modes, flushing, saturation, NaN.
#pragma once

#include "server/softgpu/exec/handlers/float_bits.h"
#include "server/softgpu/exec/handlers/table_text.h"

namespace outboard::softgpu::exec::OUTBOARD_ISA {
namespace {

// Op::aux of floating point instructions.
enum : u32 {
  kRoundMask = 3,
  kNearest = 0,
  kDown = 1,
  kUp = 2,
  kToZero = 3,
  kFlush = 4,
  kSaturate = 8,
  kNanWins = 16,
  kXorSign = 32,
  kRelu = 64,
  kFinite = 128
};

// The processor rounds as `mode` says between construction and destruction. Values go through
// memory on both sides (rows are memory), which the compiler must not move across.
class Rounding {
 public:
  OUTBOARD_INLINE explicit Rounding(u32 mode) : directed_(mode != kNearest) {
    if (directed_) [[unlikely]] {
      saved_ = _mm_getcsr();
      // MXCSR's rounding field has PTX's modes in the order of the enum.
      _mm_setcsr((saved_ & ~0x6000u) | mode << 13);
      asm volatile("" ::: "memory");
    }
  }
  OUTBOARD_INLINE ~Rounding() {
    if (directed_) [[unlikely]] {
      asm volatile("" ::: "memory");
      _mm_setcsr(saved_);
    }
  }
  Rounding(const Rounding&) = delete;
  Rounding& operator=(const Rounding&) = delete;

 private:
  bool directed_;
  u32 saved_ = 0;
};

// NaN becomes +0, as PTX wants.
template <typename T>
OUTBOARD_INLINE T saturate(T value) {
  value = value > T{0} ? value : T{0};
  return value < T{1} ? value : T{1};
}

// The options that are worked out per lane, as template parameters of the row loop.
template <bool Flush, bool Saturate, typename T>
OUTBOARD_INLINE T finish(T value) {
  if (Flush) value = flush_subnormal(value);
  return Saturate ? saturate(value) : canonical_nan(value);
}
template <bool Flush, typename T>
OUTBOARD_INLINE T input(T value) {
  return Flush ? flush_subnormal(value) : value;
}

// d = F(sources...) rounded, flushed and saturated as the instruction's aux says.
template <typename T, typename F, bool Flush, bool Saturate, typename... S>
OUTBOARD_INLINE const Op* rounded_row(Warp& warp, const Op* op) {
  Rounding rounding(op->aux & kRoundMask);
  return map<T, S...>(warp, op, [](S... s) { return finish<Flush, Saturate>(F{}(input<Flush>(s)...)); });
}

template <typename T, typename F, typename... S>
const Op* rounded(Warp& warp, const Op* op) {
  switch (op->aux & (kFlush | kSaturate)) {
    case 0: return rounded_row<T, F, false, false, S...>(warp, op);
    case kFlush: return rounded_row<T, F, true, false, S...>(warp, op);
    case kSaturate: return rounded_row<T, F, false, true, S...>(warp, op);
    default: return rounded_row<T, F, true, true, S...>(warp, op);
  }
}
template <typename T, typename F>
constexpr Handler rounded1 = rounded<T, F, T>;
template <typename T, typename F>
constexpr Handler rounded2 = rounded<T, F, T, T>;
template <typename T, typename F>
constexpr Handler rounded3 = rounded<T, F, T, T, T>;

struct FloatAdd {
  template <typename T>
  OUTBOARD_INLINE T operator()(T a, T b) const {
    return a + b;
  }
};
struct FloatSub {
  template <typename T>
  OUTBOARD_INLINE T operator()(T a, T b) const {
    return a - b;
  }
};
struct FloatMul {
  template <typename T>
  OUTBOARD_INLINE T operator()(T a, T b) const {
    return a * b;
  }
};
struct FloatDiv {
  template <typename T>
  OUTBOARD_INLINE T operator()(T a, T b) const {
    return a / b;
  }
};
struct FloatRcp {
  template <typename T>
  OUTBOARD_INLINE T operator()(T a) const {
    return T{1} / a;
  }
};
struct FloatFma {
  OUTBOARD_INLINE f32 operator()(f32 a, f32 b, f32 c) const { return __builtin_fmaf(a, b, c); }
  OUTBOARD_INLINE f64 operator()(f64 a, f64 b, f64 c) const { return __builtin_fma(a, b, c); }
};
struct FloatSqrt {
  OUTBOARD_INLINE f32 operator()(f32 a) const { return __builtin_sqrtf(a); }
  OUTBOARD_INLINE f64 operator()(f64 a) const { return __builtin_sqrt(a); }
};

template <typename T, bool Negate>
const Op* sign(Warp& warp, const Op* op) {
  constexpr auto kSign = FloatTraits<T>::kSign;
  bool flush = op->aux & kFlush;
  return map<T, T>(warp, op, [flush](T a) {
    auto bits = bits_as<UnsignedOf<T>>(flush ? flush_subnormal(a) : a);
    return bits_as<T>(static_cast<UnsignedOf<T>>(Negate ? bits ^ kSign : bits & ~kSign));
  });
}

// d has the magnitude of b and the sign of a.
template <typename T>
const Op* copysign(Warp& warp, const Op* op) {
  constexpr auto kSign = FloatTraits<T>::kSign;
  return map<T, T, T>(warp, op, [](T a, T b) {
    return bits_as<T>(static_cast<UnsignedOf<T>>((bits_as<UnsignedOf<T>>(a) & kSign) |
                                                 (bits_as<UnsignedOf<T>>(b) & ~kSign)));
  });
}

// -0 is less than +0; one NaN gives the other operand, unless NaN wins.
template <typename T, bool Max>
OUTBOARD_INLINE T extremum_of(T a, T b, u32 aux) {
  using Bits = UnsignedOf<T>;
  constexpr Bits kSign = FloatTraits<T>::kSign;
  if (aux & kFlush) {
    a = flush_subnormal(a);
    b = flush_subnormal(b);
  }
  Bits flipped = (bits_as<Bits>(a) ^ bits_as<Bits>(b)) & kSign;
  if (aux & kXorSign) {
    a = bits_as<T>(static_cast<Bits>(bits_as<Bits>(a) & ~kSign));
    b = bits_as<T>(static_cast<Bits>(bits_as<Bits>(b) & ~kSign));
  }
  bool a_negative = bits_as<Bits>(a) & kSign;
  bool first = a == b ? a_negative != Max : (Max ? a > b : a < b);
  T chosen = first ? a : b;
  chosen = a == a ? (b == b ? chosen : a) : b;
  if (aux & kNanWins) chosen = a == a && b == b ? chosen : bits_as<T>(FloatTraits<T>::kNan);
  if (aux & kXorSign) chosen = bits_as<T>(static_cast<Bits>(bits_as<Bits>(chosen) | flipped));
  return canonical_nan(chosen);
}

template <typename T, bool Max>
const Op* extremum(Warp& warp, const Op* op) {
  u32 aux = op->aux;
  if (aux == 0) return map<T, T, T>(warp, op, [](T a, T b) { return extremum_of<T, Max>(a, b, 0); });
  return map<T, T, T>(warp, op, [aux](T a, T b) { return extremum_of<T, Max>(a, b, aux); });
}

enum : u32 { kIsFinite, kIsInfinite, kIsNumber, kIsNan, kIsNormal, kIsSubnormal };

template <typename T>
const Op* testp(Warp& warp, const Op* op) {
  constexpr auto kExponent = FloatTraits<T>::kExponent;
  constexpr auto kMagnitude = static_cast<UnsignedOf<T>>(~FloatTraits<T>::kSign);
  const auto* a = warp.row<const UnsignedOf<T>>(op->r[1]);
  u32 result = 0;
  for (u32 i = 0; i < kLanes; ++i) {
    UnsignedOf<T> bits = a[i] & kMagnitude;
    bool holds = false;
    switch (op->aux) {
      case kIsFinite: holds = bits < kExponent; break;
      case kIsInfinite: holds = bits == kExponent; break;
      case kIsNumber: holds = bits <= kExponent; break;
      case kIsNan: holds = bits > kExponent; break;
      case kIsNormal: holds = bits < kExponent && ((bits & kExponent) != 0 || bits == 0); break;
      default: holds = bits != 0 && (bits & kExponent) == 0; break;
    }
    result |= u32{holds} << i;
  }
  warp.set_predicate(op->r[0], warp.mask(op), result);
  return op + 1;
}

struct Variant {
  const char* text;
  u32 aux;
};
constexpr Variant kRoundings[] = {{".rn", kNearest}, {".rz", kToZero}, {".rm", kDown}, {".rp", kUp}};

// Forms that float32 and float64 have alike; `type` is ".f32".
template <typename T>
void add_common_forms(FormTable& t, const char* type, const char* one, const char* two,
                      const char* predicate) {
  static constexpr Variant kTests[] = {{"testp.finite", kIsFinite}, {"testp.infinite", kIsInfinite},
                                       {"testp.number", kIsNumber}, {"testp.notanumber", kIsNan},
                                       {"testp.normal", kIsNormal}, {"testp.subnormal", kIsSubnormal}};
  for (const Variant& test : kTests) t.add(Pattern(test.text, type).text, predicate, testp<T>, test.aux);
  t.add(Pattern("neg", type).text, one, sign<T, true>);
  t.add(Pattern("abs", type).text, one, sign<T, false>);
  t.add(Pattern("copysign", type).text, two, copysign<T>);
  t.add(Pattern("min", type).text, two, extremum<T, false>);
  t.add(Pattern("max", type).text, two, extremum<T, true>);
}

}  // namespace
}  // namespace outboard::softgpu::exec::OUTBOARD_ISA
