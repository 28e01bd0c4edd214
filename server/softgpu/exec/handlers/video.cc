// Video instructions: arithmetic on selected bytes and half-words of 32-bit registers, one, two or
// four at a time, with a second operation or a merge behind it. Rare, so they are computed lane by
// lane and decode what they do from Op::aux. Op::imm has the selectors (ptx/video.h).
#include "server/softgpu/ptx/video.h"
#include "server/softgpu/exec/handlers/lanes.h"
#include "server/softgpu/exec/handlers/table_text.h"

namespace outboard::softgpu::exec::OUTBOARD_ISA {
namespace {

using ptx::VideoSelectors;

enum : u32 {
  kAdd,
  kSub,
  kAbsDiff,
  kMin,
  kMax,
  kAverage,
  kShiftLeft,
  kShiftRight,
  kEq,
  kNe,
  kLt,
  kLe,
  kGt,
  kGe,
  kOperation = 15,
  kSignedD = 16,
  kSignedA = 32,
  kSignedB = 64,
  kSaturate = 128,
  kThenAdd = 256,
  kThenMin = 512,
  kThenMax = 768,
  kSecond = 768,
  kWrap = 1024,
  kScale7 = 2048,
  kScale15 = 4096,
  kPlusOne = 8192
};

OUTBOARD_INLINE s64 extended(u32 value, u32 bits, bool is_signed) {
  u64 high = u64{value} << (64 - bits);
  return is_signed ? static_cast<s64>(high) >> (64 - bits) : static_cast<s64>(high >> (64 - bits));
}

// Where the part begins that a scalar selector names, and how wide it is.
OUTBOARD_INLINE u32 shift_of(u32 selector) {
  return selector >= ptx::kVideoHalf   ? 16 * (selector - ptx::kVideoHalf)
         : selector >= ptx::kVideoByte ? 8 * (selector - ptx::kVideoByte)
                                       : 0;
}
OUTBOARD_INLINE u32 width_of(u32 selector) {
  return selector >= ptx::kVideoHalf ? 16 : selector >= ptx::kVideoByte ? 8 : 32;
}
OUTBOARD_INLINE s64 part(u32 value, u32 selector, bool is_signed) {
  return extended(value >> shift_of(selector), width_of(selector), is_signed);
}

template <typename T>
OUTBOARD_INLINE s64 clamped(T value, u32 bits, bool is_signed) {
  T low = is_signed ? -(T{1} << (bits - 1)) : T{0};
  T high = (T{1} << (is_signed ? bits - 1 : bits)) - 1;
  return static_cast<s64>(value < low ? low : value > high ? high : value);
}

OUTBOARD_INLINE s64 apply(u32 operation, s64 a, s64 b) {
  switch (operation) {
    case kAdd: return a + b;
    case kSub: return a - b;
    case kAbsDiff: return a > b ? a - b : b - a;
    case kMin: return a < b ? a : b;
    case kMax: return a > b ? a : b;
    case kAverage: return (a + b + (a + b >= 0 ? 1 : 0)) >> 1;
    case kEq: return a == b;
    case kNe: return a != b;
    case kLt: return a < b;
    case kLe: return a <= b;
    case kGt: return a > b;
    default: return a >= b;
  }
}

// d = f(a, b, c) for the lanes of the instruction; c is not always there.
template <typename F>
OUTBOARD_INLINE const Op* each(Warp& warp, const Op* op, F f) {
  const u32 *a = warp.row<const u32>(op->r[1]), *b = warp.row<const u32>(op->r[2]);
  const u32* c = op->r[3] == kNoOperand ? a : warp.row<const u32>(op->r[3]);
  alignas(64) u32 out[kLanes];
  for (u32 i = 0; i < kLanes; ++i) out[i] = f(a[i], b[i], c[i]);
  blend(warp.row<u32>(op->r[0]), out, warp.mask(op));
  return op + 1;
}

// The second operation sees 33 bits, the merge fewer.
OUTBOARD_INLINE u32 finish(u32 aux, u32 selector, s64 value, u32 merged) {
  s64 wide = static_cast<s64>(static_cast<u64>(value) << 31) >> 31, c = extended(merged, 32, aux & kSignedD);
  switch (aux & kSecond) {
    case kThenAdd: return static_cast<u32>(wide + c);
    case kThenMin: return static_cast<u32>(wide < c ? wide : c);
    case kThenMax: return static_cast<u32>(wide > c ? wide : c);
    default: break;
  }
  if (selector == ptx::kVideoWhole) return static_cast<u32>(value);
  u32 mask = ((1u << width_of(selector)) - 1) << shift_of(selector);
  return (static_cast<u32>(value) << shift_of(selector) & mask) | (merged & ~mask);
}

const Op* scalar(Warp& warp, const Op* op) {
  const u32 aux = op->aux;
  const VideoSelectors s = ptx::unpack_video(op->imm);
  return each(warp, op, [=](u32 a, u32 b, u32 c) {
    s64 value = apply(aux & kOperation, part(a, s.a, aux & kSignedA), part(b, s.b, aux & kSignedB));
    if (aux & kSaturate) value = clamped(value, width_of(s.d), aux & kSignedD);
    return finish(aux, s.d, value, c);
  });
}

const Op* shift(Warp& warp, const Op* op) {
  const u32 aux = op->aux;
  const VideoSelectors s = ptx::unpack_video(op->imm);
  return each(warp, op, [=](u32 a, u32 b, u32 c) {
    s64 from = part(a, s.a, aux & kSignedA), count = part(b, s.b, false);
    count = aux & kWrap ? count & 31 : count > 32 ? 32 : count;
    // Shifted by 32, 33 bits need 65.
    s128 value = (aux & kOperation) == kShiftLeft ? static_cast<s128>(from) * (s128{1} << count)
                                                  : static_cast<s128>(from >> count);
    if (aux & kSaturate) value = clamped(value, width_of(s.d), aux & kSignedD);
    return finish(aux, s.d, static_cast<s64>(value), c);
  });
}

const Op* multiply_add(Warp& warp, const Op* op) {
  const u32 aux = op->aux;
  const VideoSelectors s = ptx::unpack_video(op->imm);
  const bool negate_product = (s.negated & 1) != (s.negated >> 1 & 1), negate_c = s.negated & 4;
  const bool is_signed = (aux & (kSignedA | kSignedB)) != 0 || negate_product || negate_c;
  return each(warp, op, [=](u32 a, u32 b, u32 c) {
    s128 product = static_cast<s128>(part(a, s.a, aux & kSignedA)) * part(b, s.b, aux & kSignedB);
    s128 addend = extended(c, 32, is_signed);
    s128 value = (negate_product ? -product : product) + (negate_c ? -addend : addend);
    if (aux & kPlusOne) ++value;
    value >>= aux & kScale7 ? 7 : aux & kScale15 ? 15 : 0;
    return static_cast<u32>(aux & kSaturate ? clamped(value, 32, is_signed) : static_cast<s64>(value));
  });
}

// Elements are picked from a and b together; those out of the mask are c's.
template <u32 Count>
const Op* simd(Warp& warp, const Op* op) {
  constexpr u32 kBits = 32 / Count, kDigit = Count == 4 ? 3 : 2, kMask = (1u << kBits) - 1;
  const u32 aux = op->aux;
  const VideoSelectors s = ptx::unpack_video(op->imm);
  return each(warp, op, [=](u32 a, u32 b, u32 c) {
    u64 both = u64{b} << 32 | a;
    u32 accumulated = c, merged = 0;
    for (u32 i = 0; i < Count; ++i) {
      u32 from_a = static_cast<u32>(both >> (kBits * (s.a >> (kDigit * i) & (2 * Count - 1)))) & kMask;
      u32 from_b = static_cast<u32>(both >> (kBits * (s.b >> (kDigit * i) & (2 * Count - 1)))) & kMask;
      s64 value = apply(aux & kOperation, extended(from_a, kBits, aux & kSignedA),
                        extended(from_b, kBits, aux & kSignedB));
      if (aux & kSaturate) value = clamped(value, kBits, aux & kSignedD);
      bool wanted = s.d >> i & 1;
      if (wanted) accumulated += static_cast<u32>(value);
      merged |= (wanted ? static_cast<u32>(value) & kMask : c >> (kBits * i) & kMask) << (kBits * i);
    }
    return (aux & kSecond) == kThenAdd ? accumulated : merged;
  });
}

struct Choice {
  const char* text;
  u32 aux;
};
constexpr Choice kTypesA[] = {{".u32", 0}, {".s32", kSignedA}}, kTypesB[] = {{".u32", 0}, {".s32", kSignedB}},
                 kTypesD[] = {{".u32", 0}, {".s32", kSignedD}};
constexpr Choice kSaturations[] = {{"", 0}, {".sat", kSaturate}};
constexpr Choice kSeconds[] = {{"", 0}, {".add", kThenAdd}, {".min", kThenMin}, {".max", kThenMax}};
constexpr Choice kComparisons[] = {{".eq", kEq}, {".ne", kNe}, {".lt", kLt},
                                   {".le", kLe}, {".gt", kGt}, {".ge", kGe}};

// With a second operation, c is there; without, it is there for a merge.
const char* signature_of(const Choice& second) {
  return second.aux != 0 ? "=b32 b32 b32 b32" : "=b32 b32 b32 b32?";
}

void add_scalars(FormTable& t) {
  static constexpr Choice kOperations[] = {
      {"vadd", kAdd}, {"vsub", kSub}, {"vabsdiff", kAbsDiff}, {"vmin", kMin}, {"vmax", kMax}};
  static constexpr Choice kShifts[] = {{"vshl", kShiftLeft}, {"vshr", kShiftRight}};
  static constexpr Choice kModes[] = {{".clamp", 0}, {".wrap", kWrap}};
  for (const Choice& second : kSeconds) {
    const char* signature = signature_of(second);
    for (const Choice& a : kTypesA) {
      for (const Choice& b : kTypesB) {
        for (const Choice& comparison : kComparisons)
          t.add(Pattern("vset", a.text, b.text, comparison.text, second.text).text, signature, scalar,
                a.aux | b.aux | comparison.aux | second.aux);
      }
      for (const Choice& d : kTypesD) {
        for (const Choice& sat : kSaturations) {
          const u32 aux = d.aux | a.aux | sat.aux | second.aux;
          for (const Choice& operation : kOperations) {
            for (const Choice& b : kTypesB)
              t.add(Pattern(operation.text, d.text, a.text, b.text, sat.text, second.text).text, signature,
                    scalar, aux | b.aux | operation.aux);
          }
          for (const Choice& operation : kShifts) {
            for (const Choice& mode : kModes)
              t.add(Pattern(operation.text, d.text, a.text, ".u32", sat.text, mode.text, second.text).text,
                    signature, shift, aux | mode.aux | operation.aux);
          }
        }
      }
    }
  }
}

void add_multiply_adds(FormTable& t) {
  static constexpr Choice kPlus[] = {{"", 0}, {".po", kPlusOne}};
  static constexpr Choice kScales[] = {{"", 0}, {".shr7", kScale7}, {".shr15", kScale15}};
  for (const Choice& a : kTypesA) {
    for (const Choice& b : kTypesB) {
      for (const Choice& plus : kPlus) {
        for (const Choice& sat : kSaturations) {
          for (const Choice& scale : kScales)
            t.add(Pattern("vmad{.u32,.s32}", a.text, b.text, plus.text, sat.text, scale.text).text,
                  "=b32 b32 b32 b32", multiply_add, a.aux | b.aux | plus.aux | sat.aux | scale.aux);
        }
      }
    }
  }
}

template <u32 Count>
void add_simd(FormTable& t, const char* count) {
  static constexpr Choice kOperations[] = {{"vadd", kAdd},         {"vsub", kSub}, {"vavrg", kAverage},
                                           {"vabsdiff", kAbsDiff}, {"vmin", kMin}, {"vmax", kMax}};
  static constexpr Choice kEnds[] = {{"", 0}, {".sat", kSaturate}, {".add", kThenAdd}};
  for (const Choice& a : kTypesA) {
    for (const Choice& b : kTypesB) {
      for (const Choice& end : kEnds) {
        const u32 aux = a.aux | b.aux | end.aux;
        for (const Choice& d : kTypesD) {
          for (const Choice& operation : kOperations)
            t.add(Pattern(operation.text, count, d.text, a.text, b.text, end.text).text, "=b32 b32 b32 b32",
                  simd<Count>, aux | d.aux | operation.aux);
        }
        if (end.aux == kSaturate) continue;
        for (const Choice& comparison : kComparisons)
          t.add(Pattern("vset", count, a.text, b.text, comparison.text, end.text).text, "=b32 b32 b32 b32",
                simd<Count>, aux | comparison.aux);
      }
    }
  }
}

}  // namespace

void add_video_forms(FormTable& table) {
  table.begin_group("video");
  add_scalars(table);
  add_multiply_adds(table);
  add_simd<2>(table, "2");
  add_simd<4>(table, "4");
}

}  // namespace outboard::softgpu::exec::OUTBOARD_ISA
