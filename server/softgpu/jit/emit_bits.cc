// Logic, shifts, moves and changes of width.
#include "server/softgpu/jit/emit_rows.h"
#include "server/softgpu/jit/semantics.h"

namespace outboard::softgpu::jit {
namespace {

namespace Inst = x86::Inst;

void complement(Emitter& e, uint32_t, uint32_t count) {
  constexpr uint8_t kNotFirst = 0x0f;  // of VPTERNLOG
  const Parts a = e.rows.read(e.op().r[1], count);
  const Parts d = e.rows.fresh(count);
  for (uint32_t i = 0; i < count; ++i) {
    e.a.vmovdqa64(d[i], a[i]);
    e.a.vpternlogd(d[i], d[i], d[i], kNotFirst);
  }
  e.result(e.op().r[0], d);
}

// PTX and x86 number the eight cases alike.
void lop3(Emitter& e, uint32_t, uint32_t) {
  const Op& op = e.op();
  uint64_t table = 0;
  if (!e.immediate(op.r[4], table)) return e.interpret();
  const Parts a = e.rows.read(op.r[1], 2), b = e.rows.read(op.r[2], 2), c = e.rows.read(op.r[3], 2);
  const Parts d = e.rows.fresh(2);
  for (uint32_t i = 0; i < 2; ++i) {
    e.a.vmovdqa64(d[i], a[i]);
    e.a.vpternlogd(d[i], b[i], c[i], static_cast<uint8_t>(table));
  }
  e.result(op.r[0], d);
}

void shift64(Emitter& e, uint32_t instruction, uint32_t) {
  const Parts a = e.rows.read(e.op().r[1], 4), counts = e.rows.read(e.op().r[2], 2);
  const Parts d = e.rows.fresh(4);
  for (uint32_t i = 0; i < 4; ++i) {
    emit_widen(e, Inst::kIdVpmovzxdq, x86::zmm0, counts, i);
    e.a.emit(instruction, d[i], a[i], x86::zmm0);
  }
  e.result(e.op().r[0], d);
}

// 32-bit lanes to 64-bit ones, or 16-bit lanes to 32-bit ones.
void widen_row(Emitter& e, uint32_t instruction, uint32_t count) {
  const Parts a = e.rows.read(e.op().r[1], count / 2);
  const Parts d = e.rows.fresh(count);
  for (uint32_t i = 0; i < count; ++i) emit_widen(e, instruction, d[i], a, i);
  e.result(e.op().r[0], d);
}

// The low halves of lanes; `instruction` gives the lower half of a register.
void narrow_parts(Emitter& e, uint32_t instruction, const Parts& d, const Parts& a) {
  for (uint32_t i = 0; i < d.count; ++i) {
    e.a.emit(instruction, d[i].ymm(), a[2 * i]);
    e.a.emit(instruction, x86::ymm0, a[2 * i + 1]);
    e.a.vinserti64x4(d[i], d[i], x86::ymm0, 1);
  }
}

void narrow_row(Emitter& e, uint32_t instruction, uint32_t count) {
  const Parts a = e.rows.read(e.op().r[1], count * 2);
  const Parts d = e.rows.fresh(count);
  narrow_parts(e, instruction, d, a);
  e.result(e.op().r[0], d);
}

// {d0, d1} = the halves of a 64-bit row
void unpack(Emitter& e, uint32_t, uint32_t) {
  const Parts a = e.rows.read(e.op().r[2], 4);
  const Parts low = e.rows.fresh(2), high = e.rows.fresh(2);
  narrow_parts(e, Inst::kIdVpmovqd, low, a);
  for (uint32_t i = 0; i < 2; ++i) {
    e.a.vpsrlq(x86::zmm1, a[2 * i], 32);
    e.a.vpsrlq(x86::zmm2, a[2 * i + 1], 32);
    e.a.vpmovqd(high[i].ymm(), x86::zmm1);
    e.a.vpmovqd(x86::ymm0, x86::zmm2);
    e.a.vinserti64x4(high[i], high[i], x86::ymm0, 1);
  }
  e.result(e.op().r[0], low);
  e.result(e.op().r[1], high);
}

// d = b << 32 | a
void pack(Emitter& e, uint32_t, uint32_t) {
  const Parts a = e.rows.read(e.op().r[1], 2), b = e.rows.read(e.op().r[2], 2);
  const Parts d = e.rows.fresh(4);
  for (uint32_t i = 0; i < 4; ++i) {
    emit_widen(e, Inst::kIdVpmovzxdq, x86::zmm0, a, i);
    emit_widen(e, Inst::kIdVpmovzxdq, d[i], b, i);
    e.a.vpsllq(d[i], d[i], 32);
    e.a.vporq(d[i], d[i], x86::zmm0);
  }
  e.result(e.op().r[0], d);
}

constexpr Rule kRules[] = {
    {"and.b16", emit_binary, Inst::kIdVpandd, 1},
    {"and.b32", emit_binary, Inst::kIdVpandd, 2},
    {"and.b64", emit_binary, Inst::kIdVpandd, 4},
    {"or.b16", emit_binary, Inst::kIdVpord, 1},
    {"or.b32", emit_binary, Inst::kIdVpord, 2},
    {"or.b64", emit_binary, Inst::kIdVpord, 4},
    {"xor.b16", emit_binary, Inst::kIdVpxord, 1},
    {"xor.b32", emit_binary, Inst::kIdVpxord, 2},
    {"xor.b64", emit_binary, Inst::kIdVpxord, 4},
    {"not.b16", complement, 0, 1},
    {"not.b32", complement, 0, 2},
    {"not.b64", complement, 0, 4},
    {"lop3.b32", lop3, 0},
    // Counts beyond the width give what PTX wants: zeros, or copies of the sign.
    {"shl.b32", emit_binary, Inst::kIdVpsllvd, 2},
    {"shr.u32", emit_binary, Inst::kIdVpsrlvd, 2},
    {"shr.s32", emit_binary, Inst::kIdVpsravd, 2},
    {"shl.b64", shift64, Inst::kIdVpsllvq},
    {"shr.u64", shift64, Inst::kIdVpsrlvq},
    {"shr.s64", shift64, Inst::kIdVpsravq},
    {"mov.b16", emit_unary, Inst::kIdVmovdqa64, 1},
    {"mov.b32", emit_unary, Inst::kIdVmovdqa64, 2},
    {"mov.b64", emit_unary, Inst::kIdVmovdqa64, 4},
    {"cvta.to.global.u64", emit_unary, Inst::kIdVmovdqa64, 4},
    {"widen.u32.u16", widen_row, Inst::kIdVpmovzxwd, 2},
    {"widen.s32.s16", widen_row, Inst::kIdVpmovsxwd, 2},
    {"widen.u64.u32", widen_row, Inst::kIdVpmovzxdq, 4},
    {"widen.s64.s32", widen_row, Inst::kIdVpmovsxdq, 4},
    {"cvt.u32.u16", widen_row, Inst::kIdVpmovzxwd, 2},
    {"cvt.s32.s16", widen_row, Inst::kIdVpmovsxwd, 2},
    {"cvt.u64.u32", widen_row, Inst::kIdVpmovzxdq, 4},
    {"cvt.s64.s32", widen_row, Inst::kIdVpmovsxdq, 4},
    {"narrow.b16.b32", narrow_row, Inst::kIdVpmovdw, 1},
    {"narrow.b32.b64", narrow_row, Inst::kIdVpmovqd, 2},
    {"cvt.u16.u32", narrow_row, Inst::kIdVpmovdw, 1},
    {"cvt.u32.u64", narrow_row, Inst::kIdVpmovqd, 2},
    {"mov.b64.unpack2", unpack, 0},
    {"mov.b64.pack2", pack, 0},
};

}  // namespace

std::span<const Rule> bit_rules() { return kRules; }

}  // namespace outboard::softgpu::jit
