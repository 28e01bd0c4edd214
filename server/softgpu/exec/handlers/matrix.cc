// Matrix instructions of a whole warp: mma, ldmatrix, stmatrix and movmatrix.
#include "server/softgpu/exec/handlers/matrix_ops.h"
#include "server/softgpu/exec/handlers/table_text.h"
#include "server/softgpu/exec/memory.h"
#include "server/softgpu/exec/windows.h"

namespace outboard::softgpu::exec::OUTBOARD_ISA {
namespace {

// mma.m8n8k4 for f16: four products at once, one for each quad pair (lanes 4q to 4q + 3 and those 16
// higher). Within it, "upper" lanes hold rows or columns 4 to 7.
template <bool ACol, bool BCol, typename D, typename C>
const Op* mma_quad_pairs(Warp& warp, const Op* op) {
  constexpr u32 kD = std::is_same_v<D, AccumulateF32> ? 8 : 4, kC = std::is_same_v<C, AccumulateF32> ? 8 : 4;
  constexpr u32 kOperands = kD + 4 + kC;
  const Op* other;
  if (!gather_all<kOperands>(warp, op, other)) return other;
  alignas(64) f32 a[4][8][4], b[4][4][8], sum[4][8][8];
  // Where element i of a lane's accumulator is.
  auto row_of = [](bool is_f32, u32 lane, u32 i) {
    return (is_f32 ? (lane & 1) + (i & 2) : lane % 4) + (lane < 16 ? 0 : 4);
  };
  auto column_of = [](bool is_f32, u32 lane, u32 i) { return is_f32 ? (i & 4) + (lane & 2) + (i & 1) : i; };
  for (u32 lane = 0; lane < kLanes; ++lane) {
    const u32 q = lane / 4 % 4, half = lane < 16 ? 0 : 4, t = lane % 4;
    for (u32 i = 0; i < 4; ++i) {
      f32 of_a = F16::get(warp.row<const u32>(op->operand(kD + i / 2))[lane], i % 2);
      f32 of_b = F16::get(warp.row<const u32>(op->operand(kD + 2 + i / 2))[lane], i % 2);
      (ACol ? a[q][i + half][t] : a[q][t + half][i]) = of_a;
      (BCol ? b[q][i][t + half] : b[q][t][i + half]) = of_b;
    }
    for (u32 i = 0; i < 8; ++i)
      sum[q][row_of(kC == 8, lane, i)][column_of(kC == 8, lane, i)] = C::get(warp, op, kD + 4, i, lane);
  }
  for (u32 q = 0; q < 4; ++q) {
    for (u32 m = 0; m < 8; ++m) multiply_row<4, 8>(sum[q][m], a[q][m], b[q]);
  }
  for (u32 lane = 0; lane < kLanes; ++lane) {
    for (u32 i = 0; i < 8; ++i)
      D::put(warp, op, i, lane, sum[lane / 4 % 4][row_of(kD == 8, lane, i)][column_of(kD == 8, lane, i)]);
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
  const Op* other;
  if (!gather_all<2>(warp, op, other)) return other;
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
  const Op* other;
  if (!gather_all<Count + 2>(warp, op, other)) return other;
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
  const Op* other;
  if (!gather_all<Count + 2>(warp, op, other)) return other;
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

template <bool ACol, bool BCol>
void add_quad_pair_mma(FormTable& t, const char* layouts) {
  using S = AccumulateF32;
  using H = AccumulateF16;
  auto add = [&](const char* types, const char* signature, Handler handler) {
    t.add(Pattern("mma.sync.aligned.m8n8k4", layouts, types).text, signature, handler);
  };
  add(".f32.f16.f16.f32", "=f32x8 b32x2 b32x2 f32x8", mma_quad_pairs<ACol, BCol, S, S>);
  add(".f32.f16.f16.f16", "=f32x8 b32x2 b32x2 b32x4", mma_quad_pairs<ACol, BCol, S, H>);
  add(".f16.f16.f16.f16", "=b32x4 b32x2 b32x2 b32x4", mma_quad_pairs<ACol, BCol, H, H>);
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
  add_quad_pair_mma<false, false>(table, ".row.row");
  add_quad_pair_mma<false, true>(table, ".row.col");
  add_quad_pair_mma<true, false>(table, ".col.row");
  add_quad_pair_mma<true, true>(table, ".col.col");
  add_integer_pairs<false>(table);
  add_integer_pairs<true>(table);
  add_bit_mma(table);
  add_moves(table);
}

}  // namespace outboard::softgpu::exec::OUTBOARD_ISA
