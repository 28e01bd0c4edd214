// What the instruction handlers are made of. Included by every group file, and by nothing else:
// the group files are compiled once per instruction set, so all of this lives in a namespace of
// that set and has internal linkage. Group files must not use inline functions of other headers
// (standard containers above all): the linker keeps one copy of such a function, and that copy
// could need a newer processor than the one at hand.
#pragma once

#include <immintrin.h>

#include <type_traits>
#include <utility>

#include "server/softgpu/exec/forms.h"
#include "server/softgpu/exec/handlers/groups.h"
#include "server/softgpu/exec/warp.h"

// Lanes do not depend on one another: destination rows are either equal to or disjoint from
// source rows.
#if defined(__clang__)
#define OUTBOARD_LANE_LOOP _Pragma("clang loop vectorize(assume_safety)")
#else
#define OUTBOARD_LANE_LOOP _Pragma("GCC ivdep")
#endif

namespace outboard::softgpu::exec::OUTBOARD_ISA {
namespace {

using u8 = uint8_t;
using u16 = uint16_t;
using u32 = uint32_t;
using u64 = uint64_t;
using s8 = int8_t;
using s16 = int16_t;
using s32 = int32_t;
using s64 = int64_t;
using f32 = float;
using f64 = double;
using u128 = unsigned __int128;
using s128 = __int128;

template <typename To, typename From>
OUTBOARD_INLINE To bits_as(From value) {
  static_assert(sizeof(To) == sizeof(From));
  return __builtin_bit_cast(To, value);
}

template <size_t Bytes>
struct IntegerOf;
template <>
struct IntegerOf<1> {
  using Signed = s8;
  using Unsigned = u8;
};
template <>
struct IntegerOf<2> {
  using Signed = s16;
  using Unsigned = u16;
};
template <>
struct IntegerOf<4> {
  using Signed = s32;
  using Unsigned = u32;
};
template <>
struct IntegerOf<8> {
  using Signed = s64;
  using Unsigned = u64;
};
template <>
struct IntegerOf<16> {
  using Signed = s128;
  using Unsigned = u128;
};
template <typename T>
using SignedOf = typename IntegerOf<sizeof(T)>::Signed;
template <typename T>
using UnsignedOf = typename IntegerOf<sizeof(T)>::Unsigned;

// to[i] = from[i] for the lanes of `mask`.
template <typename T>
OUTBOARD_INLINE void blend(T* to, const T* from, uint32_t mask) {
#if defined(__AVX512BW__)
  const auto* in = reinterpret_cast<const char*>(from);
  auto* out = reinterpret_cast<char*>(to);
  if constexpr (sizeof(T) == 2) {
    _mm512_mask_storeu_epi16(out, mask, _mm512_loadu_si512(in));
    return;
  } else if constexpr (sizeof(T) == 4) {
    _mm512_mask_storeu_epi32(out, static_cast<__mmask16>(mask), _mm512_loadu_si512(in));
    _mm512_mask_storeu_epi32(out + 64, static_cast<__mmask16>(mask >> 16), _mm512_loadu_si512(in + 64));
    return;
  } else if constexpr (sizeof(T) == 8) {
    for (int i = 0; i < 4; ++i) {
      _mm512_mask_storeu_epi64(out + 64 * i, static_cast<__mmask8>(mask >> (8 * i)),
                               _mm512_loadu_si512(in + 64 * i));
    }
    return;
  }
#endif
  OUTBOARD_LANE_LOOP
  for (uint32_t i = 0; i < kLanes; ++i) to[i] = (mask >> i & 1) ? from[i] : to[i];
}

// destination[i] = f(sources[i]...) for the lanes that the instruction is for. Operand 0 is the
// destination, the sources follow.
template <typename D, typename... S, typename F, size_t... I>
OUTBOARD_INLINE const Op* map_rows(Warp& warp, const Op* op, F f, std::index_sequence<I...>) {
  uint32_t mask = warp.mask(op);
  if (mask == 0) return op + 1;
  D* destination = warp.row<D>(op->r[0]);
  auto compute = [&](D* out, const S*... source) {
    OUTBOARD_LANE_LOOP
    for (uint32_t i = 0; i < kLanes; ++i) out[i] = static_cast<D>(f(source[i]...));
  };
  if (warp.covers_all(mask)) [[likely]] {
    compute(destination, warp.row<const S>(op->r[1 + I])...);
  } else {
    alignas(64) D scratch[kLanes];
    compute(scratch, warp.row<const S>(op->r[1 + I])...);
    blend(destination, scratch, mask);
  }
  return op + 1;
}

template <typename D, typename... S, typename F>
OUTBOARD_INLINE const Op* map(Warp& warp, const Op* op, F f) {
  return map_rows<D, S...>(warp, op, f, std::index_sequence_for<S...>{});
}

// The usual handler: F is a functor type.
template <typename D, typename F, typename... S>
const Op* run(Warp& warp, const Op* op) {
  return map<D, S...>(warp, op, F{});
}
template <typename T, typename F>
constexpr Handler unary = run<T, F, T>;
template <typename T, typename F>
constexpr Handler binary = run<T, F, T, T>;
template <typename T, typename F>
constexpr Handler ternary = run<T, F, T, T, T>;

// One bit per lane from a row of zeros and minus ones.
OUTBOARD_INLINE uint32_t mask_of(const s16* row) {
#if defined(__AVX512BW__)
  return _mm512_movepi16_mask(_mm512_loadu_si512(row));
#else
  const auto* in = reinterpret_cast<const __m256i*>(row);
  __m256i packed = _mm256_packs_epi16(_mm256_loadu_si256(in), _mm256_loadu_si256(in + 1));
  return static_cast<uint32_t>(_mm256_movemask_epi8(_mm256_permute4x64_epi64(packed, 0xd8)));
#endif
}
OUTBOARD_INLINE uint32_t mask_of(const s32* row) {
#if defined(__AVX512DQ__)
  return static_cast<uint32_t>(_mm512_movepi32_mask(_mm512_loadu_si512(row))) |
         static_cast<uint32_t>(_mm512_movepi32_mask(_mm512_loadu_si512(row + 16))) << 16;
#else
  uint32_t mask = 0;
  for (int i = 0; i < 4; ++i) {
    __m256 part = _mm256_loadu_ps(reinterpret_cast<const float*>(row) + 8 * i);
    mask |= static_cast<uint32_t>(_mm256_movemask_ps(part)) << (8 * i);
  }
  return mask;
#endif
}
OUTBOARD_INLINE uint32_t mask_of(const s64* row) {
  uint32_t mask = 0;
#if defined(__AVX512DQ__)
  for (int i = 0; i < 4; ++i)
    mask |= static_cast<uint32_t>(_mm512_movepi64_mask(_mm512_loadu_si512(row + 8 * i))) << (8 * i);
#else
  for (int i = 0; i < 8; ++i) {
    __m256d part = _mm256_loadu_pd(reinterpret_cast<const double*>(row) + 4 * i);
    mask |= static_cast<uint32_t>(_mm256_movemask_pd(part)) << (4 * i);
  }
#endif
  return mask;
}

// Bit i is f(a[i], b[i]).
template <typename T, typename F>
OUTBOARD_INLINE uint32_t compare(const T* a, const T* b, F f) {
  alignas(64) SignedOf<T> result[kLanes];
  OUTBOARD_LANE_LOOP
  for (uint32_t i = 0; i < kLanes; ++i) result[i] = f(a[i], b[i]) ? -1 : 0;
  return mask_of(result);
}

// Operators that several groups apply. Sums of integers wrap.
struct Add {
  template <typename T>
  OUTBOARD_INLINE T operator()(T a, T b) const {
    if constexpr (std::is_floating_point_v<T>)
      return a + b;
    else
      return static_cast<T>(UnsignedOf<T>(a) + UnsignedOf<T>(b));
  }
};
struct Min {
  template <typename T>
  OUTBOARD_INLINE T operator()(T a, T b) const {
    return a < b ? a : b;
  }
};
struct Max {
  template <typename T>
  OUTBOARD_INLINE T operator()(T a, T b) const {
    return a > b ? a : b;
  }
};
struct And {
  template <typename T>
  OUTBOARD_INLINE T operator()(T a, T b) const {
    return a & b;
  }
};
struct Or {
  template <typename T>
  OUTBOARD_INLINE T operator()(T a, T b) const {
    return a | b;
  }
};
struct Xor {
  template <typename T>
  OUTBOARD_INLINE T operator()(T a, T b) const {
    return a ^ b;
  }
};

OUTBOARD_INLINE uint32_t first_lane(uint32_t mask) { return static_cast<uint32_t>(__builtin_ctz(mask)); }

// Calls f(lane) for every lane of the mask.
template <typename F>
OUTBOARD_INLINE void for_lanes(uint32_t mask, F f) {
  if (mask == kAllLanes) {
    for (uint32_t lane = 0; lane < kLanes; ++lane) f(lane);
    return;
  }
  for (; mask != 0; mask &= mask - 1) f(first_lane(mask));
}

// All active lanes go on at `target`.
OUTBOARD_INLINE const Op* go(Warp& warp, const Op* op, uint32_t target) {
  if (target <= static_cast<uint32_t>(op - warp.code) && --warp.budget < 0) [[unlikely]]
    return warp.yield(target);
  if (target >= warp.lowest_pending) [[unlikely]]
    return warp.regroup(target);
  return warp.code + target;
}

OUTBOARD_INLINE uint32_t index_of(const Warp& warp, const Op* op) {
  return static_cast<uint32_t>(op - warp.code);
}

// Waits for the members that the row `members_row` names; false while that lasts, and the handler
// returns `other`. Lanes that name other members meet on their own, so they leave `mask` and come back
// to the instruction later.
OUTBOARD_INLINE bool gather(Warp& warp, const Op* op, uint32_t members_row, uint32_t& mask, uint32_t& members,
                            const Op*& other) {
  const uint32_t* row = warp.row<const uint32_t>(members_row);
  members = row[first_lane(mask)];
  if ((members_row & 3) != kBankConstants) {
    uint32_t others = 0;
    for (uint32_t lane = 0; lane < kLanes; ++lane)
      others |= static_cast<uint32_t>(row[lane] != members) << lane;
    others &= mask;
    if (others != 0) warp.stay(others, index_of(warp, op));
    mask &= ~others;
  }
  bool together;
  other = warp.converge(members, op, together);
  members &= warp.active;
  return together;
}

}  // namespace
}  // namespace outboard::softgpu::exec::OUTBOARD_ISA
