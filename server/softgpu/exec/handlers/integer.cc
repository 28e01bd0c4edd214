// Integer arithmetic: add, sub, mul, mad, sad, div, rem, abs, neg, min, max, dp4a, dp2a, and the
// carry chains.
#include "server/softgpu/exec/handlers/lanes.h"

namespace outboard::softgpu::exec::OUTBOARD_ISA {
namespace {

// Signed overflow wraps, so all of this is done on unsigned values; 16-bit ones are promoted.
template <typename T>
using Wide = std::conditional_t<sizeof(T) == 2, u32, UnsignedOf<T>>;
template <typename T>
using Double = std::conditional_t<std::is_signed_v<T>, typename IntegerOf<2 * sizeof(T)>::Signed,
                                  typename IntegerOf<2 * sizeof(T)>::Unsigned>;

struct Sub {
  template <typename T>
  OUTBOARD_INLINE T operator()(T a, T b) const {
    return static_cast<T>(Wide<T>(a) - Wide<T>(b));
  }
};
struct MulLo {
  template <typename T>
  OUTBOARD_INLINE T operator()(T a, T b) const {
    return static_cast<T>(Wide<T>(a) * Wide<T>(b));
  }
};
struct MulHi {
  template <typename T>
  OUTBOARD_INLINE T operator()(T a, T b) const {
    return static_cast<T>((Double<T>(a) * Double<T>(b)) >> (8 * sizeof(T)));
  }
};
struct MulWide {
  template <typename T>
  OUTBOARD_INLINE Double<T> operator()(T a, T b) const {
    return Double<T>(a) * Double<T>(b);
  }
};
struct MadLo {
  template <typename T>
  OUTBOARD_INLINE T operator()(T a, T b, T c) const {
    return static_cast<T>(Wide<T>(a) * Wide<T>(b) + Wide<T>(c));
  }
};
struct MadHi {
  template <typename T>
  OUTBOARD_INLINE T operator()(T a, T b, T c) const {
    return Add{}(MulHi{}(a, b), c);
  }
};
struct MadWide {
  template <typename T>
  OUTBOARD_INLINE Double<T> operator()(T a, T b, Double<T> c) const {
    using U = std::make_unsigned_t<Double<T>>;
    return static_cast<Double<T>>(U(Double<T>(a) * Double<T>(b)) + U(c));
  }
};
OUTBOARD_INLINE s32 saturate32(s64 value) {
  return static_cast<s32>(value > 0x7fff'ffff      ? 0x7fff'ffff
                          : value < -0x8000'0000ll ? -0x8000'0000ll
                                                   : value);
}
struct AddSat {
  OUTBOARD_INLINE s32 operator()(s32 a, s32 b) const { return saturate32(s64{a} + b); }
};
struct SubSat {
  OUTBOARD_INLINE s32 operator()(s32 a, s32 b) const { return saturate32(s64{a} - b); }
};
struct MadHiSat {
  OUTBOARD_INLINE s32 operator()(s32 a, s32 b, s32 c) const { return saturate32((s64{a} * b >> 32) + c); }
};

// 24-bit products: bits 0..31 of the 48-bit product, or bits 16..47.
template <typename T>
OUTBOARD_INLINE T low24(T v) {
  return static_cast<T>(static_cast<T>(u32(v) << 8) >> 8);
}
struct Mul24Lo {
  template <typename T>
  OUTBOARD_INLINE T operator()(T a, T b) const {
    return static_cast<T>(u32(low24(a)) * u32(low24(b)));
  }
};
struct Mul24Hi {
  template <typename T>
  OUTBOARD_INLINE T operator()(T a, T b) const {
    return static_cast<T>((Double<T>(low24(a)) * Double<T>(low24(b))) >> 16);
  }
};
struct Mad24Lo {
  template <typename T>
  OUTBOARD_INLINE T operator()(T a, T b, T c) const {
    return Add{}(Mul24Lo{}(a, b), c);
  }
};
struct Mad24Hi {
  template <typename T>
  OUTBOARD_INLINE T operator()(T a, T b, T c) const {
    return Add{}(Mul24Hi{}(a, b), c);
  }
};
struct Mad24HiSat {
  OUTBOARD_INLINE s32 operator()(s32 a, s32 b, s32 c) const { return saturate32(s64{Mul24Hi{}(a, b)} + c); }
};

struct Sad {
  template <typename T>
  OUTBOARD_INLINE T operator()(T a, T b, T c) const {
    T difference = a < b ? Sub{}(b, a) : Sub{}(a, b);
    return Add{}(c, difference);
  }
};
struct Abs {
  template <typename T>
  OUTBOARD_INLINE T operator()(T a) const {
    return a < 0 ? static_cast<T>(-Wide<T>(a)) : a;
  }
};
struct Neg {
  template <typename T>
  OUTBOARD_INLINE T operator()(T a) const {
    return static_cast<T>(-Wide<T>(a));
  }
};
template <typename F>
struct Relu {
  OUTBOARD_INLINE s32 operator()(s32 a, s32 b) const {
    s32 r = F{}(a, b);
    return r < 0 ? 0 : r;
  }
};

// Division by zero gives what the hardware gives: all ones, and the dividend as remainder.
// 16- and 32-bit operands are exact in doubles, and so is the truncated quotient.
struct Div {
  template <typename T>
  OUTBOARD_INLINE T operator()(T a, T b) const {
    if constexpr (sizeof(T) == 8) {
      if (b == 0) return static_cast<T>(~u64{0});
      if (std::is_signed_v<T> && b == static_cast<T>(-1)) return Neg{}(a);
      return static_cast<T>(a / b);
    } else {
      f64 quotient = static_cast<f64>(a) / static_cast<f64>(b == 0 ? T{1} : b);
      return b == 0 ? static_cast<T>(-1) : static_cast<T>(static_cast<s64>(quotient));
    }
  }
};
struct Rem {
  template <typename T>
  OUTBOARD_INLINE T operator()(T a, T b) const {
    return b == 0 ? a : Sub{}(a, MulLo{}(Div{}(a, b), b));
  }
};

// Packed 16-bit halves.
template <typename T, typename F>
struct Packed {
  OUTBOARD_INLINE u32 operator()(u32 a, u32 b) const {
    u32 low = static_cast<u16>(F{}(static_cast<T>(a), static_cast<T>(b)));
    u32 high = static_cast<u16>(F{}(static_cast<T>(a >> 16), static_cast<T>(b >> 16)));
    return high << 16 | low;
  }
};
template <typename F>
struct PackedRelu {
  OUTBOARD_INLINE s16 operator()(s16 a, s16 b) const {
    s16 r = F{}(a, b);
    return r < 0 ? s16{0} : r;
  }
};

template <typename A, typename B>
struct Dp4a {
  OUTBOARD_INLINE s32 operator()(u32 a, u32 b, s32 c) const {
    u32 sum = static_cast<u32>(c);
    for (int i = 0; i < 32; i += 8)
      sum += static_cast<u32>(static_cast<s32>(static_cast<A>(a >> i)) *
                              static_cast<s32>(static_cast<B>(b >> i)));
    return static_cast<s32>(sum);
  }
};
// Two 16-bit values of a times two bytes of b; Shift picks the low or the high two.
template <typename A, typename B, int Shift>
struct Dp2a {
  OUTBOARD_INLINE s32 operator()(u32 a, u32 b, s32 c) const {
    u32 sum = static_cast<u32>(c);
    for (int i = 0; i < 2; ++i) {
      s32 x =
          std::is_signed_v<A> ? s32{static_cast<s16>(a >> (16 * i))} : s32{static_cast<u16>(a >> (16 * i))};
      sum += static_cast<u32>(x * static_cast<s32>(static_cast<B>(b >> (Shift + 8 * i))));
    }
    return static_cast<s32>(sum);
  }
};

// Carry chains. The carry flag is a predicate: one bit per lane.
enum : u32 { kReadsCarry = 1, kWritesCarry = 2 };

// d, a, b [carry in] [carry out]: a + b + carry, or a - b - borrow.
template <typename T, bool Subtract>
const Op* add_carry(Warp& warp, const Op* op) {
  u32 mask = warp.mask(op);
  if (mask == 0) return op + 1;
  T* d = warp.row<T>(op->r[0]);
  const T *a = warp.row<const T>(op->r[1]), *b = warp.row<const T>(op->r[2]);
  u32 next = 3;
  u32 in = op->aux & kReadsCarry ? warp.predicate(op->r[next++]) : 0;
  u32 out = 0;
  for_lanes(mask, [&](u32 lane) {
    T carry = in >> lane & 1, result;
    bool first, second;
    if constexpr (Subtract) {
      first = __builtin_sub_overflow(a[lane], b[lane], &result);
      second = __builtin_sub_overflow(result, carry, &result);
    } else {
      first = __builtin_add_overflow(a[lane], b[lane], &result);
      second = __builtin_add_overflow(result, carry, &result);
    }
    d[lane] = result;
    out |= static_cast<u32>(first | second) << lane;
  });
  if (op->aux & kWritesCarry) warp.set_predicate(op->r[next], mask, out);
  return op + 1;
}

// d, a, b, c [carry in] [carry out]: half of a * b, plus c and carry.
template <typename T, bool High>
const Op* mad_carry(Warp& warp, const Op* op) {
  using U = UnsignedOf<T>;
  u32 mask = warp.mask(op);
  if (mask == 0) return op + 1;
  U* d = warp.row<U>(op->r[0]);
  const T *a = warp.row<const T>(op->r[1]), *b = warp.row<const T>(op->r[2]);
  const U* c = warp.row<const U>(op->r[3]);
  u32 next = 4;
  u32 in = op->aux & kReadsCarry ? warp.predicate(op->r[next++]) : 0;
  u32 out = 0;
  for_lanes(mask, [&](u32 lane) {
    U product = High ? static_cast<U>(MulHi{}(a[lane], b[lane])) : static_cast<U>(MulLo{}(a[lane], b[lane]));
    U result;
    bool first = __builtin_add_overflow(product, c[lane], &result);
    bool second = __builtin_add_overflow(result, static_cast<U>(in >> lane & 1), &result);
    d[lane] = result;
    out |= static_cast<u32>(first | second) << lane;
  });
  if (op->aux & kWritesCarry) warp.set_predicate(op->r[next], mask, out);
  return op + 1;
}

void add_carry_rows(FormTable& table) {
  table.add("add.cc.{u32,s32}", "=b32 b32 b32 =cc", add_carry<u32, false>, kWritesCarry);
  table.add("addc.{u32,s32}", "=b32 b32 b32 cc", add_carry<u32, false>, kReadsCarry);
  table.add("addc.cc.{u32,s32}", "=b32 b32 b32 cc =cc", add_carry<u32, false>, kReadsCarry | kWritesCarry);
  table.add("add.cc.{u64,s64}", "=b64 b64 b64 =cc", add_carry<u64, false>, kWritesCarry);
  table.add("addc.{u64,s64}", "=b64 b64 b64 cc", add_carry<u64, false>, kReadsCarry);
  table.add("addc.cc.{u64,s64}", "=b64 b64 b64 cc =cc", add_carry<u64, false>, kReadsCarry | kWritesCarry);
  table.add("sub.cc.{u32,s32}", "=b32 b32 b32 =cc", add_carry<u32, true>, kWritesCarry);
  table.add("subc.{u32,s32}", "=b32 b32 b32 cc", add_carry<u32, true>, kReadsCarry);
  table.add("subc.cc.{u32,s32}", "=b32 b32 b32 cc =cc", add_carry<u32, true>, kReadsCarry | kWritesCarry);
  table.add("sub.cc.{u64,s64}", "=b64 b64 b64 =cc", add_carry<u64, true>, kWritesCarry);
  table.add("subc.{u64,s64}", "=b64 b64 b64 cc", add_carry<u64, true>, kReadsCarry);
  table.add("subc.cc.{u64,s64}", "=b64 b64 b64 cc =cc", add_carry<u64, true>, kReadsCarry | kWritesCarry);
  struct Row {
    const char *cc, *c, *ccc;
    const char* operands;
    Handler handler;
  };
  const Row rows[] = {
      {"mad.lo.cc.{u32,s32}", "madc.lo.{u32,s32}", "madc.lo.cc.{u32,s32}", "32", mad_carry<u32, false>},
      {"mad.hi.cc.u32", "madc.hi.u32", "madc.hi.cc.u32", "32", mad_carry<u32, true>},
      {"mad.hi.cc.s32", "madc.hi.s32", "madc.hi.cc.s32", "32", mad_carry<s32, true>},
      {"mad.lo.cc.{u64,s64}", "madc.lo.{u64,s64}", "madc.lo.cc.{u64,s64}", "64", mad_carry<u64, false>},
      {"mad.hi.cc.u64", "madc.hi.u64", "madc.hi.cc.u64", "64", mad_carry<u64, true>},
      {"mad.hi.cc.s64", "madc.hi.s64", "madc.hi.cc.s64", "64", mad_carry<s64, true>},
  };
  for (const Row& row : rows) {
    bool wide = row.operands[0] == '6';
    table.add(row.cc, wide ? "=b64 b64 b64 b64 =cc" : "=b32 b32 b32 b32 =cc", row.handler, kWritesCarry);
    table.add(row.c, wide ? "=b64 b64 b64 b64 cc" : "=b32 b32 b32 b32 cc", row.handler, kReadsCarry);
    table.add(row.ccc, wide ? "=b64 b64 b64 b64 cc =cc" : "=b32 b32 b32 b32 cc =cc", row.handler,
              kReadsCarry | kWritesCarry);
  }
}

void add_multiply_rows(FormTable& table) {
  table.add("mul.lo.{u16,s16}", "=b16 b16 b16", binary<u16, MulLo>);
  table.add("mul.lo.{u32,s32}", "=b32 b32 b32", binary<u32, MulLo>);
  table.add("mul.lo.{u64,s64}", "=b64 b64 b64", binary<u64, MulLo>);
  table.add("mul.hi.u16", "=u16 u16 u16", binary<u16, MulHi>);
  table.add("mul.hi.s16", "=s16 s16 s16", binary<s16, MulHi>);
  table.add("mul.hi.u32", "=u32 u32 u32", binary<u32, MulHi>);
  table.add("mul.hi.s32", "=s32 s32 s32", binary<s32, MulHi>);
  table.add("mul.hi.u64", "=u64 u64 u64", binary<u64, MulHi>);
  table.add("mul.hi.s64", "=s64 s64 s64", binary<s64, MulHi>);
  table.add("mul.wide.u16", "=u32 u16 u16", run<u32, MulWide, u16, u16>);
  table.add("mul.wide.s16", "=s32 s16 s16", run<s32, MulWide, s16, s16>);
  table.add("mul.wide.u32", "=u64 u32 u32", run<u64, MulWide, u32, u32>);
  table.add("mul.wide.s32", "=s64 s32 s32", run<s64, MulWide, s32, s32>);
  table.add("mad.lo.{u16,s16}", "=b16 b16 b16 b16", ternary<u16, MadLo>);
  table.add("mad.lo.{u32,s32}", "=b32 b32 b32 b32", ternary<u32, MadLo>);
  table.add("mad.lo.{u64,s64}", "=b64 b64 b64 b64", ternary<u64, MadLo>);
  table.add("mad.hi.u16", "=u16 u16 u16 u16", ternary<u16, MadHi>);
  table.add("mad.hi.s16", "=s16 s16 s16 s16", ternary<s16, MadHi>);
  table.add("mad.hi.u32", "=u32 u32 u32 u32", ternary<u32, MadHi>);
  table.add("mad.hi.s32", "=s32 s32 s32 s32", ternary<s32, MadHi>);
  table.add("mad.hi.u64", "=u64 u64 u64 u64", ternary<u64, MadHi>);
  table.add("mad.hi.s64", "=s64 s64 s64 s64", ternary<s64, MadHi>);
  table.add("mad.hi.sat.s32", "=s32 s32 s32 s32", ternary<s32, MadHiSat>);
  table.add("mad.wide.u16", "=u32 u16 u16 u32", run<u32, MadWide, u16, u16, u32>);
  table.add("mad.wide.s16", "=s32 s16 s16 s32", run<s32, MadWide, s16, s16, s32>);
  table.add("mad.wide.u32", "=u64 u32 u32 u64", run<u64, MadWide, u32, u32, u64>);
  table.add("mad.wide.s32", "=s64 s32 s32 s64", run<s64, MadWide, s32, s32, s64>);
  table.add("mul24.lo.u32", "=u32 u32 u32", binary<u32, Mul24Lo>);
  table.add("mul24.lo.s32", "=s32 s32 s32", binary<s32, Mul24Lo>);
  table.add("mul24.hi.u32", "=u32 u32 u32", binary<u32, Mul24Hi>);
  table.add("mul24.hi.s32", "=s32 s32 s32", binary<s32, Mul24Hi>);
  table.add("mad24.lo.u32", "=u32 u32 u32 u32", ternary<u32, Mad24Lo>);
  table.add("mad24.lo.s32", "=s32 s32 s32 s32", ternary<s32, Mad24Lo>);
  table.add("mad24.hi.u32", "=u32 u32 u32 u32", ternary<u32, Mad24Hi>);
  table.add("mad24.hi.s32", "=s32 s32 s32 s32", ternary<s32, Mad24Hi>);
  table.add("mad24.hi.sat.s32", "=s32 s32 s32 s32", ternary<s32, Mad24HiSat>);
}

}  // namespace

void add_integer_forms(FormTable& table) {
  table.begin_group("integer");
  table.add("add.{u16,s16}", "=b16 b16 b16", binary<u16, Add>);
  table.add("add.{u32,s32}", "=b32 b32 b32", binary<u32, Add>);
  table.add("add.{u64,s64}", "=b64 b64 b64", binary<u64, Add>);
  table.add("add.{u16x2,s16x2}", "=b32 b32 b32", binary<u32, Packed<u16, Add>>);
  table.add("add.sat.s32", "=s32 s32 s32", binary<s32, AddSat>);
  table.add("sub.{u16,s16}", "=b16 b16 b16", binary<u16, Sub>);
  table.add("sub.{u32,s32}", "=b32 b32 b32", binary<u32, Sub>);
  table.add("sub.{u64,s64}", "=b64 b64 b64", binary<u64, Sub>);
  table.add("sub.sat.s32", "=s32 s32 s32", binary<s32, SubSat>);
  table.add("sad.u16", "=u16 u16 u16 u16", ternary<u16, Sad>);
  table.add("sad.s16", "=s16 s16 s16 s16", ternary<s16, Sad>);
  table.add("sad.u32", "=u32 u32 u32 u32", ternary<u32, Sad>);
  table.add("sad.s32", "=s32 s32 s32 s32", ternary<s32, Sad>);
  table.add("sad.u64", "=u64 u64 u64 u64", ternary<u64, Sad>);
  table.add("sad.s64", "=s64 s64 s64 s64", ternary<s64, Sad>);
  table.add("div.u16", "=u16 u16 u16", binary<u16, Div>);
  table.add("div.s16", "=s16 s16 s16", binary<s16, Div>);
  table.add("div.u32", "=u32 u32 u32", binary<u32, Div>);
  table.add("div.s32", "=s32 s32 s32", binary<s32, Div>);
  table.add("div.u64", "=u64 u64 u64", binary<u64, Div>);
  table.add("div.s64", "=s64 s64 s64", binary<s64, Div>);
  table.add("rem.u16", "=u16 u16 u16", binary<u16, Rem>);
  table.add("rem.s16", "=s16 s16 s16", binary<s16, Rem>);
  table.add("rem.u32", "=u32 u32 u32", binary<u32, Rem>);
  table.add("rem.s32", "=s32 s32 s32", binary<s32, Rem>);
  table.add("rem.u64", "=u64 u64 u64", binary<u64, Rem>);
  table.add("rem.s64", "=s64 s64 s64", binary<s64, Rem>);
  table.add("abs.s16", "=s16 s16", unary<s16, Abs>);
  table.add("abs.s32", "=s32 s32", unary<s32, Abs>);
  table.add("abs.s64", "=s64 s64", unary<s64, Abs>);
  table.add("neg.s16", "=s16 s16", unary<s16, Neg>);
  table.add("neg.s32", "=s32 s32", unary<s32, Neg>);
  table.add("neg.s64", "=s64 s64", unary<s64, Neg>);
  table.add("min.u16", "=u16 u16 u16", binary<u16, Min>);
  table.add("min.s16", "=s16 s16 s16", binary<s16, Min>);
  table.add("min.u32", "=u32 u32 u32", binary<u32, Min>);
  table.add("min.s32", "=s32 s32 s32", binary<s32, Min>);
  table.add("min.u64", "=u64 u64 u64", binary<u64, Min>);
  table.add("min.s64", "=s64 s64 s64", binary<s64, Min>);
  table.add("min.u16x2", "=b32 b32 b32", binary<u32, Packed<u16, Min>>);
  table.add("min.s16x2", "=b32 b32 b32", binary<u32, Packed<s16, Min>>);
  table.add("{min.s32.relu,min.relu.s32}", "=s32 s32 s32", binary<s32, Relu<Min>>);
  table.add("{min.s16x2.relu,min.relu.s16x2}", "=b32 b32 b32", binary<u32, Packed<s16, PackedRelu<Min>>>);
  table.add("max.u16", "=u16 u16 u16", binary<u16, Max>);
  table.add("max.s16", "=s16 s16 s16", binary<s16, Max>);
  table.add("max.u32", "=u32 u32 u32", binary<u32, Max>);
  table.add("max.s32", "=s32 s32 s32", binary<s32, Max>);
  table.add("max.u64", "=u64 u64 u64", binary<u64, Max>);
  table.add("max.s64", "=s64 s64 s64", binary<s64, Max>);
  table.add("max.u16x2", "=b32 b32 b32", binary<u32, Packed<u16, Max>>);
  table.add("max.s16x2", "=b32 b32 b32", binary<u32, Packed<s16, Max>>);
  table.add("{max.s32.relu,max.relu.s32}", "=s32 s32 s32", binary<s32, Relu<Max>>);
  table.add("{max.s16x2.relu,max.relu.s16x2}", "=b32 b32 b32", binary<u32, Packed<s16, PackedRelu<Max>>>);
  table.add("dp4a.u32.u32", "=b32 b32 b32 b32", run<s32, Dp4a<u8, u8>, u32, u32, s32>);
  table.add("dp4a.u32.s32", "=b32 b32 b32 b32", run<s32, Dp4a<u8, s8>, u32, u32, s32>);
  table.add("dp4a.s32.u32", "=b32 b32 b32 b32", run<s32, Dp4a<s8, u8>, u32, u32, s32>);
  table.add("dp4a.s32.s32", "=b32 b32 b32 b32", run<s32, Dp4a<s8, s8>, u32, u32, s32>);
  table.add("dp2a.lo.u32.u32", "=b32 b32 b32 b32", run<s32, Dp2a<u16, u8, 0>, u32, u32, s32>);
  table.add("dp2a.lo.u32.s32", "=b32 b32 b32 b32", run<s32, Dp2a<u16, s8, 0>, u32, u32, s32>);
  table.add("dp2a.lo.s32.u32", "=b32 b32 b32 b32", run<s32, Dp2a<s16, u8, 0>, u32, u32, s32>);
  table.add("dp2a.lo.s32.s32", "=b32 b32 b32 b32", run<s32, Dp2a<s16, s8, 0>, u32, u32, s32>);
  table.add("dp2a.hi.u32.u32", "=b32 b32 b32 b32", run<s32, Dp2a<u16, u8, 16>, u32, u32, s32>);
  table.add("dp2a.hi.u32.s32", "=b32 b32 b32 b32", run<s32, Dp2a<u16, s8, 16>, u32, u32, s32>);
  table.add("dp2a.hi.s32.u32", "=b32 b32 b32 b32", run<s32, Dp2a<s16, u8, 16>, u32, u32, s32>);
  table.add("dp2a.hi.s32.s32", "=b32 b32 b32 b32", run<s32, Dp2a<s16, s8, 16>, u32, u32, s32>);
  add_multiply_rows(table);
  add_carry_rows(table);
}

}  // namespace outboard::softgpu::exec::OUTBOARD_ISA
