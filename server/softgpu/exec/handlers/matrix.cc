// Matrix instructions of a whole warp: mma, ldmatrix, stmatrix and movmatrix.
//
// Who holds what (PTX ISA, "Matrix Fragments for mma"): with g = lane / 4 and t = lane % 4, and V
// elements per register,
//   A register r, element e   row g + 8 * (r % 2) (16 rows; 8 rows: g)   column V*t + e + 4*V*(r / 2) (8
//   rows: r) B register r, element e   row V*t + e + 4*V*r                        column g C, D element c row
//   g + 8 * (c / 2)                        column 2*t + c % 2
// One formula covers every shape below, from 4-bit integers to doubles.
#include "server/softgpu/exec/handlers/f8_ops.h"
#include "server/softgpu/exec/handlers/table_text.h"
#include "server/softgpu/exec/memory.h"
#include "server/softgpu/exec/windows.h"

namespace outboard::softgpu::exec::OUTBOARD_ISA {
namespace {

// The operands of matrix instructions fill more than one Op.
template <u32 Operands>
OUTBOARD_INLINE const Op* behind(const Op* op) {
  return op + 1 + (Operands - 1) / kInlineOperands;
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
struct AccumulateF32 {
  using Value = f32;
  static constexpr u32 registers(u32 m) { return m / 4; }
  OUTBOARD_INLINE static f32 get(Warp& warp, const Op* op, u32 first, u32 c, u32 lane) {
    return warp.row<const f32>(op->operand(first + c))[lane];
  }
  OUTBOARD_INLINE static void put(Warp& warp, const Op* op, u32 c, u32 lane, f32 value) {
    warp.row<f32>(op->operand(c))[lane] = value;
  }
};
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
struct AccumulateF64 {
  using Value = f64;
  static constexpr u32 registers(u32 m) { return m / 4; }
  OUTBOARD_INLINE static f64 get(Warp& warp, const Op* op, u32 first, u32 c, u32 lane) {
    return warp.row<const f64>(op->operand(first + c))[lane];
  }
  OUTBOARD_INLINE static void put(Warp& warp, const Op* op, u32 c, u32 lane, f64 value) {
    warp.row<f64>(op->operand(c))[lane] = value;
  }
};

// sum[n] = a * b over the K axis, for one row of A and all 8 columns of B.
template <u32 K, typename V>
OUTBOARD_INLINE void multiply_row(V* sum, const V* a, const V (*b)[8]) {
  for (u32 k = 0; k < K; ++k) {
    V scale = a[k];
    OUTBOARD_LANE_LOOP
    for (u32 n = 0; n < 8; ++n) sum[n] += scale * b[k][n];
  }
}

template <u32 M, u32 K, typename A>
OUTBOARD_INLINE void load_a(Warp& warp, const Op* op, u32 first, typename A::Value (*a)[K]) {
  constexpr u32 V = A::kPerRegister, kRegisters = M * K / 32 / V;
  for (u32 r = 0; r < kRegisters; ++r) {
    const auto* row = warp.row<const typename A::Raw>(op->operand(first + r));
    u32 down = M == 16 ? 8 * (r % 2) : 0, right = 4 * V * (M == 16 ? r / 2 : r);
    for (u32 lane = 0; lane < kLanes; ++lane) {
      for (u32 e = 0; e < V; ++e) a[lane / 4 + down][V * (lane % 4) + e + right] = A::get(row[lane], e);
    }
  }
}

template <u32 K, typename B>
OUTBOARD_INLINE void load_b(Warp& warp, const Op* op, u32 first, typename B::Value (*b)[8]) {
  constexpr u32 V = B::kPerRegister, kRegisters = 8 * K / 32 / V;
  for (u32 r = 0; r < kRegisters; ++r) {
    const auto* row = warp.row<const typename B::Raw>(op->operand(first + r));
    for (u32 lane = 0; lane < kLanes; ++lane) {
      for (u32 e = 0; e < V; ++e) b[V * (lane % 4) + e + 4 * V * r][lane / 4] = B::get(row[lane], e);
    }
  }
}

// d, a, b, c as groups of registers. D is C's type, or f16 and f32 mixed.
template <u32 M, u32 K, typename A, typename B, typename D, typename C>
const Op* mma(Warp& warp, const Op* op) {
  constexpr u32 kD = D::registers(M), kA = M * K / 32 / A::kPerRegister, kB = 8 * K / 32 / B::kPerRegister;
  constexpr u32 kC = C::registers(M), kOperands = kD + kA + kB + kC;
  if (warp.mask(op) == 0) return behind<kOperands>(op);
  bool together = false;
  if (const Op* other = warp.converge(kAllLanes, op, together); !together) return other;
  using Value = typename A::Value;
  alignas(64) Value a[M][K], b[K][8], sum[M][8];
  load_a<M, K, A>(warp, op, kD, a);
  load_b<K, B>(warp, op, kD + kA, b);
  // Integers: the product alone, the accumulator is added in a wider type below.
  constexpr bool kWide = std::is_same_v<Value, s32>;
  alignas(64) typename C::Value before[M][8];
  for (u32 c = 0; c < M / 4; ++c) {
    for (u32 lane = 0; lane < kLanes; ++lane) {
      before[lane / 4 + 8 * (c / 2)][2 * (lane % 4) + c % 2] = C::get(warp, op, kD + kA + kB, c, lane);
    }
  }
  for (u32 m = 0; m < M; ++m) {
    for (u32 n = 0; n < 8; ++n) sum[m][n] = kWide ? Value{} : static_cast<Value>(before[m][n]);
    multiply_row<K>(sum[m], a[m], b);
  }
  for (u32 c = 0; c < M / 4; ++c) {
    for (u32 lane = 0; lane < kLanes; ++lane) {
      u32 m = lane / 4 + 8 * (c / 2), n = 2 * (lane % 4) + c % 2;
      auto value = static_cast<typename D::Value>(sum[m][n]);
      if constexpr (kWide) value += before[m][n];
      D::put(warp, op, c, lane, value);
    }
  }
  return behind<kOperands>(op);
}

// Single bits: the sum counts the ones of a xor b, or of a and b.
template <u32 M, u32 K, bool And>
const Op* mma_bits(Warp& warp, const Op* op) {
  constexpr u32 kD = M / 4, kA = M * K / 1024, kB = 8 * K / 1024, kOperands = 2 * kD + kA + kB;
  if (warp.mask(op) == 0) return behind<kOperands>(op);
  bool together = false;
  if (const Op* other = warp.converge(kAllLanes, op, together); !together) return other;
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

// A register row is an 8 by 8 matrix of 16-bit elements, row by row.
OUTBOARD_INLINE void transpose(u16* to, const u16* from) {
  for (u32 i = 0; i < 8; ++i) {
    for (u32 j = 0; j < 8; ++j) to[8 * j + i] = from[8 * i + j];
  }
}

const Op* movmatrix(Warp& warp, const Op* op) {
  if (warp.mask(op) == 0) return op + 1;
  bool together = false;
  if (const Op* other = warp.converge(kAllLanes, op, together); !together) return other;
  alignas(64) u16 moved[2 * kLanes];
  transpose(moved, warp.row<const u16>(op->r[1]));
  u16* to = warp.row<u16>(op->r[0]);
  for (u32 i = 0; i < 2 * kLanes; ++i) to[i] = moved[i];
  return op + 1;
}

// The 16 bytes of matrix row `row`, whose address lane `row` holds; nullptr after a fault.
template <bool Generic>
OUTBOARD_INLINE std::byte* matrix_row(Warp& warp, const Op* op, u32 address_operand, u32 row) {
  u32 base = op->operand(address_operand);
  u64 address = op->flags & kAddress32 ? warp.row<const u32>(base)[row] : warp.row<const u64>(base)[row];
  address += static_cast<u64>(static_cast<s64>(static_cast<s32>(op->operand(address_operand + 1))));
  if (!Generic && op->flags & kAddress32) address &= 0xffff'ffff;
  std::byte* found = nullptr;
  if constexpr (Generic) {
    found = translate_generic(warp, row, address, 16);
  } else if (address + 16 <= warp.shared_bytes) {
    found = warp.shared + address;
  }
  if (found == nullptr || address % 16 != 0) {
    bad_access(warp, op, row, address, 16, "shared", found != nullptr);
    return nullptr;
  }
  return found;
}

template <u32 Count, bool Transpose, bool Generic>
const Op* ldmatrix(Warp& warp, const Op* op) {
  if (warp.mask(op) == 0) return behind<Count + 2>(op);
  bool together = false;
  if (const Op* other = warp.converge(kAllLanes, op, together); !together) return other;
  alignas(64) u16 loaded[Count][2 * kLanes];
  for (u32 row = 0; row < 8 * Count; ++row) {
    const std::byte* from = matrix_row<Generic>(warp, op, Count, row);
    if (from == nullptr) return nullptr;
    __builtin_memcpy(&loaded[row / 8][8 * (row % 8)], from, 16);
  }
  for (u32 i = 0; i < Count; ++i) {
    u16* to = warp.row<u16>(op->operand(i));
    if (Transpose) {
      transpose(to, loaded[i]);
    } else {
      __builtin_memcpy(to, loaded[i], sizeof loaded[i]);
    }
  }
  return behind<Count + 2>(op);
}

template <u32 Count, bool Transpose, bool Generic>
const Op* stmatrix(Warp& warp, const Op* op) {
  if (warp.mask(op) == 0) return behind<Count + 2>(op);
  bool together = false;
  if (const Op* other = warp.converge(kAllLanes, op, together); !together) return other;
  for (u32 row = 0; row < 8 * Count; ++row) {
    std::byte* to = matrix_row<Generic>(warp, op, 0, row);
    if (to == nullptr) return nullptr;
    const u16* from = warp.row<const u16>(op->operand(2 + row / 8));
    u16 one[8];
    for (u32 j = 0; j < 8; ++j) one[j] = Transpose ? from[8 * j + row % 8] : from[8 * (row % 8) + j];
    __builtin_memcpy(to, one, sizeof one);
  }
  return behind<Count + 2>(op);
}

void add_float_mma(FormTable& t) {
  using S = AccumulateF32;
  using H = AccumulateF16;
  t.add("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32", "=f32x4 b32x4 b32x2 f32x4",
        mma<16, 16, F16, F16, S, S>);
  t.add("mma.sync.aligned.m16n8k16.row.col.f16.f16.f16.f16", "=b32x2 b32x4 b32x2 b32x2",
        mma<16, 16, F16, F16, H, H>);
  t.add("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f16", "=f32x4 b32x4 b32x2 b32x2",
        mma<16, 16, F16, F16, S, H>);
  t.add("mma.sync.aligned.m16n8k16.row.col.f16.f16.f16.f32", "=b32x2 b32x4 b32x2 f32x4",
        mma<16, 16, F16, F16, H, S>);
  t.add("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32", "=f32x4 b32x2 b32 f32x4",
        mma<16, 8, F16, F16, S, S>);
  t.add("mma.sync.aligned.m16n8k8.row.col.f16.f16.f16.f16", "=b32x2 b32x2 b32 b32x2",
        mma<16, 8, F16, F16, H, H>);
  t.add("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f16", "=f32x4 b32x2 b32 b32x2",
        mma<16, 8, F16, F16, S, H>);
  t.add("mma.sync.aligned.m16n8k8.row.col.f16.f16.f16.f32", "=b32x2 b32x2 b32 f32x4",
        mma<16, 8, F16, F16, H, S>);
  t.add("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32", "=f32x4 b32x4 b32x2 f32x4",
        mma<16, 16, Bf16, Bf16, S, S>);
  t.add("mma.sync.aligned.m16n8k8.row.col.f32.bf16.bf16.f32", "=f32x4 b32x2 b32 f32x4",
        mma<16, 8, Bf16, Bf16, S, S>);
  t.add("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32", "=f32x4 b32x4 b32x2 f32x4",
        mma<16, 8, Tf32, Tf32, S, S>);
  t.add("mma.sync.aligned.m16n8k4.row.col.f32.tf32.tf32.f32", "=f32x4 b32x2 b32 f32x4",
        mma<16, 4, Tf32, Tf32, S, S>);
  t.add("mma.sync.aligned.m16n8k32.row.col.f32.e4m3.e4m3.f32", "=f32x4 b32x4 b32x2 f32x4",
        mma<16, 32, E4m3, E4m3, S, S>);
  t.add("mma.sync.aligned.m16n8k32.row.col.f32.e4m3.e5m2.f32", "=f32x4 b32x4 b32x2 f32x4",
        mma<16, 32, E4m3, E5m2, S, S>);
  t.add("mma.sync.aligned.m16n8k32.row.col.f32.e5m2.e4m3.f32", "=f32x4 b32x4 b32x2 f32x4",
        mma<16, 32, E5m2, E4m3, S, S>);
  t.add("mma.sync.aligned.m16n8k32.row.col.f32.e5m2.e5m2.f32", "=f32x4 b32x4 b32x2 f32x4",
        mma<16, 32, E5m2, E5m2, S, S>);
  t.add("mma.sync.aligned.m8n8k4.row.col[.rn].f64.f64.f64.f64", "=f64x2 f64 f64 f64x2",
        mma<8, 4, F64, F64, AccumulateF64, AccumulateF64>);
  t.add("mma.sync.aligned.m16n8k4.row.col[.rn].f64.f64.f64.f64", "=f64x4 f64x2 f64 f64x4",
        mma<16, 4, F64, F64, AccumulateF64, AccumulateF64>);
  t.add("mma.sync.aligned.m16n8k8.row.col[.rn].f64.f64.f64.f64", "=f64x4 f64x4 f64x2 f64x4",
        mma<16, 8, F64, F64, AccumulateF64, AccumulateF64>);
  t.add("mma.sync.aligned.m16n8k16.row.col[.rn].f64.f64.f64.f64", "=f64x4 f64x8 f64x4 f64x4",
        mma<16, 16, F64, F64, AccumulateF64, AccumulateF64>);
}

// Integer shapes for one pair of element types; `types` is ".s8.u8" and its like.
template <u32 Bits, bool SignedA, bool SignedB, bool Saturate>
void add_integer_mma(FormTable& t, const char* types) {
  using A = Int<Bits, SignedA>;
  using B = Int<Bits, SignedB>;
  using S = AccumulateS32<Saturate>;
  // K of the smallest shape: 16 bytes' worth of elements.
  constexpr u32 K = 128 / Bits;
  struct Shape {
    const char* text;
    const char* signature;
    Handler handler;
  };
  constexpr bool kBytes = Bits == 8;
  const Shape shapes[] = {
      {kBytes ? "m8n8k16" : "m8n8k32", "=s32x2 b32 b32 s32x2", mma<8, K, A, B, S, S>},
      {kBytes ? "m16n8k16" : "m16n8k32", "=s32x4 b32x2 b32 s32x4", mma<16, K, A, B, S, S>},
      {kBytes ? "m16n8k32" : "m16n8k64", "=s32x4 b32x4 b32x2 s32x4", mma<16, 2 * K, A, B, S, S>},
  };
  for (const Shape& shape : shapes) {
    const Pattern text("mma.sync.aligned.", shape.text, ".row.col", Saturate ? ".satfinite" : "", ".s32",
                       types, ".s32");
    t.add(text.text, shape.signature, shape.handler);
  }
}

template <bool Saturate>
void add_integer_pairs(FormTable& t) {
  add_integer_mma<8, true, true, Saturate>(t, ".s8.s8");
  add_integer_mma<8, true, false, Saturate>(t, ".s8.u8");
  add_integer_mma<8, false, true, Saturate>(t, ".u8.s8");
  add_integer_mma<8, false, false, Saturate>(t, ".u8.u8");
  add_integer_mma<4, true, true, Saturate>(t, ".s4.s4");
  add_integer_mma<4, true, false, Saturate>(t, ".s4.u4");
  add_integer_mma<4, false, true, Saturate>(t, ".u4.s4");
  add_integer_mma<4, false, false, Saturate>(t, ".u4.u4");
}

void add_bit_mma(FormTable& t) {
  t.add("mma.sync.aligned.m8n8k128.row.col.s32.b1.b1.s32.xor.popc", "=s32x2 b32 b32 s32x2",
        mma_bits<8, 128, false>);
  t.add("mma.sync.aligned.m8n8k128.row.col.s32.b1.b1.s32.and.popc", "=s32x2 b32 b32 s32x2",
        mma_bits<8, 128, true>);
  t.add("mma.sync.aligned.m16n8k128.row.col.s32.b1.b1.s32.xor.popc", "=s32x4 b32x2 b32 s32x4",
        mma_bits<16, 128, false>);
  t.add("mma.sync.aligned.m16n8k128.row.col.s32.b1.b1.s32.and.popc", "=s32x4 b32x2 b32 s32x4",
        mma_bits<16, 128, true>);
  t.add("mma.sync.aligned.m16n8k256.row.col.s32.b1.b1.s32.xor.popc", "=s32x4 b32x4 b32x2 s32x4",
        mma_bits<16, 256, false>);
  t.add("mma.sync.aligned.m16n8k256.row.col.s32.b1.b1.s32.and.popc", "=s32x4 b32x4 b32x2 s32x4",
        mma_bits<16, 256, true>);
}

void add_moves(FormTable& t) {
  t.add("movmatrix.sync.aligned.m8n8.trans.b16", "=b32 b32", movmatrix);
  t.add("ldmatrix.sync.aligned.m8n8.x1{.shared,.shared::cta}.b16", "=b32x1 []", ldmatrix<1, false, false>);
  t.add("ldmatrix.sync.aligned.m8n8.x2{.shared,.shared::cta}.b16", "=b32x2 []", ldmatrix<2, false, false>);
  t.add("ldmatrix.sync.aligned.m8n8.x4{.shared,.shared::cta}.b16", "=b32x4 []", ldmatrix<4, false, false>);
  t.add("ldmatrix.sync.aligned.m8n8.x1.trans{.shared,.shared::cta}.b16", "=b32x1 []",
        ldmatrix<1, true, false>);
  t.add("ldmatrix.sync.aligned.m8n8.x2.trans{.shared,.shared::cta}.b16", "=b32x2 []",
        ldmatrix<2, true, false>);
  t.add("ldmatrix.sync.aligned.m8n8.x4.trans{.shared,.shared::cta}.b16", "=b32x4 []",
        ldmatrix<4, true, false>);
  t.add("ldmatrix.sync.aligned.m8n8.x1.b16", "=b32x1 []", ldmatrix<1, false, true>);
  t.add("ldmatrix.sync.aligned.m8n8.x2.b16", "=b32x2 []", ldmatrix<2, false, true>);
  t.add("ldmatrix.sync.aligned.m8n8.x4.b16", "=b32x4 []", ldmatrix<4, false, true>);
  t.add("ldmatrix.sync.aligned.m8n8.x1.trans.b16", "=b32x1 []", ldmatrix<1, true, true>);
  t.add("ldmatrix.sync.aligned.m8n8.x2.trans.b16", "=b32x2 []", ldmatrix<2, true, true>);
  t.add("ldmatrix.sync.aligned.m8n8.x4.trans.b16", "=b32x4 []", ldmatrix<4, true, true>);
  t.add("stmatrix.sync.aligned.m8n8.x1{.shared,.shared::cta}.b16", "[] b32x1", stmatrix<1, false, false>);
  t.add("stmatrix.sync.aligned.m8n8.x2{.shared,.shared::cta}.b16", "[] b32x2", stmatrix<2, false, false>);
  t.add("stmatrix.sync.aligned.m8n8.x4{.shared,.shared::cta}.b16", "[] b32x4", stmatrix<4, false, false>);
  t.add("stmatrix.sync.aligned.m8n8.x1.trans{.shared,.shared::cta}.b16", "[] b32x1",
        stmatrix<1, true, false>);
  t.add("stmatrix.sync.aligned.m8n8.x2.trans{.shared,.shared::cta}.b16", "[] b32x2",
        stmatrix<2, true, false>);
  t.add("stmatrix.sync.aligned.m8n8.x4.trans{.shared,.shared::cta}.b16", "[] b32x4",
        stmatrix<4, true, false>);
}

}  // namespace

void add_matrix_forms(FormTable& table) {
  table.begin_group("matrix");
  add_float_mma(table);
  add_integer_pairs<false>(table);
  add_integer_pairs<true>(table);
  add_bit_mma(table);
  add_moves(table);
}

}  // namespace outboard::softgpu::exec::OUTBOARD_ISA
