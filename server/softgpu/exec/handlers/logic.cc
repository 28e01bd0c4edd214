// Bits: and, or, xor, not, cnot, lop3, shl, shr, shf, prmt, bfe, bfi, bfind, brev, popc, clz, fns,
// bmsk, szext; and the logic of predicates.
#include "server/softgpu/exec/handlers/lanes.h"

namespace outboard::softgpu::exec::OUTBOARD_ISA {
namespace {

struct Not {
  template <typename T>
  OUTBOARD_INLINE T operator()(T a) const {
    return static_cast<T>(~a);
  }
};
struct Cnot {
  template <typename T>
  OUTBOARD_INLINE T operator()(T a) const {
    return a == 0;
  }
};

// Shift amounts above the width act as the width.
struct Shl {
  template <typename T>
  OUTBOARD_INLINE T operator()(T a, u32 b) const {
    using W = std::conditional_t<sizeof(T) == 2, u32, T>;
    return b < 8 * sizeof(T) ? static_cast<T>(W(a) << b) : T{0};
  }
};
struct Shr {
  template <typename T>
  OUTBOARD_INLINE T operator()(T a, u32 b) const {
    constexpr u32 kMost = 8 * sizeof(T) - 1;
    if constexpr (std::is_signed_v<T>)
      return static_cast<T>(a >> (b < kMost ? b : kMost));
    else
      return b <= kMost ? static_cast<T>(a >> b) : T{0};
  }
};

template <bool Right, bool Clamp>
struct FunnelShift {
  OUTBOARD_INLINE u32 operator()(u32 low, u32 high, u32 amount) const {
    u32 n = Clamp ? (amount < 32 ? amount : 32) : amount & 31;
    u64 both = u64{high} << 32 | low;
    return static_cast<u32>(Right ? both >> n : (both << n) >> 32);
  }
};

// d = bit by bit the entry of the table `aux` that a, b, c select.
const Op* lop3(Warp& warp, const Op* op) {
  u32 table = warp.row<const u32>(op->r[4])[0];
  u32 minterm[8];
  for (u32 i = 0; i < 8; ++i) minterm[i] = table >> i & 1 ? kAllLanes : 0;
  return map<u32, u32, u32, u32>(warp, op, [&](u32 a, u32 b, u32 c) {
    u32 low = (~b & ((~c & minterm[0]) | (c & minterm[1]))) | (b & ((~c & minterm[2]) | (c & minterm[3])));
    u32 high = (~b & ((~c & minterm[4]) | (c & minterm[5]))) | (b & ((~c & minterm[6]) | (c & minterm[7])));
    return (~a & low) | (a & high);
  });
}

// d|p, a, b, c, lut, q: p = (d != 0) BoolOp q
const Op* lop3_predicate(Warp& warp, const Op* op) {
  u32 mask = warp.mask(op);
  if (mask == 0) return op + 1;
  Op plain = *op;
  for (u32 i = 1; i < 5; ++i) plain.r[i] = op->r[i + 1];
  lop3(warp, &plain);
  u32 nonzero = compare(warp.row<const u32>(op->r[0]), warp.row<const u32>(op->r[0]),
                        [](u32 d, u32) { return d != 0; });
  u32 other = warp.predicate(op->r[6]);
  warp.set_predicate(op->r[1], mask, op->aux == 0 ? nonzero & other : nonzero | other);
  return op + 1;
}

OUTBOARD_INLINE u32 select_byte(u64 bytes, u32 selector) {
  u32 byte = static_cast<u32>(bytes >> (8 * (selector & 7))) & 0xff;
  // Bit 3 replicates the sign.
  return selector & 8 ? (byte & 0x80 ? 0xff : 0) : byte;
}
struct Prmt {
  OUTBOARD_INLINE u32 operator()(u32 a, u32 b, u32 control) const {
    u64 bytes = u64{b} << 32 | a;
    u32 result = 0;
    for (u32 i = 0; i < 4; ++i) result |= select_byte(bytes, control >> (4 * i)) << (8 * i);
    return result;
  }
};
enum class PrmtMode { kF4e, kB4e, kRc8, kEcl, kEcr, kRc16 };
template <PrmtMode Mode>
struct PrmtNamed {
  OUTBOARD_INLINE u32 operator()(u32 a, u32 b, u32 control) const {
    u32 n = control & 3, selectors = 0;
    for (u32 i = 0; i < 4; ++i) {
      u32 s = 0;
      if (Mode == PrmtMode::kF4e) s = n + i;
      if (Mode == PrmtMode::kB4e) s = (n + 8 - i) & 7;
      if (Mode == PrmtMode::kRc8) s = n;
      if (Mode == PrmtMode::kEcl) s = i > n ? i : n;
      if (Mode == PrmtMode::kEcr) s = i < n ? i : n;
      if (Mode == PrmtMode::kRc16) s = (n & 1) * 2 + (i & 1);
      selectors |= s << (4 * i);
    }
    return Prmt{}(a, b, selectors);
  }
};

// Bit field of `length` bits at `position`; signed ones are filled with their top bit, or with the
// operand's if they reach beyond it.
struct Bfe {
  template <typename T>
  OUTBOARD_INLINE T operator()(T a, u32 b, u32 c) const {
    using U = UnsignedOf<T>;
    constexpr u32 kBits = 8 * sizeof(T);
    u32 position = b & 0xff, length = c & 0xff;
    if (length == 0) return 0;
    U field = position < kBits ? static_cast<U>(U(a) >> position) : U{0};
    U keep = length < kBits ? (U{1} << length) - 1 : ~U{0};
    if constexpr (std::is_unsigned_v<T>) return field & keep;
    u32 top = position + length - 1;
    bool sign = U(a) >> (top < kBits ? top : kBits - 1) & 1;
    // Bits above the operand's are its sign.
    if (a < 0 && position + length > kBits) field |= position < kBits ? ~(~U{0} >> position) : ~U{0};
    return static_cast<T>((field & keep) | (sign ? ~keep : U{0}));
  }
};
struct Bfi {
  template <typename T>
  OUTBOARD_INLINE T operator()(T a, T b, u32 c, u32 d) const {
    constexpr u32 kBits = 8 * sizeof(T);
    u32 position = c & 0xff, length = d & 0xff;
    if (position >= kBits || length == 0) return b;
    T keep = length < kBits ? (T{1} << length) - 1 : ~T{0};
    return (b & ~(keep << position)) | ((a & keep) << position);
  }
};

struct Popc {
  template <typename T>
  OUTBOARD_INLINE u32 operator()(T a) const {
    return static_cast<u32>(sizeof(T) == 8 ? __builtin_popcountll(a)
                                           : __builtin_popcount(static_cast<u32>(a)));
  }
};
struct Clz {
  template <typename T>
  OUTBOARD_INLINE u32 operator()(T a) const {
    if (a == 0) return 8 * sizeof(T);
    return static_cast<u32>(sizeof(T) == 8 ? __builtin_clzll(a) : __builtin_clz(static_cast<u32>(a)));
  }
};
// Position of the highest bit that differs from the sign; -1 if none does.
template <bool ShiftAmount>
struct Bfind {
  template <typename T>
  OUTBOARD_INLINE u32 operator()(T a) const {
    using U = UnsignedOf<T>;
    U bits = static_cast<U>(std::is_signed_v<T> && a < 0 ? ~a : a);
    if (bits == 0) return ~0u;
    u32 zeros = Clz{}(bits);
    return ShiftAmount ? zeros : static_cast<u32>(8 * sizeof(T)) - 1 - zeros;
  }
};
struct Brev {
  OUTBOARD_INLINE u32 operator()(u32 v) const {
    v = (v >> 1 & 0x5555'5555) | (v & 0x5555'5555) << 1;
    v = (v >> 2 & 0x3333'3333) | (v & 0x3333'3333) << 2;
    v = (v >> 4 & 0x0f0f'0f0f) | (v & 0x0f0f'0f0f) << 4;
    return __builtin_bswap32(v);
  }
  OUTBOARD_INLINE u64 operator()(u64 v) const {
    return u64{(*this)(static_cast<u32>(v))} << 32 | (*this)(static_cast<u32>(v >> 32));
  }
};
// Position of the |offset|th set bit from `base` on, upwards or downwards.
struct Fns {
  OUTBOARD_INLINE u32 operator()(u32 mask, u32 base, s32 offset) const {
    if (base > 31) return ~0u;
    if (offset == 0) return mask >> base & 1 ? base : ~0u;
    u32 left = offset < 0 ? 0u - static_cast<u32>(offset) : static_cast<u32>(offset);
    for (s32 i = static_cast<s32>(base); i >= 0 && i < 32; i += offset < 0 ? -1 : 1) {
      if ((mask >> i & 1) && --left == 0) return static_cast<u32>(i);
    }
    return ~0u;
  }
};
template <bool Clamp>
struct Bmsk {
  OUTBOARD_INLINE u32 operator()(u32 a, u32 b) const {
    u32 position = Clamp ? a : a & 31, width = Clamp ? b : b & 31;
    if (position > 31 || width == 0) return 0;
    u32 bits = width > 31 ? ~0u : (1u << width) - 1;
    return bits << position;
  }
};
template <bool Clamp>
struct Szext {
  template <typename T>
  OUTBOARD_INLINE T operator()(T a, u32 b) const {
    u32 width = Clamp ? b : b & 31;
    if (width >= 32) return a;
    if (width == 0) return 0;
    return static_cast<T>(static_cast<T>(u32(a) << (32 - width)) >> (32 - width));
  }
};

// Predicates: one word per register.
template <typename F>
const Op* predicate_binary(Warp& warp, const Op* op) {
  warp.set_predicate(op->r[0], warp.mask(op), F{}(warp.predicate(op->r[1]), warp.predicate(op->r[2])));
  return op + 1;
}
const Op* predicate_not(Warp& warp, const Op* op) {
  warp.set_predicate(op->r[0], warp.mask(op), ~warp.predicate(op->r[1]));
  return op + 1;
}

void add_field_rows(FormTable& table) {
  table.add("bfe.u32", "=u32 u32 u32 u32", run<u32, Bfe, u32, u32, u32>);
  table.add("bfe.s32", "=s32 s32 u32 u32", run<s32, Bfe, s32, u32, u32>);
  table.add("bfe.u64", "=u64 u64 u32 u32", run<u64, Bfe, u64, u32, u32>);
  table.add("bfe.s64", "=s64 s64 u32 u32", run<s64, Bfe, s64, u32, u32>);
  table.add("bfi.b32", "=b32 b32 b32 u32 u32", run<u32, Bfi, u32, u32, u32, u32>);
  table.add("bfi.b64", "=b64 b64 b64 u32 u32", run<u64, Bfi, u64, u64, u32, u32>);
  table.add("bfind.u32", "=u32 u32", run<u32, Bfind<false>, u32>);
  table.add("bfind.s32", "=u32 s32", run<u32, Bfind<false>, s32>);
  table.add("bfind.u64", "=u32 u64", run<u32, Bfind<false>, u64>);
  table.add("bfind.s64", "=u32 s64", run<u32, Bfind<false>, s64>);
  table.add("bfind.shiftamt.u32", "=u32 u32", run<u32, Bfind<true>, u32>);
  table.add("bfind.shiftamt.s32", "=u32 s32", run<u32, Bfind<true>, s32>);
  table.add("bfind.shiftamt.u64", "=u32 u64", run<u32, Bfind<true>, u64>);
  table.add("bfind.shiftamt.s64", "=u32 s64", run<u32, Bfind<true>, s64>);
  table.add("brev.b32", "=b32 b32", unary<u32, Brev>);
  table.add("brev.b64", "=b64 b64", unary<u64, Brev>);
  table.add("popc.b32", "=u32 b32", run<u32, Popc, u32>);
  table.add("popc.b64", "=u32 b64", run<u32, Popc, u64>);
  table.add("clz.b32", "=u32 b32", run<u32, Clz, u32>);
  table.add("clz.b64", "=u32 b64", run<u32, Clz, u64>);
  table.add("fns.b32", "=b32 b32 b32 s32", run<u32, Fns, u32, u32, s32>);
  table.add("bmsk.clamp.b32", "=b32 b32 b32", binary<u32, Bmsk<true>>);
  table.add("bmsk.wrap.b32", "=b32 b32 b32", binary<u32, Bmsk<false>>);
  table.add("szext.clamp.u32", "=u32 u32 u32", run<u32, Szext<true>, u32, u32>);
  table.add("szext.wrap.u32", "=u32 u32 u32", run<u32, Szext<false>, u32, u32>);
  table.add("szext.clamp.s32", "=s32 s32 u32", run<s32, Szext<true>, s32, u32>);
  table.add("szext.wrap.s32", "=s32 s32 u32", run<s32, Szext<false>, s32, u32>);
}

}  // namespace

void add_logic_forms(FormTable& table) {
  table.begin_group("logic");
  table.add("and.b16", "=b16 b16 b16", binary<u16, And>);
  table.add("and.b32", "=b32 b32 b32", binary<u32, And>);
  table.add("and.b64", "=b64 b64 b64", binary<u64, And>);
  table.add("or.b16", "=b16 b16 b16", binary<u16, Or>);
  table.add("or.b32", "=b32 b32 b32", binary<u32, Or>);
  table.add("or.b64", "=b64 b64 b64", binary<u64, Or>);
  table.add("xor.b16", "=b16 b16 b16", binary<u16, Xor>);
  table.add("xor.b32", "=b32 b32 b32", binary<u32, Xor>);
  table.add("xor.b64", "=b64 b64 b64", binary<u64, Xor>);
  table.add("not.b16", "=b16 b16", unary<u16, Not>);
  table.add("not.b32", "=b32 b32", unary<u32, Not>);
  table.add("not.b64", "=b64 b64", unary<u64, Not>);
  table.add("cnot.b16", "=b16 b16", unary<u16, Cnot>);
  table.add("cnot.b32", "=b32 b32", unary<u32, Cnot>);
  table.add("cnot.b64", "=b64 b64", unary<u64, Cnot>);
  table.add("and.pred", "=p p p", predicate_binary<And>);
  table.add("or.pred", "=p p p", predicate_binary<Or>);
  table.add("xor.pred", "=p p p", predicate_binary<Xor>);
  table.add("not.pred", "=p p", predicate_not);
  table.add("lop3.b32", "=b32 b32 b32 b32 b32", lop3);
  table.add("lop3.and.b32", "=b32|p b32 b32 b32 b32 p", lop3_predicate, 0);
  table.add("lop3.or.b32", "=b32|p b32 b32 b32 b32 p", lop3_predicate, 1);
  table.add("shl.b16", "=b16 b16 u32", run<u16, Shl, u16, u32>);
  table.add("shl.b32", "=b32 b32 u32", run<u32, Shl, u32, u32>);
  table.add("shl.b64", "=b64 b64 u32", run<u64, Shl, u64, u32>);
  table.add("shr.{b16,u16}", "=u16 u16 u32", run<u16, Shr, u16, u32>);
  table.add("shr.{b32,u32}", "=u32 u32 u32", run<u32, Shr, u32, u32>);
  table.add("shr.{b64,u64}", "=u64 u64 u32", run<u64, Shr, u64, u32>);
  table.add("shr.s16", "=s16 s16 u32", run<s16, Shr, s16, u32>);
  table.add("shr.s32", "=s32 s32 u32", run<s32, Shr, s32, u32>);
  table.add("shr.s64", "=s64 s64 u32", run<s64, Shr, s64, u32>);
  table.add("shf.l.clamp.b32", "=b32 b32 b32 u32", ternary<u32, FunnelShift<false, true>>);
  table.add("shf.l.wrap.b32", "=b32 b32 b32 u32", ternary<u32, FunnelShift<false, false>>);
  table.add("shf.r.clamp.b32", "=b32 b32 b32 u32", ternary<u32, FunnelShift<true, true>>);
  table.add("shf.r.wrap.b32", "=b32 b32 b32 u32", ternary<u32, FunnelShift<true, false>>);
  table.add("prmt.b32", "=b32 b32 b32 b32", ternary<u32, Prmt>);
  table.add("prmt.b32.f4e", "=b32 b32 b32 b32", ternary<u32, PrmtNamed<PrmtMode::kF4e>>);
  table.add("prmt.b32.b4e", "=b32 b32 b32 b32", ternary<u32, PrmtNamed<PrmtMode::kB4e>>);
  table.add("prmt.b32.rc8", "=b32 b32 b32 b32", ternary<u32, PrmtNamed<PrmtMode::kRc8>>);
  table.add("prmt.b32.ecl", "=b32 b32 b32 b32", ternary<u32, PrmtNamed<PrmtMode::kEcl>>);
  table.add("prmt.b32.ecr", "=b32 b32 b32 b32", ternary<u32, PrmtNamed<PrmtMode::kEcr>>);
  table.add("prmt.b32.rc16", "=b32 b32 b32 b32", ternary<u32, PrmtNamed<PrmtMode::kRc16>>);
  add_field_rows(table);
}

}  // namespace outboard::softgpu::exec::OUTBOARD_ISA
