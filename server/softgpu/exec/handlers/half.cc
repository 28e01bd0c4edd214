// Arithmetic and comparison of 16-bit floats: f16 and bf16, one or two per lane. A row of pairs is
// computed as 64 values. Everything is computed in f32, which is wide enough for one rounding of
// sums and products; fma rounds to odd in between, so that rounding twice gives what rounding once
// would.
#include "server/softgpu/exec/handlers/half_ops.h"
#include "server/softgpu/exec/handlers/table_text.h"

namespace outboard::softgpu::exec::OUTBOARD_ISA {
namespace {

struct HalfAdd {
  template <typename T>
  OUTBOARD_INLINE f32 operator()(f32 a, f32 b) const {
    return a + b;
  }
};
struct HalfSub {
  template <typename T>
  OUTBOARD_INLINE f32 operator()(f32 a, f32 b) const {
    return a - b;
  }
};
struct Mul {
  template <typename T>
  OUTBOARD_INLINE f32 operator()(f32 a, f32 b) const {
    if constexpr (T::kFlushable) return a * b;  // exact: two 11-bit significands
    return to_f32_odd(static_cast<f64>(a) *
                      static_cast<f64>(b));  // bf16 has f32's range, so f32 could underflow
  }
};

OUTBOARD_INLINE f32 multiply_add(f32 a, f32 b, f32 c) {
  return to_f32_odd(add_to_odd(static_cast<f64>(a) * static_cast<f64>(b), static_cast<f64>(c)));
}

// Op::aux
enum : u32 { kFlush = 1, kSaturate = 2, kRelu = 4, kNanWins = 8, kXorSign = 16 };

template <typename T>
OUTBOARD_INLINE u16 flush_input(u16 bits, u32 aux) {
  return (aux & kFlush) && (bits & T::kExponent) == 0 ? bits & 0x8000 : bits;
}

template <typename T>
OUTBOARD_INLINE u16 finish(f32 value, u32 aux) {
  u16 bits = T::narrow(value);
  if (aux & kFlush) bits = flush_input<T>(bits, aux);
  bool nan = (bits & 0x7fff) > T::kExponent;
  if (aux & kSaturate) {
    if (nan || bits >= 0x8000) return 0;
    return bits > T::kOne ? T::kOne : bits;
  }
  if ((aux & kRelu) && bits >= 0x8000 && !nan) return 0;
  return bits;
}

// Applies f to the u16 elements of rows; Pairs tells one or two per lane.
template <bool Pairs, u32 Sources, typename F>
OUTBOARD_INLINE const Op* each(Warp& warp, const Op* op, F f) {
  u32 mask = warp.mask(op);
  if (mask == 0) return op + 1;
  constexpr u32 kCount = Pairs ? 2 * kLanes : kLanes;
  const u16* in[3] = {warp.row<const u16>(op->r[1]), warp.row<const u16>(op->r[Sources > 1 ? 2 : 1]),
                      warp.row<const u16>(op->r[Sources > 2 ? 3 : 1])};
  alignas(64) u16 out[kCount];
  for (u32 i = 0; i < kCount; ++i) out[i] = f(in[0][i], in[1][i], in[2][i]);
  if constexpr (Pairs) {
    blend(warp.row<u32>(op->r[0]), reinterpret_cast<const u32*>(out), mask);
  } else {
    blend(warp.row<u16>(op->r[0]), out, mask);
  }
  return op + 1;
}

template <typename T, bool Pairs, typename F>
const Op* arithmetic(Warp& warp, const Op* op) {
  u32 aux = op->aux;
  return each<Pairs, 2>(warp, op, [aux](u16 a, u16 b, u16) {
    f32 value =
        F{}.template operator()<T>(T::widen(flush_input<T>(a, aux)), T::widen(flush_input<T>(b, aux)));
    return finish<T>(value, aux);
  });
}

template <typename T, bool Pairs>
const Op* fma(Warp& warp, const Op* op) {
  u32 aux = op->aux;
  return each<Pairs, 3>(warp, op, [aux](u16 a, u16 b, u16 c) {
    return finish<T>(multiply_add(T::widen(flush_input<T>(a, aux)), T::widen(flush_input<T>(b, aux)),
                                  T::widen(flush_input<T>(c, aux))),
                     aux);
  });
}

template <typename T, bool Pairs, bool Negate>
const Op* sign(Warp& warp, const Op* op) {
  u32 aux = op->aux;
  return each<Pairs, 1>(warp, op, [aux](u16 a, u16, u16) -> u16 {
    a = flush_input<T>(a, aux);
    return static_cast<u16>(Negate ? a ^ 0x8000 : a & 0x7fff);
  });
}

// The order of the numbers as the order of integers; -0 lies below +0.
OUTBOARD_INLINE s32 order(u16 bits) {
  return bits & 0x8000 ? -static_cast<s32>(bits & 0x7fff) - 1 : static_cast<s32>(bits);
}

template <typename T, bool Pairs, bool Max>
const Op* extremum(Warp& warp, const Op* op) {
  u32 aux = op->aux;
  return each<Pairs, 2>(warp, op, [aux](u16 a, u16 b, u16) -> u16 {
    a = flush_input<T>(a, aux);
    b = flush_input<T>(b, aux);
    bool a_nan = (a & 0x7fff) > T::kExponent, b_nan = (b & 0x7fff) > T::kExponent;
    u16 flipped = (a ^ b) & 0x8000;
    if (aux & kXorSign) {
      a &= 0x7fff;
      b &= 0x7fff;
    }
    if (a_nan || b_nan) {
      if ((aux & kNanWins) || (a_nan && b_nan)) return kNan16;
      return static_cast<u16>((a_nan ? b : a) | (aux & kXorSign ? flipped : 0));
    }
    bool first = Max ? order(a) >= order(b) : order(a) <= order(b);
    u16 chosen = first ? a : b;
    return static_cast<u16>(aux & kXorSign ? chosen | flipped : chosen);
  });
}

// Comparisons, numbered as in the table below; the second eight are true for NaN too.
enum : u32 {
  kEq,
  kNe,
  kLt,
  kLe,
  kGt,
  kGe,
  kNum,
  kNanTest,
  kUnordered = 8,
  kComparisonMask = 15,
  kAnd = 16,
  kOr = 32,
  kXor = 48,
  kCombine = 48,
  kFlushCompare = 64
};

template <typename T>
OUTBOARD_INLINE bool holds(u32 aux, u16 x, u16 y) {
  if (aux & kFlushCompare) {
    x = flush_input<T>(x, kFlush);
    y = flush_input<T>(y, kFlush);
  }
  bool nan = (x & 0x7fff) > T::kExponent || (y & 0x7fff) > T::kExponent;
  f32 a = T::widen(x), b = T::widen(y);
  switch (aux & 7) {
    case kEq: return a == b || (nan && (aux & kUnordered));
    case kNe: return nan ? (aux & kUnordered) != 0 : a != b;
    case kLt: return a < b || (nan && (aux & kUnordered));
    case kLe: return a <= b || (nan && (aux & kUnordered));
    case kGt: return a > b || (nan && (aux & kUnordered));
    case kGe: return a >= b || (nan && (aux & kUnordered));
    case kNum: return !nan;
    default: return nan;
  }
}

OUTBOARD_INLINE u32 combined(u32 aux, u32 value, u32 other) {
  switch (aux & kCombine) {
    case kAnd: return value & other;
    case kOr: return value | other;
    case kXor: return value ^ other;
    default: return value;
  }
}

// f16: p|q, a, b [, c] as for wider types. f16x2: p|q are the results of the two halves.
template <typename T, bool Pairs>
const Op* setp(Warp& warp, const Op* op) {
  u32 mask = warp.mask(op);
  const u16 *a = warp.row<const u16>(op->r[2]), *b = warp.row<const u16>(op->r[3]);
  u32 low = 0, high = 0;
  for (u32 i = 0; i < kLanes; ++i) {
    low |= u32{holds<T>(op->aux, a[Pairs ? 2 * i : i], b[Pairs ? 2 * i : i])} << i;
    if (Pairs) high |= u32{holds<T>(op->aux, a[2 * i + 1], b[2 * i + 1])} << i;
  }
  u32 other = op->aux & kCombine ? warp.predicate(op->r[4]) : 0;
  warp.set_predicate(op->r[0], mask, combined(op->aux, low, other));
  warp.set_predicate(op->r[1], mask, combined(op->aux, Pairs ? high : ~low, other));
  return op + 1;
}

OUTBOARD_INLINE bool chosen(const Warp& warp, const Op* op, u32 lane, bool value) {
  u32 other = op->aux & kCombine ? warp.predicate(op->r[3]) >> lane : 0;
  return combined(op->aux, value, other) & 1;
}

// d, a, b [, c]: d is 1.0 or 0 of the type, or all ones or 0 (of one comparison 32 bits).
template <typename T, bool Pairs, bool Ones>
const Op* set(Warp& warp, const Op* op) {
  const u16 *a = warp.row<const u16>(op->r[1]), *b = warp.row<const u16>(op->r[2]);
  constexpr u32 kPerLane = Pairs ? 2 : 1;
  alignas(64) u16 out[2 * kLanes];
  alignas(64) u32 wide[kLanes];
  for (u32 i = 0; i < kPerLane * kLanes; ++i) {
    u32 lane = i / kPerLane;
    bool value = chosen(warp, op, lane, holds<T>(op->aux, a[i], b[i]));
    out[i] = value ? (Ones ? 0xffff : T::kOne) : 0;
    if (!Pairs && Ones) wide[lane] = value ? ~0u : 0;
  }
  u32 mask = warp.mask(op);
  if constexpr (Pairs) {
    blend(warp.row<u32>(op->r[0]), reinterpret_cast<const u32*>(out), mask);
  } else if constexpr (Ones) {
    blend(warp.row<u32>(op->r[0]), wide, mask);
  } else {
    blend(warp.row<u16>(op->r[0]), out, mask);
  }
  return op + 1;
}

// 16 bits of ones or 0.
template <typename T>
const Op* set_narrow(Warp& warp, const Op* op) {
  const u16 *a = warp.row<const u16>(op->r[1]), *b = warp.row<const u16>(op->r[2]);
  alignas(64) u16 out[kLanes];
  for (u32 i = 0; i < kLanes; ++i) out[i] = chosen(warp, op, i, holds<T>(op->aux, a[i], b[i])) ? 0xffff : 0;
  blend(warp.row<u16>(op->r[0]), out, warp.mask(op));
  return op + 1;
}

// Transcendental functions: computed in f32, correctly rounded but for f32's last place.
struct Exp2 {
  OUTBOARD_INLINE f32 operator()(f32 x) const { return __builtin_exp2f(x); }
};
struct Tanh {
  OUTBOARD_INLINE f32 operator()(f32 x) const { return __builtin_tanhf(x); }
};

template <typename T, bool Pairs, typename F>
const Op* approximate(Warp& warp, const Op* op) {
  u32 aux = op->aux;
  return each<Pairs, 1>(
      warp, op, [aux](u16 a, u16, u16) { return finish<T>(F{}(T::widen(flush_input<T>(a, aux))), aux); });
}

template <typename T, bool Pairs>
void add_comparisons(FormTable& t, const char* type, const char* bits) {
  struct Comparison {
    const char* text;
    u32 aux;
  };
  static constexpr Comparison kComparisons[] = {{".eq", kEq},
                                                {".ne", kNe},
                                                {".lt", kLt},
                                                {".le", kLe},
                                                {".gt", kGt},
                                                {".ge", kGe},
                                                {".num", kNum},
                                                {".nan", kNanTest},
                                                {".equ", kEq | kUnordered},
                                                {".neu", kNe | kUnordered},
                                                {".ltu", kLt | kUnordered},
                                                {".leu", kLe | kUnordered},
                                                {".gtu", kGt | kUnordered},
                                                {".geu", kGe | kUnordered}};
  static constexpr Comparison kCombinations[] = {{"", 0}, {".and", kAnd}, {".or", kOr}, {".xor", kXor}};
  static constexpr Comparison kFlushes[] = {{"", 0}, {".ftz", kFlushCompare}};
  for (const Comparison& comparison : kComparisons) {
    for (const Comparison& combination : kCombinations) {
      const char* predicate = combination.aux ? " p" : "";
      for (const Comparison& flush : kFlushes) {
        if (flush.aux && !T::kFlushable) continue;
        u32 aux = comparison.aux | combination.aux | flush.aux;
        t.add(Pattern("setp", comparison.text, combination.text, flush.text, ".", type).text,
              Pattern("=p|p ", bits, " ", bits, predicate).text, setp<T, Pairs>, aux);
        t.add(Pattern("set", comparison.text, combination.text, flush.text, ".", type, ".", type).text,
              Pattern("=", bits, " ", bits, " ", bits, predicate).text, set<T, Pairs, false>, aux);
        t.add(Pattern("set", comparison.text, combination.text, flush.text, ".{u32,s32}.", type).text,
              Pattern("=b32 ", bits, " ", bits, predicate).text, set<T, Pairs, true>, aux);
        if (Pairs) continue;
        t.add(Pattern("set", comparison.text, combination.text, flush.text, ".{u16,s16}.", type).text,
              Pattern("=b16 ", bits, " ", bits, predicate).text, set_narrow<T>, aux);
      }
    }
  }
}

template <typename T, bool Pairs>
void add_type(FormTable& t, const char* type, const char* bits) {
  struct Variant {
    const char* text;
    u32 aux;
  };
  static constexpr Variant kFlushes[] = {{"", 0}, {".ftz", kFlush}};
  static constexpr Variant kRanges[] = {{"", 0}, {".sat", kSaturate}, {".relu", kRelu}};
  static constexpr Variant kNans[] = {
      {"", 0}, {".NaN", kNanWins}, {".xorsign.abs", kXorSign}, {".NaN.xorsign.abs", kNanWins | kXorSign}};
  Pattern two("=", bits, " ", bits, " ", bits), three("=", bits, " ", bits, " ", bits, " ", bits),
      one("=", bits, " ", bits);
  for (const Variant& flush : kFlushes) {
    if (flush.aux && !T::kFlushable) continue;
    for (const Variant& range : kRanges) {
      if (range.aux == kSaturate && !T::kFlushable) continue;  // only f16 has it, as it has .ftz
      u32 aux = flush.aux | range.aux;
      t.add(Pattern("fma.rn", flush.text, range.text, ".", type).text, three.text, fma<T, Pairs>, aux);
      if (range.aux == kRelu) continue;
      t.add(Pattern("add[.rn]", flush.text, range.text, ".", type).text, two.text,
            arithmetic<T, Pairs, HalfAdd>, aux);
      t.add(Pattern("sub[.rn]", flush.text, range.text, ".", type).text, two.text,
            arithmetic<T, Pairs, HalfSub>, aux);
      t.add(Pattern("mul[.rn]", flush.text, range.text, ".", type).text, two.text, arithmetic<T, Pairs, Mul>,
            aux);
    }
    for (const Variant& nan : kNans) {
      t.add(Pattern("min", flush.text, nan.text, ".", type).text, two.text, extremum<T, Pairs, false>,
            flush.aux | nan.aux);
      t.add(Pattern("max", flush.text, nan.text, ".", type).text, two.text, extremum<T, Pairs, true>,
            flush.aux | nan.aux);
    }
    t.add(Pattern("neg", flush.text, ".", type).text, one.text, sign<T, Pairs, true>, flush.aux);
    t.add(Pattern("abs", flush.text, ".", type).text, one.text, sign<T, Pairs, false>, flush.aux);
  }
  // Of ex2, f16 has no .ftz and bf16 nothing else.
  t.add(Pattern("ex2.approx", T::kFlushable ? "." : ".ftz.", type).text, one.text,
        approximate<T, Pairs, Exp2>, T::kFlushable ? 0u : u32{kFlush});
  t.add(Pattern("tanh.approx.", type).text, one.text, approximate<T, Pairs, Tanh>);
  add_comparisons<T, Pairs>(t, type, bits);
}

}  // namespace

void add_half_forms(FormTable& table) {
  table.begin_group("half");
  add_type<F16, false>(table, "f16", "b16");
  add_type<F16, true>(table, "f16x2", "b32");
  add_type<Bf16, false>(table, "bf16", "b16");
  add_type<Bf16, true>(table, "bf16x2", "b32");
}

}  // namespace outboard::softgpu::exec::OUTBOARD_ISA
