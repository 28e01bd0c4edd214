// What mma and wmma have in common: element types, accumulators, and the product whose fragments are
// laid out as the PTX ISA says for mma.
//
// Who holds what (PTX ISA, "Matrix Fragments for mma"): with g = lane / 4 and t = lane % 4, and V
// elements per register,
//   A register r, element e   row g + 8 * (r % 2) (16 rows; 8 rows: g)
//                             column V*t + e + 4*V*(r / 2) (8 rows: r)
//   B register r, element e   row V*t + e + 4*V*r                        column g
//   C, D element c            row g + 8 * (c / 2)                        column 2*t + c % 2
// One formula covers every shape below, from 4-bit integers to doubles.
#pragma once

#include "server/softgpu/exec/handlers/f8_ops.h"
#include "server/softgpu/exec/handlers/lanes.h"

namespace outboard::softgpu::exec::OUTBOARD_ISA {
namespace {

// The operands of matrix instructions fill more than one Op.
template <u32 Operands>
OUTBOARD_INLINE const Op* behind(const Op* op) {
  return op + 1 + (Operands - 1) / kInlineOperands;
}

// Waits for all lanes of the warp, which an instruction of `Operands` operands is for. False if it is
// not to be executed now: `other` is what the handler returns.
template <u32 Operands>
OUTBOARD_INLINE bool gather_all(Warp& warp, const Op* op, const Op*& other) {
  other = behind<Operands>(op);
  if (warp.mask(op) == 0) return false;
  bool together = false;
  const Op* elsewhere = warp.converge(kAllLanes, op, together);
  if (!together) other = elsewhere;
  return together;
}

// Element types. Raw is what a register row holds, Value what is computed with.
struct F16 {
  using Raw = u32;
  using Value = f32;
  static constexpr u32 kPerRegister = 2;
  OUTBOARD_INLINE static Value get(Raw raw, u32 e) { return _cvtsh_ss(static_cast<u16>(raw >> (16 * e))); }
};
struct Bf16 {
  using Raw = u32;
  using Value = f32;
  static constexpr u32 kPerRegister = 2;
  OUTBOARD_INLINE static Value get(Raw raw, u32 e) { return bits_as<f32>(e ? raw & 0xffff'0000 : raw << 16); }
};
struct Tf32 {
  using Raw = u32;
  using Value = f32;
  static constexpr u32 kPerRegister = 1;
  // The 13 low bits of the operand do not take part.
  OUTBOARD_INLINE static Value get(Raw raw, u32) { return bits_as<f32>(raw & 0xffff'e000); }
};
template <u32 ExponentBits>
struct F8 {
  using Raw = u32;
  using Value = f32;
  static constexpr u32 kPerRegister = 4;
  OUTBOARD_INLINE static Value get(Raw raw, u32 e) { return from_f8<ExponentBits>(raw >> (8 * e) & 0xff); }
};
using E4m3 = F8<4>;
using E5m2 = F8<5>;
template <u32 Bits, bool Signed>
struct Int {
  using Raw = u32;
  using Value = s32;
  static constexpr u32 kPerRegister = 32 / Bits;
  OUTBOARD_INLINE static Value get(Raw raw, u32 e) {
    u32 top = raw << (32 - Bits - Bits * e);
    return Signed ? static_cast<s32>(top) >> (32 - Bits) : static_cast<s32>(top >> (32 - Bits));
  }
};
struct F64 {
  using Raw = f64;
  using Value = f64;
  static constexpr u32 kPerRegister = 1;
  OUTBOARD_INLINE static Value get(Raw raw, u32) { return raw; }
};

// Accumulators: how many registers hold the 2 * M / 8 elements of a lane.
template <typename T>
struct AccumulateFloat {
  using Value = T;
  static constexpr u32 registers(u32 m) { return m / 4; }
  OUTBOARD_INLINE static T get(Warp& warp, const Op* op, u32 first, u32 c, u32 lane) {
    return warp.row<const T>(op->operand(first + c))[lane];
  }
  OUTBOARD_INLINE static void put(Warp& warp, const Op* op, u32 c, u32 lane, T value) {
    warp.row<T>(op->operand(c))[lane] = value;
  }
};
using AccumulateF32 = AccumulateFloat<f32>;
struct AccumulateF16 {
  using Value = f32;
  static constexpr u32 registers(u32 m) { return m / 8; }
  OUTBOARD_INLINE static f32 get(Warp& warp, const Op* op, u32 first, u32 c, u32 lane) {
    return _cvtsh_ss(warp.row<const u16>(op->operand(first + c / 2))[2 * lane + c % 2]);
  }
  OUTBOARD_INLINE static void put(Warp& warp, const Op* op, u32 c, u32 lane, f32 value) {
    warp.row<u16>(op->operand(c / 2))[2 * lane + c % 2] = _cvtss_sh(value, _MM_FROUND_TO_NEAREST_INT);
  }
};
template <bool Saturate>
struct AccumulateS32 {
  using Value = s64;  // wide enough for the sum before it wraps or saturates
  static constexpr u32 registers(u32 m) { return m / 4; }
  OUTBOARD_INLINE static s64 get(Warp& warp, const Op* op, u32 first, u32 c, u32 lane) {
    return warp.row<const s32>(op->operand(first + c))[lane];
  }
  OUTBOARD_INLINE static void put(Warp& warp, const Op* op, u32 c, u32 lane, s64 value) {
    if (Saturate) value = value > INT32_MAX ? INT32_MAX : value < INT32_MIN ? INT32_MIN : value;
    warp.row<s32>(op->operand(c))[lane] = static_cast<s32>(static_cast<u32>(static_cast<u64>(value)));
  }
};
using AccumulateF64 = AccumulateFloat<f64>;

// sum[n] = a * b over the K axis, for one row of A and all N columns of B.
template <u32 K, u32 N, typename V>
OUTBOARD_INLINE void multiply_row(V* sum, const V* a, const V (*b)[N]) {
  for (u32 k = 0; k < K; ++k) {
    V scale = a[k];
    OUTBOARD_LANE_LOOP
    for (u32 n = 0; n < N; ++n) sum[n] += scale * b[k][n];
  }
}

// The same for all rows at once: their sums do not wait for one another, so they stay in registers.
template <u32 M, u32 K, typename V>
OUTBOARD_INLINE void multiply_all(V (*sum)[8], const V (*a)[K], const V (*b)[8]) {
  typedef V Vector __attribute__((vector_size(8 * sizeof(V))));
  Vector sums[M];
#pragma GCC unroll 16
  for (u32 m = 0; m < M; ++m) __builtin_memcpy(&sums[m], sum[m], sizeof(Vector));
  for (u32 k = 0; k < K; ++k) {
    Vector column;
    __builtin_memcpy(&column, b[k], sizeof column);
#pragma GCC unroll 16
    for (u32 m = 0; m < M; ++m) sums[m] += a[m][k] * column;
  }
#pragma GCC unroll 16
  for (u32 m = 0; m < M; ++m) __builtin_memcpy(sum[m], &sums[m], sizeof(Vector));
}

// All elements of a register row, one lane's after the other's.
template <typename E>
OUTBOARD_INLINE void unpack_elements(typename E::Value* to, const typename E::Raw* row) {
  constexpr u32 kElements = kLanes * E::kPerRegister;
  if constexpr (std::is_same_v<E, F16>) {
    const auto* halves = reinterpret_cast<const __m128i*>(row);
    for (u32 i = 0; i < kElements; i += 8)
      _mm256_storeu_ps(to + i, _mm256_cvtph_ps(_mm_loadu_si128(halves + i / 8)));
  } else {
    OUTBOARD_LANE_LOOP
    for (u32 i = 0; i < kElements; ++i) to[i] = E::get(row[i / E::kPerRegister], i % E::kPerRegister);
  }
}

// Four lanes hold neighbours of one row of A.
template <u32 M, u32 K, typename A>
OUTBOARD_INLINE void load_a(Warp& warp, const Op* op, u32 first, typename A::Value (*a)[K]) {
  constexpr u32 V = A::kPerRegister, kRegisters = M * K / 32 / V;
  alignas(64) typename A::Value elements[kLanes * V];
  for (u32 r = 0; r < kRegisters; ++r) {
    unpack_elements<A>(elements, warp.row<const typename A::Raw>(op->operand(first + r)));
    u32 down = M == 16 ? 8 * (r % 2) : 0, right = 4 * V * (M == 16 ? r / 2 : r);
    for (u32 g = 0; g < 8; ++g)
      __builtin_memcpy(&a[g + down][right], elements + 4 * V * g, 4 * V * sizeof(typename A::Value));
  }
}

// And of one column of B.
template <u32 K, typename B>
OUTBOARD_INLINE void load_b(Warp& warp, const Op* op, u32 first, typename B::Value (*b)[8]) {
  constexpr u32 V = B::kPerRegister, kRegisters = 8 * K / 32 / V;
  alignas(64) typename B::Value elements[kLanes * V];
  for (u32 r = 0; r < kRegisters; ++r) {
    unpack_elements<B>(elements, warp.row<const typename B::Raw>(op->operand(first + r)));
    for (u32 j = 0; j < 4 * V; ++j) {
      for (u32 g = 0; g < 8; ++g) b[j + 4 * V * r][g] = elements[4 * V * g + j];
    }
  }
}

// d, a, b, c as groups of registers. D is C's type, or f16 and f32 mixed.
template <u32 M, u32 K, typename A, typename B, typename D, typename C>
const Op* mma(Warp& warp, const Op* op) {
  constexpr u32 kD = D::registers(M), kA = M * K / 32 / A::kPerRegister, kB = 8 * K / 32 / B::kPerRegister;
  constexpr u32 kC = C::registers(M), kOperands = kD + kA + kB + kC;
  const Op* other;
  if (!gather_all<kOperands>(warp, op, other)) return other;
  using Value = typename A::Value;
  alignas(64) Value a[M][K], b[K][8], sum[M][8];
  load_a<M, K, A>(warp, op, kD, a);
  load_b<K, B>(warp, op, kD + kA, b);
  // Integers: the product alone, the accumulator is added in a wider type below.
  constexpr bool kWide = std::is_same_v<Value, s32>;
  // Two registers hold neighbours in turns, lane after lane.
  alignas(64) typename C::Value before[M * 8];
  for (u32 pair = 0; pair < M / 8; ++pair) {
    for (u32 lane = 0; lane < kLanes; ++lane) {
      before[64 * pair + 2 * lane] = C::get(warp, op, kD + kA + kB, 2 * pair, lane);
      before[64 * pair + 2 * lane + 1] = C::get(warp, op, kD + kA + kB, 2 * pair + 1, lane);
    }
  }
  Value* sums = &sum[0][0];
  for (u32 i = 0; i < M * 8; ++i) sums[i] = kWide ? Value{} : static_cast<Value>(before[i]);
  multiply_all<M, K>(sum, a, b);
  for (u32 c = 0; c < M / 4; ++c) {
    for (u32 lane = 0; lane < kLanes; ++lane) {
      u32 i = 64 * (c / 2) + 2 * lane + c % 2;
      auto value = static_cast<typename D::Value>(sums[i]);
      if constexpr (kWide) value += before[i];
      D::put(warp, op, c, lane, value);
    }
  }
  return behind<kOperands>(op);
}

// Single bits: the sum counts the ones of a xor b, or of a and b.
template <u32 M, u32 K, bool And>
const Op* mma_bits(Warp& warp, const Op* op) {
  constexpr u32 kD = M / 4, kA = M * K / 1024, kB = 8 * K / 1024, kOperands = 2 * kD + kA + kB;
  const Op* other;
  if (!gather_all<kOperands>(warp, op, other)) return other;
  constexpr u32 kWords = K / 32;
  u32 a[M][kWords], b[8][kWords];
  for (u32 lane = 0; lane < kLanes; ++lane) {
    for (u32 r = 0; r < kA; ++r) {
      a[lane / 4 + (M == 16 ? 8 * (r % 2) : 0)][lane % 4 + 4 * (M == 16 ? r / 2 : r)] =
          warp.row<const u32>(op->operand(kD + r))[lane];
    }
    for (u32 r = 0; r < kB; ++r)
      b[lane / 4][lane % 4 + 4 * r] = warp.row<const u32>(op->operand(kD + kA + r))[lane];
  }
  u32 result[kD][kLanes];
  for (u32 c = 0; c < kD; ++c) {
    for (u32 lane = 0; lane < kLanes; ++lane) {
      u32 m = lane / 4 + 8 * (c / 2), n = 2 * (lane % 4) + c % 2;
      u32 sum = warp.row<const u32>(op->operand(kD + kA + kB + c))[lane];
      for (u32 w = 0; w < kWords; ++w)
        sum += static_cast<u32>(__builtin_popcount(And ? a[m][w] & b[n][w] : a[m][w] ^ b[n][w]));
      result[c][lane] = sum;
    }
  }
  for (u32 c = 0; c < kD; ++c) {
    for (u32 lane = 0; lane < kLanes; ++lane) warp.row<u32>(op->operand(c))[lane] = result[c][lane];
  }
  return behind<kOperands>(op);
}

}  // namespace
}  // namespace outboard::softgpu::exec::OUTBOARD_ISA
