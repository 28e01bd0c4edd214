// Double precision arithmetic.
#include "server/softgpu/exec/handlers/float_ops.h"

namespace outboard::softgpu::exec::OUTBOARD_ISA {
namespace {

// The hardware computes these from the upper half of the operand and leaves the lower half of the
// result zero; nvcc's code refines them.
OUTBOARD_INLINE f64 upper_half(f64 value) {
  return bits_as<f64>(bits_as<u64>(value) & 0xffff'ffff'0000'0000);
}
struct RcpApprox {
  OUTBOARD_INLINE f64 operator()(f64 a) const { return upper_half(1.0 / upper_half(a)); }
};
struct RsqrtApprox {
  OUTBOARD_INLINE f64 operator()(f64 a) const { return upper_half(1.0 / __builtin_sqrt(upper_half(a))); }
};
struct Rsqrt {
  OUTBOARD_INLINE f64 operator()(f64 a) const { return 1.0 / __builtin_sqrt(a); }
};

}  // namespace

void add_float64_forms(FormTable& table) {
  table.begin_group("float64");
  for (const Variant& rounding : kRoundings) {
    const char* optional = rounding.aux == kNearest ? "[.rn]" : rounding.text;
    table.add(Pattern("add", optional, ".f64").text, "=f64 f64 f64", rounded2<f64, FloatAdd>, rounding.aux);
    table.add(Pattern("sub", optional, ".f64").text, "=f64 f64 f64", rounded2<f64, FloatSub>, rounding.aux);
    table.add(Pattern("mul", optional, ".f64").text, "=f64 f64 f64", rounded2<f64, FloatMul>, rounding.aux);
    table.add(Pattern("{fma,mad}", rounding.text, ".f64").text, "=f64 f64 f64 f64", rounded3<f64, FloatFma>,
              rounding.aux);
    table.add(Pattern("div", rounding.text, ".f64").text, "=f64 f64 f64", rounded2<f64, FloatDiv>,
              rounding.aux);
    table.add(Pattern("rcp", rounding.text, ".f64").text, "=f64 f64", rounded1<f64, FloatRcp>, rounding.aux);
    table.add(Pattern("sqrt", rounding.text, ".f64").text, "=f64 f64", rounded1<f64, FloatSqrt>,
              rounding.aux);
  }
  table.add("rcp.approx.ftz.f64", "=f64 f64", rounded1<f64, RcpApprox>, kFlush);
  table.add("rsqrt.approx.ftz.f64", "=f64 f64", rounded1<f64, RsqrtApprox>, kFlush);
  table.add("rsqrt.approx.f64", "=f64 f64", rounded1<f64, Rsqrt>);
  add_common_forms<f64>(table, ".f64", "=f64 f64", "=f64 f64 f64", "=p f64");
}

}  // namespace outboard::softgpu::exec::OUTBOARD_ISA
