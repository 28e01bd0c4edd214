// Arithmetic on whole rows, integers and floats.
#include "server/softgpu/jit/emit_rows.h"
#include "server/softgpu/jit/semantics.h"

namespace outboard::softgpu::jit {
namespace {

namespace Inst = x86::Inst;

constexpr uint8_t kUnordered = 3, kEqual = 0;  // of VCMPPS
constexpr uint8_t kSubnormal = 0x20;           // of VFPCLASSPS
constexpr uint32_t kSignBit = 0x8000'0000;

// d = a * b + c, the low half
void multiply_add(Emitter& e, uint32_t multiply, uint32_t count) {
  const Parts a = e.rows.read(e.op().r[1], count), b = e.rows.read(e.op().r[2], count);
  const Parts c = e.rows.read(e.op().r[3], count);
  const Parts d = e.rows.fresh(count);
  const uint32_t add = count == 1 ? Inst::kIdVpaddw : count == 2 ? Inst::kIdVpaddd : Inst::kIdVpaddq;
  for (uint32_t i = 0; i < count; ++i) {
    e.a.emit(multiply, d[i], a[i], b[i]);
    e.a.emit(add, d[i], d[i], c[i]);
  }
  e.result(e.op().r[0], d);
}

// d (64 bits) = a * b (32 bits) [+ c]; `count` is 1 if there is a c.
void multiply_wide(Emitter& e, uint32_t multiply, uint32_t adds) {
  const Parts a = e.rows.read(e.op().r[1], 2), b = e.rows.read(e.op().r[2], 2);
  Parts c;
  if (adds) c = e.rows.read(e.op().r[3], 4);
  const Parts d = e.rows.fresh(4);
  for (uint32_t i = 0; i < 4; ++i) {
    emit_widen(e, Inst::kIdVpmovzxdq, x86::zmm0, a, i);
    emit_widen(e, Inst::kIdVpmovzxdq, x86::zmm1, b, i);
    e.a.emit(multiply, d[i], x86::zmm0, x86::zmm1);
    if (adds) e.a.vpaddq(d[i], d[i], c[i]);
  }
  e.result(e.op().r[0], d);
}

void negate(Emitter& e, uint32_t subtract, uint32_t count) {
  const Parts a = e.rows.read(e.op().r[1], count);
  const Parts d = e.rows.fresh(count);
  e.a.vpxord(x86::zmm0, x86::zmm0, x86::zmm0);
  for (uint32_t i = 0; i < count; ++i) e.a.emit(subtract, d[i], x86::zmm0, a[i]);
  e.result(e.op().r[0], d);
}

Nans any_nan(uint32_t count) { return count == 2 ? Nans::kAny32 : Nans::kAny64; }

// d = a OP b, rounded to nearest
void floating(Emitter& e, uint32_t instruction, uint32_t count) {
  const Parts a = e.rows.read_any_nan(e.op().r[1], count), b = e.rows.read_any_nan(e.op().r[2], count);
  const Parts d = e.rows.fresh(count);
  for (uint32_t i = 0; i < count; ++i) e.a.emit(instruction, d[i], a[i], b[i]);
  e.result(e.op().r[0], d, any_nan(count));
}

void square_root(Emitter& e, uint32_t instruction, uint32_t count) {
  const Parts a = e.rows.read_any_nan(e.op().r[1], count);
  const Parts d = e.rows.fresh(count);
  for (uint32_t i = 0; i < count; ++i) e.a.emit(instruction, d[i], a[i]);
  e.result(e.op().r[0], d, any_nan(count));
}

void reciprocal(Emitter& e, uint32_t, uint32_t) {
  const Parts a = e.rows.read_any_nan(e.op().r[1], 2);
  const Parts d = e.rows.fresh(2);
  e.a.vpbroadcastd(x86::zmm0, x86::dword_ptr(e.data.word(0x3f80'0000)));
  for (uint32_t i = 0; i < 2; ++i) e.a.vdivps(d[i], x86::zmm0, a[i]);
  e.result(e.op().r[0], d, Nans::kAny32);
}

// d = a * b + c. A sum that is added to stays where it is.
void fused(Emitter& e, uint32_t, uint32_t count) {
  const Op& op = e.op();
  const Parts a = e.rows.read_any_nan(op.r[1], count), b = e.rows.read_any_nan(op.r[2], count);
  const Parts c = e.rows.read_any_nan(op.r[3], count);
  const bool in_place = op.r[0] == op.r[3] && e.unguarded();
  const Parts d = in_place ? c : e.rows.fresh(count);
  for (uint32_t i = 0; i < count; ++i) {
    if (!in_place) e.a.vmovdqa64(d[i], c[i]);
    if (count == 2) {
      e.a.vfmadd231ps(d[i], a[i], b[i]);
    } else {
      e.a.vfmadd231pd(d[i], a[i], b[i]);
    }
  }
  e.result(op.r[0], d, any_nan(count));
}

// to = from with subnormal numbers replaced by zeros of their sign; zmm3 holds the sign bits.
void flush(Emitter& e, const x86::Zmm& to, const x86::Zmm& from) {
  e.a.vfpclassps(x86::k1, from, kSubnormal);
  if (to.id() != from.id()) e.a.vmovdqa64(to, from);
  e.a.k(x86::k1).vpandd(to, from, x86::zmm3);
}

bool is_flushed(Emitter& e, uint32_t operand) {
  uint64_t bits = 0;
  if (e.immediate(operand, bits)) return (bits & 0x7f80'0000) != 0 || (bits & 0x007f'ffff) == 0;
  const CachedRow* row = e.rows.find(operand);
  return row != nullptr && row->flushed;
}

// A source of an .ftz instruction: in its register if nothing can be subnormal, else in `scratch`.
x86::Zmm flushed_source(Emitter& e, uint32_t operand, const x86::Zmm& part, const x86::Zmm& scratch) {
  if (is_flushed(e, operand)) return part;
  flush(e, scratch, part);
  return scratch;
}

void floating_ftz(Emitter& e, uint32_t instruction, uint32_t) {
  const Op& op = e.op();
  const Parts a = e.rows.read_any_nan(op.r[1], 2), b = e.rows.read_any_nan(op.r[2], 2);
  const Parts d = e.rows.fresh(2);
  e.a.vpbroadcastd(x86::zmm3, x86::dword_ptr(e.data.word(kSignBit)));
  for (uint32_t i = 0; i < 2; ++i) {
    const x86::Zmm left = flushed_source(e, op.r[1], a[i], x86::zmm0);
    const x86::Zmm right = flushed_source(e, op.r[2], b[i], x86::zmm1);
    e.a.emit(instruction, d[i], left, right);
    flush(e, d[i], d[i]);
  }
  e.result(op.r[0], d, Nans::kAny32, true);
}

void fused_ftz(Emitter& e, uint32_t, uint32_t) {
  const Op& op = e.op();
  const Parts a = e.rows.read_any_nan(op.r[1], 2), b = e.rows.read_any_nan(op.r[2], 2);
  const Parts c = e.rows.read_any_nan(op.r[3], 2);
  const Parts d = e.rows.fresh(2);
  e.a.vpbroadcastd(x86::zmm3, x86::dword_ptr(e.data.word(kSignBit)));
  for (uint32_t i = 0; i < 2; ++i) {
    const x86::Zmm left = flushed_source(e, op.r[1], a[i], x86::zmm0);
    const x86::Zmm right = flushed_source(e, op.r[2], b[i], x86::zmm1);
    const x86::Zmm sum = flushed_source(e, op.r[3], c[i], d[i]);
    if (sum.id() != d[i].id()) e.a.vmovdqa64(d[i], sum);
    e.a.vfmadd231ps(d[i], left, right);
    flush(e, d[i], d[i]);
  }
  e.result(op.r[0], d, Nans::kAny32, true);
}

// NaN loses against a number, -0 is less than +0. `instruction` gives b if one is NaN or both zero.
void extremum(Emitter& e, uint32_t instruction, uint32_t) {
  const Parts a = e.rows.read_any_nan(e.op().r[1], 2), b = e.rows.read_any_nan(e.op().r[2], 2);
  const Parts d = e.rows.fresh(2);
  const uint32_t join = instruction == Inst::kIdVminps ? Inst::kIdVpord : Inst::kIdVpandd;
  for (uint32_t i = 0; i < 2; ++i) {
    e.a.emit(instruction, d[i], a[i], b[i]);
    e.a.vcmpps(x86::k1, a[i], b[i], kEqual);
    e.a.vcmpps(x86::k2, b[i], b[i], kUnordered);
    e.a.k(x86::k1).emit(join, d[i], a[i], b[i]);
    e.a.k(x86::k2).vmovaps(d[i], a[i]);
  }
  e.result(e.op().r[0], d, Nans::kAny32);
}

// d = a with another sign: `instruction` with the sign bit, or with everything else.
void sign(Emitter& e, uint32_t instruction, uint32_t) {
  const Parts a = e.rows.read(e.op().r[1], 2);
  const Parts d = e.rows.fresh(2);
  const uint32_t mask = instruction == Inst::kIdVpxord ? kSignBit : ~kSignBit;
  e.a.vpbroadcastd(x86::zmm0, x86::dword_ptr(e.data.word(mask)));
  for (uint32_t i = 0; i < 2; ++i) e.a.emit(instruction, d[i], a[i], x86::zmm0);
  e.result(e.op().r[0], d);
}

constexpr Rule kRules[] = {
    {"add.u16", emit_binary, Inst::kIdVpaddw, 1},
    {"add.u32", emit_binary, Inst::kIdVpaddd, 2},
    {"add.u64", emit_binary, Inst::kIdVpaddq, 4},
    {"sub.u16", emit_binary, Inst::kIdVpsubw, 1},
    {"sub.u32", emit_binary, Inst::kIdVpsubd, 2},
    {"sub.u64", emit_binary, Inst::kIdVpsubq, 4},
    {"add.s16", emit_binary, Inst::kIdVpaddw, 1},
    {"add.s32", emit_binary, Inst::kIdVpaddd, 2},
    {"add.s64", emit_binary, Inst::kIdVpaddq, 4},
    {"sub.s16", emit_binary, Inst::kIdVpsubw, 1},
    {"sub.s32", emit_binary, Inst::kIdVpsubd, 2},
    {"sub.s64", emit_binary, Inst::kIdVpsubq, 4},
    {"mul.lo.u16", emit_binary, Inst::kIdVpmullw, 1},
    {"mul.lo.u32", emit_binary, Inst::kIdVpmulld, 2},
    {"mul.lo.u64", emit_binary, Inst::kIdVpmullq, 4},
    {"min.u16", emit_binary, Inst::kIdVpminuw, 1},
    {"min.s16", emit_binary, Inst::kIdVpminsw, 1},
    {"min.u32", emit_binary, Inst::kIdVpminud, 2},
    {"min.s32", emit_binary, Inst::kIdVpminsd, 2},
    {"min.u64", emit_binary, Inst::kIdVpminuq, 4},
    {"min.s64", emit_binary, Inst::kIdVpminsq, 4},
    {"max.u16", emit_binary, Inst::kIdVpmaxuw, 1},
    {"max.s16", emit_binary, Inst::kIdVpmaxsw, 1},
    {"max.u32", emit_binary, Inst::kIdVpmaxud, 2},
    {"max.s32", emit_binary, Inst::kIdVpmaxsd, 2},
    {"max.u64", emit_binary, Inst::kIdVpmaxuq, 4},
    {"max.s64", emit_binary, Inst::kIdVpmaxsq, 4},
    {"neg.s16", negate, Inst::kIdVpsubw, 1},
    {"neg.s32", negate, Inst::kIdVpsubd, 2},
    {"neg.s64", negate, Inst::kIdVpsubq, 4},
    {"mad.lo.u16", multiply_add, Inst::kIdVpmullw, 1},
    {"mad.lo.u32", multiply_add, Inst::kIdVpmulld, 2},
    {"mad.lo.u64", multiply_add, Inst::kIdVpmullq, 4},
    {"mul.wide.u32", multiply_wide, Inst::kIdVpmuludq, 0},
    {"mul.wide.s32", multiply_wide, Inst::kIdVpmuldq, 0},
    {"mad.wide.u32", multiply_wide, Inst::kIdVpmuludq, 1},
    {"mad.wide.s32", multiply_wide, Inst::kIdVpmuldq, 1},
    {"add.f32", floating, Inst::kIdVaddps, 2},
    {"sub.f32", floating, Inst::kIdVsubps, 2},
    {"mul.f32", floating, Inst::kIdVmulps, 2},
    {"div.rn.f32", floating, Inst::kIdVdivps, 2},
    {"add.f64", floating, Inst::kIdVaddpd, 4},
    {"sub.f64", floating, Inst::kIdVsubpd, 4},
    {"mul.f64", floating, Inst::kIdVmulpd, 4},
    {"div.rn.f64", floating, Inst::kIdVdivpd, 4},
    {"add.ftz.f32", floating_ftz, Inst::kIdVaddps},
    {"sub.ftz.f32", floating_ftz, Inst::kIdVsubps},
    {"mul.ftz.f32", floating_ftz, Inst::kIdVmulps},
    {"div.rn.ftz.f32", floating_ftz, Inst::kIdVdivps},
    {"fma.rn.f32", fused, 0, 2},
    {"fma.rn.f64", fused, 0, 4},
    {"fma.rn.ftz.f32", fused_ftz, 0},
    {"sqrt.rn.f32", square_root, Inst::kIdVsqrtps, 2},
    {"sqrt.rn.f64", square_root, Inst::kIdVsqrtpd, 4},
    {"rcp.rn.f32", reciprocal, 0},
    {"min.f32", extremum, Inst::kIdVminps},
    {"max.f32", extremum, Inst::kIdVmaxps},
    {"neg.f32", sign, Inst::kIdVpxord},
    {"abs.f32", sign, Inst::kIdVpandd},
    {"cvt.rn.f32.s32", emit_unary, Inst::kIdVcvtdq2ps, 2},
    {"cvt.rn.f32.u32", emit_unary, Inst::kIdVcvtudq2ps, 2},
};

}  // namespace

std::span<const Rule> arithmetic_rules() { return kRules; }

}  // namespace outboard::softgpu::jit
