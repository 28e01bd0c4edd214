#include "server/softgpu/exec/handlers/lanes.h"
namespace outboard::softgpu::exec::OUTBOARD_ISA {
namespace {
struct Add { OUTBOARD_INLINE f32 operator()(f32 a, f32 b) const { return a + b; } };
struct Fma { OUTBOARD_INLINE f32 operator()(f32 a, f32 b, f32 c) const { return __builtin_fmaf(a, b, c); } };
}
void add_float32_forms(FormTable& table) {
  table.begin_group("float32");
  table.add("add[.rn].f32", "=f32 f32 f32", binary<f32, Add>);
  table.add("fma.rn.f32", "=f32 f32 f32 f32", ternary<f32, Fma>);
}
}
