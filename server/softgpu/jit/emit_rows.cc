#include "server/softgpu/jit/emit_rows.h"

namespace outboard::softgpu::jit {

void emit_unary(Emitter& e, uint32_t instruction, uint32_t count) {
  const Parts a = e.rows.read(e.op().r[1], count);
  const Parts d = e.rows.fresh(count);
  for (uint32_t i = 0; i < count; ++i) e.a.emit(instruction, d[i], a[i]);
  e.result(e.op().r[0], d);
}

void emit_binary(Emitter& e, uint32_t instruction, uint32_t count) {
  const Parts a = e.rows.read(e.op().r[1], count), b = e.rows.read(e.op().r[2], count);
  const Parts d = e.rows.fresh(count);
  for (uint32_t i = 0; i < count; ++i) e.a.emit(instruction, d[i], a[i], b[i]);
  e.result(e.op().r[0], d);
}

void emit_widen(Emitter& e, uint32_t instruction, const x86::Zmm& to, const Parts& from, uint32_t part) {
  if (part % 2 == 0) {
    e.a.emit(instruction, to, from[part / 2].ymm());
  } else {
    e.a.vextracti64x4(to.ymm(), from[part / 2], 1);
    e.a.emit(instruction, to, to.ymm());
  }
}

}  // namespace outboard::softgpu::jit
