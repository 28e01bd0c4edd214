// cvt: between integers, floats, and both. convert_packed.cc has the formats that have no type of their own.
#include "server/softgpu/exec/handlers/float_ops.h"
#include "server/softgpu/exec/handlers/half_ops.h"

namespace outboard::softgpu::exec::OUTBOARD_ISA {
namespace {

// 8-bit values live in 16-bit registers.
template <typename T>
using RowOf = std::conditional_t<sizeof(T) == 1, std::conditional_t<std::is_signed_v<T>, s16, u16>, T>;

template <typename T>
struct Range {
  static constexpr T kMin = std::is_signed_v<T> ? static_cast<T>(T{1} << (8 * sizeof(T) - 1)) : T{0};
  static constexpr T kMax = static_cast<T>(~kMin);
};

// A narrower integer keeps the low bits, or the nearest value it can hold.
template <typename D, typename S, bool Saturate>
struct IntegerToInteger {
  OUTBOARD_INLINE RowOf<D> operator()(RowOf<S> from) const {
    S value = static_cast<S>(from);
    if constexpr (Saturate) {
      constexpr bool kCanBeBelow = std::is_signed_v<S> && (!std::is_signed_v<D> || sizeof(D) < sizeof(S));
      constexpr bool kCanBeAbove =
          sizeof(D) < sizeof(S) || (sizeof(D) == sizeof(S) && std::is_signed_v<D> && !std::is_signed_v<S>);
      if constexpr (kCanBeBelow) {
        if (value < static_cast<S>(Range<D>::kMin)) return static_cast<RowOf<D>>(Range<D>::kMin);
      }
      if constexpr (kCanBeAbove) {
        if (value > static_cast<S>(Range<D>::kMax)) return static_cast<RowOf<D>>(Range<D>::kMax);
      }
    }
    return static_cast<RowOf<D>>(static_cast<D>(value));
  }
};

template <typename T>
OUTBOARD_INLINE T to_integral(T value, u32 mode) {
  if constexpr (sizeof(T) == 4) {
    return mode == kNearest  ? __builtin_rintf(value)
           : mode == kToZero ? __builtin_truncf(value)
           : mode == kDown   ? __builtin_floorf(value)
                             : __builtin_ceilf(value);
  } else {
    return mode == kNearest  ? __builtin_rint(value)
           : mode == kToZero ? __builtin_trunc(value)
           : mode == kDown   ? __builtin_floor(value)
                             : __builtin_ceil(value);
  }
}

// How a float type is read from its row and as what it is computed.
template <typename T>
struct Floating {
  using Row = T;
  using Value = T;
  OUTBOARD_INLINE static T get(T bits) { return bits; }
};
template <>
struct Floating<F16> {
  using Row = u16;
  using Value = f32;
  OUTBOARD_INLINE static f32 get(u16 bits) { return F16::widen(bits); }
};
template <>
struct Floating<Bf16> {
  using Row = u16;
  using Value = f32;
  OUTBOARD_INLINE static f32 get(u16 bits) { return Bf16::widen(bits); }
};

// What is out of range becomes the nearest value in it. NaN becomes 0, or of 64-bit types the value
// with only the highest bit.
template <typename D, typename S, u32 Mode, bool Flush>
struct FloatToInteger {
  using Value = typename Floating<S>::Value;
  OUTBOARD_INLINE RowOf<D> operator()(typename Floating<S>::Row from) const {
    Value value = Floating<S>::get(from);
    if (Flush) value = flush_subnormal(value);
    value = to_integral(value, Mode);
    // One beyond the largest value is a power of two, exact in every float.
    constexpr Value kAbove = static_cast<Value>(static_cast<u64>(Range<D>::kMax / 2 + 1)) * 2;
    constexpr Value kBelow = static_cast<Value>(Range<D>::kMin);
    D result = value < kAbove && value > kBelow ? static_cast<D>(value)
               : value >= kAbove                ? Range<D>::kMax
                                                : Range<D>::kMin;
    constexpr bool kWide = std::is_same_v<S, f64> || sizeof(D) == 8;
    constexpr D kOfNan = kWide ? static_cast<D>(u64{1} << (8 * sizeof(D) - 1)) : D{0};
    return static_cast<RowOf<D>>(value == value ? result : kOfNan);
  }
};

// An integer as f32 with the lost bits remembered in the last one.
template <typename S>
OUTBOARD_INLINE f32 to_f32_odd(S value)
  requires std::is_integral_v<S>
{
  bool negative = value < 0;
  u64 magnitude = negative ? u64{0} - static_cast<u64>(static_cast<s64>(value)) : static_cast<u64>(value);
  u32 length = magnitude == 0 ? 0 : 64 - static_cast<u32>(__builtin_clzll(magnitude));
  u32 shift = length > 24 ? length - 24 : 0;
  u64 kept = magnitude >> shift;
  kept |= (kept << shift) != magnitude;
  f32 scaled = static_cast<f32>(static_cast<s64>(kept)) * bits_as<f32>((127 + shift) << 23);
  return negative ? -scaled : scaled;
}

template <typename D, typename S>
const Op* integer_to_float(Warp& warp, const Op* op) {
  Rounding rounding(op->aux & kRoundMask);
  bool saturated = op->aux & kSaturate;
  return map<D, RowOf<S>>(warp, op, [saturated](RowOf<S> from) {
    D value = static_cast<D>(static_cast<S>(from));
    return saturated ? saturate(value) : value;
  });
}

// f32 to f16 with any rounding.
template <u32 Mode>
OUTBOARD_INLINE u16 narrow_f16(f32 value) {
  constexpr int kMode = Mode == kNearest ? _MM_FROUND_TO_NEAREST_INT
                        : Mode == kDown  ? _MM_FROUND_TO_NEG_INF
                        : Mode == kUp    ? _MM_FROUND_TO_POS_INF
                                         : _MM_FROUND_TO_ZERO;
  u16 bits = _cvtss_sh(value, kMode);
  return (bits & 0x7fff) > 0x7c00 ? kNan16 : bits;
}

template <u32 Mode>
OUTBOARD_INLINE u16 narrow_bf16(f32 value) {
  u32 bits = bits_as<u32>(value);
  if ((bits & 0x7fff'ffff) > 0x7f80'0000) return kNan16;
  bool negative = bits >> 31;
  if (Mode == kNearest) return Bf16::narrow(value);
  if (Mode == kToZero || (Mode == kDown) != negative) return static_cast<u16>(bits >> 16);
  return static_cast<u16>((bits + 0xffff) >> 16);
}

template <typename T, u32 Mode>
OUTBOARD_INLINE u16 narrow(f32 value) {
  if constexpr (std::is_same_v<T, F16>)
    return narrow_f16<Mode>(value);
  else
    return narrow_bf16<Mode>(value);
}

// What may happen after narrowing to 16 bits.
template <typename T>
OUTBOARD_INLINE u16 finish16(u16 bits, u32 aux) {
  bool nan = (bits & 0x7fff) > T::kExponent;
  if (aux & kSaturate) return nan || bits >= 0x8000 ? 0 : bits > T::kOne ? T::kOne : bits;
  if ((aux & kRelu) && bits >= 0x8000 && !nan) return 0;
  if ((aux & kFinite) && (bits & 0x7fff) == T::kExponent) return bits - 1;
  return bits;
}

template <typename D, typename S, u32 Mode>
const Op* to_half(Warp& warp, const Op* op) {
  u32 aux = op->aux;
  if constexpr (std::is_integral_v<S>) {
    return map<u16, RowOf<S>>(warp, op, [aux](RowOf<S> from) {
      return finish16<D>(narrow<D, Mode>(to_f32_odd(static_cast<S>(from))), aux);
    });
  } else if constexpr (std::is_same_v<S, f64>) {
    return map<u16, f64>(warp, op,
                         [aux](f64 from) { return finish16<D>(narrow<D, Mode>(to_f32_odd(from)), aux); });
  } else {
    return map<u16, typename Floating<S>::Row>(warp, op, [aux](typename Floating<S>::Row from) {
      f32 value = Floating<S>::get(from);
      if (aux & kFlush) value = flush_subnormal(value);
      return finish16<D>(narrow<D, Mode>(value), aux);
    });
  }
}

template <typename D, typename S>
const Op* widen_float(Warp& warp, const Op* op) {
  u32 aux = op->aux;
  return map<D, typename Floating<S>::Row>(warp, op, [aux](typename Floating<S>::Row from) {
    auto value = Floating<S>::get(from);
    if (aux & kFlush) value = flush_subnormal(value);
    D wide = canonical_nan(static_cast<D>(value));
    return aux & kSaturate ? saturate(wide) : wide;
  });
}

const Op* narrow_f64(Warp& warp, const Op* op) {
  Rounding rounding(op->aux & kRoundMask);
  u32 aux = op->aux;
  return map<f32, f64>(warp, op, [aux](f64 from) {
    f32 value = canonical_nan(static_cast<f32>(from));
    if (aux & kFlush) value = flush_subnormal(value);
    return aux & kSaturate ? saturate(value) : value;
  });
}

// To an integral value of the same type, or only saturated and flushed (Mode kKeep).
constexpr u32 kKeep = 4;
template <typename T, u32 Mode>
const Op* same_float(Warp& warp, const Op* op) {
  u32 aux = op->aux;
  return map<T, T>(warp, op, [aux](T value) {
    if (aux & kFlush) value = flush_subnormal(value);
    if constexpr (Mode != kKeep) value = to_integral(value, Mode);
    return aux & kSaturate ? saturate(value) : canonical_nan(value);
  });
}

template <typename T, u32 Mode>
const Op* same_half(Warp& warp, const Op* op) {
  u32 aux = op->aux;
  return map<u16, u16>(warp, op, [aux](u16 from) {
    f32 value = T::widen(from);
    if constexpr (Mode != kKeep) value = to_integral(value, Mode);
    return finish16<T>(T::narrow(value), aux);
  });
}

// d = a in the upper half, b in the lower.
template <typename T, u32 Mode>
const Op* pack_halves(Warp& warp, const Op* op) {
  u32 aux = op->aux;
  return map<u32, f32, f32>(warp, op, [aux](f32 a, f32 b) {
    return u32{finish16<T>(narrow<T, Mode>(a), aux)} << 16 | finish16<T>(narrow<T, Mode>(b), aux);
  });
}

template <typename T>
constexpr const char* kName = "";
template <>
constexpr const char* kName<u8> = "u8";
template <>
constexpr const char* kName<u16> = "u16";
template <>
constexpr const char* kName<u32> = "u32";
template <>
constexpr const char* kName<u64> = "u64";
template <>
constexpr const char* kName<s8> = "s8";
template <>
constexpr const char* kName<s16> = "s16";
template <>
constexpr const char* kName<s32> = "s32";
template <>
constexpr const char* kName<s64> = "s64";
template <>
constexpr const char* kName<f32> = "f32";
template <>
constexpr const char* kName<f64> = "f64";
template <>
constexpr const char* kName<F16> = "f16";
template <>
constexpr const char* kName<Bf16> = "bf16";

template <typename... T>
struct List {};
using Integers = List<u8, u16, u32, u64, s8, s16, s32, s64>;

template <typename D, typename S>
void add(FormTable& t, const char* modifiers, Handler handler, u32 aux) {
  t.add(Pattern("cvt", modifiers, ".", kName<D>, ".", kName<S>).text,
        Pattern("=", kName<D>, " ", kName<S>).text, handler, aux, kRelaxedWidths);
}

template <typename D, typename... S>
void add_integers_to(FormTable& t, List<S...>) {
  (add<D, S>(t, "", run<RowOf<D>, IntegerToInteger<D, S, false>, RowOf<S>>, 0), ...);
  (add<D, S>(t, ".sat", run<RowOf<D>, IntegerToInteger<D, S, true>, RowOf<S>>, 0), ...);
}

// .sat changes nothing here, and does not exist for bf16.
template <typename S, u32 Mode, typename... D>
void add_float_to_integers(FormTable& t, const char* rounding, List<D...>) {
  using Row = typename Floating<S>::Row;
  const char* saturation = std::is_same_v<S, Bf16> ? "" : "[.sat]";
  (add<D, S>(t, Pattern(rounding, saturation).text, run<RowOf<D>, FloatToInteger<D, S, Mode, false>, Row>, 0),
   ...);
  if constexpr (sizeof(Row) == 4)
    (add<D, S>(t, Pattern(rounding, ".ftz[.sat]").text, run<RowOf<D>, FloatToInteger<D, S, Mode, true>, Row>,
               0),
     ...);
}

template <typename... S>
void add_integers_to_floats(FormTable& t, List<S...>) {
  for (const Variant& rounding : kRoundings) {
    for (const Variant& range : {Variant{"", 0}, Variant{".sat", kSaturate}}) {
      // No integer becomes a subnormal number.
      (add<f32, S>(t, Pattern(rounding.text, "[.ftz]", range.text).text, integer_to_float<f32, S>,
                   rounding.aux | range.aux),
       ...);
      (add<f64, S>(t, Pattern(rounding.text, range.text).text, integer_to_float<f64, S>,
                   rounding.aux | range.aux),
       ...);
    }
  }
}

template <u32 Mode, typename... S>
void add_to_halves(FormTable& t, const char* rounding, List<S...>) {
  (add<F16, S>(t, rounding, to_half<F16, S, Mode>, 0), ...);
  (add<F16, S>(t, Pattern(rounding, ".sat").text, to_half<F16, S, Mode>, kSaturate), ...);
  (add<Bf16, S>(t, rounding, to_half<Bf16, S, Mode>, 0), ...);
}

// f32 to f16 and bf16, one or two of them.
template <u32 Mode>
void add_single_to_halves(FormTable& t, const char* rounding) {
  add<F16, f32>(t, Pattern(rounding, ".ftz").text, to_half<F16, f32, Mode>, kFlush);
  add<F16, f32>(t, Pattern(rounding, ".ftz.sat").text, to_half<F16, f32, Mode>, kFlush | kSaturate);
  add<Bf16, f32>(t, Pattern(rounding, ".ftz").text, to_half<Bf16, f32, Mode>, kFlush);
  if constexpr (Mode == kNearest || Mode == kToZero) {
    for (const Variant& range : {Variant{"", 0}, Variant{".relu", kRelu}, Variant{".satfinite", kFinite},
                                 Variant{".relu.satfinite", kRelu | kFinite}}) {
      const Pattern modifiers(rounding, range.text);
      if (range.aux != 0) {
        add<F16, f32>(t, modifiers.text, to_half<F16, f32, Mode>, range.aux);
        add<Bf16, f32>(t, modifiers.text, to_half<Bf16, f32, Mode>, range.aux);
      }
      t.add(Pattern("cvt", modifiers.text, ".f16x2.f32").text, "=b32 f32 f32", pack_halves<F16, Mode>,
            range.aux);
      t.add(Pattern("cvt", modifiers.text, ".bf16x2.f32").text, "=b32 f32 f32", pack_halves<Bf16, Mode>,
            range.aux);
    }
  }
}

template <u32 Mode>
void add_rounding(FormTable& t, const char* rounding, const char* integral) {
  add_float_to_integers<f32, Mode>(t, integral, Integers{});
  add_float_to_integers<f64, Mode>(t, integral, Integers{});
  add_float_to_integers<F16, Mode>(t, integral, Integers{});
  add_float_to_integers<Bf16, Mode>(t, integral, Integers{});
  add_to_halves<Mode>(t, rounding, List<u8, u16, u32, u64, s8, s16, s32, s64, f32, f64>{});
  add_single_to_halves<Mode>(t, rounding);
  add<F16, Bf16>(t, rounding, to_half<F16, Bf16, Mode>, 0);
  add<Bf16, F16>(t, rounding, to_half<Bf16, F16, Mode>, 0);
  // Exact, whatever the rounding.
  add<f32, Bf16>(t, rounding, widen_float<f32, Bf16>, 0);
  add<f32, Bf16>(t, Pattern(rounding, ".ftz").text, widen_float<f32, Bf16>, kFlush);
  add<f64, Bf16>(t, rounding, widen_float<f64, Bf16>, 0);
  add<Bf16, Bf16>(t, integral, same_half<Bf16, Mode>, 0);
  for (const Variant& range : {Variant{"", 0}, Variant{".sat", kSaturate}, Variant{".ftz", kFlush},
                               Variant{".ftz.sat", kFlush | kSaturate}}) {
    add<f32, f64>(t, Pattern(rounding, range.text).text, narrow_f64, Mode | range.aux);
    add<f32, f32>(t, Pattern(integral, range.text).text, same_float<f32, Mode>, range.aux);
    if (range.aux & kFlush) continue;
    add<f64, f64>(t, Pattern(integral, range.text).text, same_float<f64, Mode>, range.aux);
    add<F16, F16>(t, Pattern(integral, range.text).text, same_half<F16, Mode>, range.aux);
  }
}

void add_exact(FormTable& t) {
  add<f32, Bf16>(t, "", widen_float<f32, Bf16>, 0);
  add<f32, Bf16>(t, ".ftz", widen_float<f32, Bf16>, kFlush);
  add<f64, Bf16>(t, "", widen_float<f64, Bf16>, 0);
  for (const Variant& range : {Variant{"", 0}, Variant{".sat", kSaturate}, Variant{".ftz", kFlush},
                               Variant{".ftz.sat", kFlush | kSaturate}}) {
    add<f64, f32>(t, range.text, widen_float<f64, f32>, range.aux);
    add<f32, F16>(t, range.text, widen_float<f32, F16>, range.aux & kSaturate);
    add<f32, f32>(t, range.text, same_float<f32, kKeep>, range.aux);
    if (range.aux & kFlush) continue;
    add<f64, F16>(t, range.text, widen_float<f64, F16>, range.aux);
    add<f64, f64>(t, range.text, same_float<f64, kKeep>, range.aux);
    add<F16, F16>(t, range.text, same_half<F16, kKeep>, range.aux);
  }
}

}  // namespace

void add_convert_forms(FormTable& table) {
  table.begin_group("convert");
  add_integers_to<u8>(table, Integers{});
  add_integers_to<u16>(table, Integers{});
  add_integers_to<u32>(table, Integers{});
  add_integers_to<u64>(table, Integers{});
  add_integers_to<s8>(table, Integers{});
  add_integers_to<s16>(table, Integers{});
  add_integers_to<s32>(table, Integers{});
  add_integers_to<s64>(table, Integers{});
  add_integers_to_floats(table, Integers{});
  add_rounding<kNearest>(table, ".rn", ".rni");
  add_rounding<kToZero>(table, ".rz", ".rzi");
  add_rounding<kDown>(table, ".rm", ".rmi");
  add_rounding<kUp>(table, ".rp", ".rpi");
  add_exact(table);
}

}  // namespace outboard::softgpu::exec::OUTBOARD_ISA
