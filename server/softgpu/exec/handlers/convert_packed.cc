// cvt to and from formats without a type of their own, which live packed in wider registers: tf32,
// 8-bit floats, and several small integers.
#include "server/softgpu/exec/handlers/f8_ops.h"
#include "server/softgpu/exec/handlers/float_ops.h"
#include "server/softgpu/exec/handlers/half_ops.h"

namespace outboard::softgpu::exec::OUTBOARD_ISA {
namespace {

// tf32: 10 bits of mantissa. .rna rounds halves away from zero, .rn to even.
template <u32 Mode, bool Away>
const Op* to_tf32(Warp& warp, const Op* op) {
  u32 aux = op->aux;
  return map<u32, u32>(warp, op, [aux](u32 bits) {
    if ((bits & 0x7fff'ffff) > 0x7f80'0000) return 0x7fff'ffffu;
    bool infinite = (bits & 0x7fff'ffff) == 0x7f80'0000;
    if (Mode == kNearest && !infinite) bits += Away ? 0x1000 : 0xfff + (bits >> 13 & 1);
    bits &= 0xffff'e000;
    if ((aux & kFinite) && (bits & 0x7fff'ffff) == 0x7f80'0000) bits -= 0x2000;
    return (aux & kRelu) && bits >> 31 ? 0u : bits;
  });
}

// 8-bit floats with 4 or 5 bits of exponent, rounded to nearest even; what is too large becomes
// the largest finite value.
template <u32 ExponentBits>
OUTBOARD_INLINE u32 to_f8(f32 value, u32 aux) {
  constexpr u32 kMantissaBits = 7 - ExponentBits, kBias = (1u << (ExponentBits - 1)) - 1;
  constexpr u32 kLargest = ExponentBits == 4 ? 0x7e : 0x7b;
  u32 bits = bits_as<u32>(value), sign = bits >> 31 << 7;
  u32 magnitude = bits & 0x7fff'ffff;
  if (magnitude > 0x7f80'0000) return 0x7f;
  if ((aux & kRelu) && sign) return 0;
  // Adding a power of two whose last bit is the result's last place rounds there.
  s32 exponent = static_cast<s32>(magnitude >> 23) - 127;
  s32 lowest = 1 - static_cast<s32>(kBias);
  s32 place = (exponent < lowest ? lowest : exponent) - static_cast<s32>(kMantissaBits);
  f32 magic = bits_as<f32>(static_cast<u32>(place + 23 + 127) << 23);
  f32 rounded =
      magnitude >= 0x7f80'0000 ? bits_as<f32>(magnitude) : (bits_as<f32>(magnitude) + magic) - magic;
  // Scaling down moves the exponent to f8's, subnormals included.
  u32 scaled = bits_as<u32>(rounded * bits_as<f32>((127 + kBias - 127) << 23)) >> (23 - kMantissaBits);
  if (rounded >= 0x1p60f || scaled > kLargest) scaled = kLargest;
  return sign | scaled;
}

template <u32 ExponentBits>
const Op* pack_f8(Warp& warp, const Op* op) {
  u32 aux = op->aux;
  return map<u16, f32, f32>(warp, op, [aux](f32 a, f32 b) {
    return static_cast<u16>(to_f8<ExponentBits>(a, aux) << 8 | to_f8<ExponentBits>(b, aux));
  });
}
template <u32 ExponentBits>
const Op* pack_f8_halves(Warp& warp, const Op* op) {
  u32 aux = op->aux;
  return map<u16, u32>(warp, op, [aux](u32 pair) {
    return static_cast<u16>(to_f8<ExponentBits>(F16::widen(static_cast<u16>(pair >> 16)), aux) << 8 |
                            to_f8<ExponentBits>(F16::widen(static_cast<u16>(pair)), aux));
  });
}
template <u32 ExponentBits>
const Op* unpack_f8(Warp& warp, const Op* op) {
  bool rectified = op->aux & kRelu;
  return map<u32, u16>(warp, op, [rectified](u16 pair) {
    u16 high = F16::narrow(from_f8<ExponentBits>(pair >> 8));
    u16 low = F16::narrow(from_f8<ExponentBits>(pair & 0xff));
    if (rectified && high >= 0x8000) high = 0;  // NaN has no sign
    if (rectified && low >= 0x8000) low = 0;
    return u32{high} << 16 | low;
  });
}

// cvt.pack: a and b as narrow integers, behind what of c is left of them.
template <s32 Low, s32 High, u32 Bits>
OUTBOARD_INLINE u32 pack_two(s32 a, s32 b) {
  u32 high = static_cast<u32>(a < Low ? Low : a > High ? High : a) & ((1u << Bits) - 1);
  u32 low = static_cast<u32>(b < Low ? Low : b > High ? High : b) & ((1u << Bits) - 1);
  return high << Bits | low;
}
template <s32 Low, s32 High>
const Op* pack16(Warp& warp, const Op* op) {
  return map<u32, s32, s32>(warp, op, [](s32 a, s32 b) { return pack_two<Low, High, 16>(a, b); });
}
template <s32 Low, s32 High, u32 Bits>
const Op* pack_small(Warp& warp, const Op* op) {
  return map<u32, s32, s32, u32>(
      warp, op, [](s32 a, s32 b, u32 c) { return c << (2 * Bits) | pack_two<Low, High, Bits>(a, b); });
}

void add_small_floats(FormTable& t) {
  for (const Variant& finite : {Variant{"", 0}, Variant{".satfinite", kFinite}}) {
    t.add(Pattern("cvt.rna", finite.text, ".tf32.f32").text, "=b32 f32", to_tf32<kNearest, true>, finite.aux);
    for (const Variant& relu : {Variant{"", 0}, Variant{".relu", kRelu}}) {
      const u32 aux = finite.aux | relu.aux;
      t.add(Pattern("cvt.rn", finite.text, relu.text, ".tf32.f32").text, "=b32 f32", to_tf32<kNearest, false>,
            aux);
      t.add(Pattern("cvt.rz", finite.text, relu.text, ".tf32.f32").text, "=b32 f32", to_tf32<kToZero, false>,
            aux);
    }
  }
  for (const Variant& relu : {Variant{"", 0}, Variant{".relu", kRelu}}) {
    t.add(Pattern("cvt.rn.satfinite", relu.text, ".e4m3x2.f32").text, "=b16 f32 f32", pack_f8<4>, relu.aux);
    t.add(Pattern("cvt.rn.satfinite", relu.text, ".e5m2x2.f32").text, "=b16 f32 f32", pack_f8<5>, relu.aux);
    t.add(Pattern("cvt.rn.satfinite", relu.text, ".e4m3x2.f16x2").text, "=b16 b32", pack_f8_halves<4>,
          relu.aux);
    t.add(Pattern("cvt.rn.satfinite", relu.text, ".e5m2x2.f16x2").text, "=b16 b32", pack_f8_halves<5>,
          relu.aux);
    t.add(Pattern("cvt.rn", relu.text, ".f16x2.e4m3x2").text, "=b32 b16", unpack_f8<4>, relu.aux);
    t.add(Pattern("cvt.rn", relu.text, ".f16x2.e5m2x2").text, "=b32 b16", unpack_f8<5>, relu.aux);
  }
}

}  // namespace

void add_convert_packed_forms(FormTable& table) {
  table.begin_group("convert");
  add_small_floats(table);
  table.add("cvt.pack.sat.u16.s32", "=b32 s32 s32", pack16<0, 65535>);
  table.add("cvt.pack.sat.s16.s32", "=b32 s32 s32", pack16<-32768, 32767>);
  table.add("cvt.pack.sat.u8.s32.b32", "=b32 s32 s32 b32", pack_small<0, 255, 8>);
  table.add("cvt.pack.sat.s8.s32.b32", "=b32 s32 s32 b32", pack_small<-128, 127, 8>);
  table.add("cvt.pack.sat.u4.s32.b32", "=b32 s32 s32 b32", pack_small<0, 15, 4>);
  table.add("cvt.pack.sat.s4.s32.b32", "=b32 s32 s32 b32", pack_small<-8, 7, 4>);
  table.add("cvt.pack.sat.u2.s32.b32", "=b32 s32 s32 b32", pack_small<0, 3, 2>);
  table.add("cvt.pack.sat.s2.s32.b32", "=b32 s32 s32 b32", pack_small<-2, 1, 2>);
}

}  // namespace outboard::softgpu::exec::OUTBOARD_ISA
