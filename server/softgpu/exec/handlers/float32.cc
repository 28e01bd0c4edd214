// Single precision arithmetic. What PTX calls approximate is computed in double precision and
// rounded once, so it is nearer to the true value than the hardware's.
#include "server/softgpu/exec/handlers/float_ops.h"

namespace outboard::softgpu::exec::OUTBOARD_ISA {
namespace {

// Adding and subtracting this rounds a double to an integer (to nearest, for |x| < 2^51).
constexpr f64 kIntegerMagic = 6755399441055744.0;

// 2^x for |x| < 1000: split into an integer and a fraction in [-1/2, 1/2], whose power is a Taylor
// series; the first term left out is below 2^-42.
OUTBOARD_INLINE f64 exp2_f64(f64 x) {
  f64 shifted = x + kIntegerMagic;
  f64 fraction = x - (shifted - kIntegerMagic);
  f64 y = fraction * 0.69314718055994530942;
  f64 p = 1.0 / 3628800;
  p = p * y + 1.0 / 362880;
  p = p * y + 1.0 / 40320;
  p = p * y + 1.0 / 5040;
  p = p * y + 1.0 / 720;
  p = p * y + 1.0 / 120;
  p = p * y + 1.0 / 24;
  p = p * y + 1.0 / 6;
  p = p * y + 0.5;
  p = p * y + 1.0;
  p = p * y + 1.0;
  // The low bits of `shifted` are the integer in two's complement.
  u64 power = bits_as<u64>(shifted) << 52;
  return bits_as<f64>(bits_as<u64>(p) + power);
}

struct Exp2 {
  OUTBOARD_INLINE f32 operator()(f32 x) const {
    f64 wide = static_cast<f64>(x);
    wide = wide < 200.0 ? wide : 200.0;  // beyond f32's range either way
    wide = wide > -200.0 ? wide : -200.0;
    f32 result = static_cast<f32>(exp2_f64(wide));
    return x == x ? result : x;
  }
};

// log2 of the mantissa in [sqrt(1/2), sqrt(2)) by the series of the area tangent.
struct Log2 {
  OUTBOARD_INLINE f32 operator()(f32 x) const {
    u64 bits = bits_as<u64>(static_cast<f64>(x));
    u64 offset = bits - 0x3fe6'a09e'667f'3bcd;  // of sqrt(1/2)
    f64 exponent = static_cast<f64>(static_cast<s32>(static_cast<s64>(offset) >> 52));
    f64 mantissa = bits_as<f64>(bits - (static_cast<u64>(static_cast<s64>(offset) >> 52) << 52));
    f64 t = (mantissa - 1.0) / (mantissa + 1.0), t2 = t * t;
    f64 p = 1.0 / 15;
    p = p * t2 + 1.0 / 13;
    p = p * t2 + 1.0 / 11;
    p = p * t2 + 1.0 / 9;
    p = p * t2 + 1.0 / 7;
    p = p * t2 + 1.0 / 5;
    p = p * t2 + 1.0 / 3;
    p = p * t2 + 1.0;
    f32 result = static_cast<f32>(exponent + 2.88539008177792681472 * t * p);
    result = x == 0 ? -__builtin_inff() : result;
    result = x < 0 || x != x ? bits_as<f32>(0x7fff'ffffu) : result;
    return x == __builtin_inff() ? x : result;
  }
};

// sin and cos by quadrant. The reduction holds for |x| < 2^31, far beyond where the hardware's is
// specified; angles above are taken for 0, which keeps the result within [-1, 1].
template <bool Cosine>
struct Sine {
  OUTBOARD_INLINE f32 operator()(f32 x) const {
    f64 wide = x < 0x1p31f && x > -0x1p31f ? static_cast<f64>(x) : 0.0;
    f64 shifted = wide * 0.63661977236758134308 + kIntegerMagic;
    f64 quarter = shifted - kIntegerMagic;
    f64 r = (wide - quarter * 1.57079632673412561417) - quarter * 6.07710050650619224932e-11;
    f64 r2 = r * r;
    f64 s = -1.0 / 39916800;
    s = s * r2 + 1.0 / 362880;
    s = s * r2 - 1.0 / 5040;
    s = s * r2 + 1.0 / 120;
    s = s * r2 - 1.0 / 6;
    s = (s * r2 + 1.0) * r;
    f64 c = 1.0 / 479001600;
    c = c * r2 - 1.0 / 3628800;
    c = c * r2 + 1.0 / 40320;
    c = c * r2 - 1.0 / 720;
    c = c * r2 + 1.0 / 24;
    c = c * r2 - 0.5;
    c = c * r2 + 1.0;
    u64 quadrant = bits_as<u64>(shifted) + (Cosine ? 1 : 0);
    f64 value = quadrant & 1 ? c : s;
    value = quadrant & 2 ? -value : value;
    return x - x == 0 ? static_cast<f32>(value) : bits_as<f32>(0x7fff'ffffu);
  }
};

struct Tanh {
  OUTBOARD_INLINE f32 operator()(f32 x) const {
    f64 wide = static_cast<f64>(x);
    wide = wide < 20.0 ? wide : 20.0;
    wide = wide > -20.0 ? wide : -20.0;
    f64 power = exp2_f64(wide * 2.88539008177792681472);  // e^2x
    f32 result = static_cast<f32>((power - 1.0) / (power + 1.0));
    // Near zero the difference above loses digits; x itself is closer.
    result = x < 0x1p-12f && x > -0x1p-12f ? x : result;
    return x == x ? result : x;
  }
};

struct Rsqrt {
  OUTBOARD_INLINE f32 operator()(f32 a) const {
    return static_cast<f32>(1.0 / __builtin_sqrt(static_cast<f64>(a)));
  }
};

// a * (1 / b), where the reciprocal of a finite b above 2^126 is lost, as PTX says.
struct DivApprox {
  OUTBOARD_INLINE f32 operator()(f32 a, f32 b) const {
    f32 magnitude = __builtin_fabsf(b);
    bool lost = magnitude > 0x1p126f && magnitude < __builtin_inff();
    return lost ? a * __builtin_copysignf(0.0f, b) : a / b;
  }
};

void add_approximations(FormTable& t, const char* flush, u32 aux) {
  t.add(Pattern("div.approx", flush, ".f32").text, "=f32 f32 f32", rounded2<f32, DivApprox>, aux);
  t.add(Pattern("div.full", flush, ".f32").text, "=f32 f32 f32", rounded2<f32, FloatDiv>, aux);
  t.add(Pattern("rcp.approx", flush, ".f32").text, "=f32 f32", rounded1<f32, FloatRcp>, aux);
  t.add(Pattern("sqrt.approx", flush, ".f32").text, "=f32 f32", rounded1<f32, FloatSqrt>, aux);
  t.add(Pattern("rsqrt.approx", flush, ".f32").text, "=f32 f32", rounded1<f32, Rsqrt>, aux);
  t.add(Pattern("sin.approx", flush, ".f32").text, "=f32 f32", rounded1<f32, Sine<false>>, aux);
  t.add(Pattern("cos.approx", flush, ".f32").text, "=f32 f32", rounded1<f32, Sine<true>>, aux);
  t.add(Pattern("lg2.approx", flush, ".f32").text, "=f32 f32", rounded1<f32, Log2>, aux);
  t.add(Pattern("ex2.approx", flush, ".f32").text, "=f32 f32", rounded1<f32, Exp2>, aux);
}

}  // namespace

void add_float32_forms(FormTable& table) {
  table.begin_group("float32");
  static constexpr Variant kFlushes[] = {{"", 0}, {".ftz", kFlush}};
  static constexpr Variant kSaturations[] = {{"", 0}, {".sat", kSaturate}};
  static constexpr Variant kNans[] = {
      {".NaN", kNanWins}, {".xorsign.abs", kXorSign}, {".NaN.xorsign.abs", kNanWins | kXorSign}};
  for (const Variant& flush : kFlushes) {
    for (const Variant& rounding : kRoundings) {
      const char* optional = rounding.aux == kNearest ? "[.rn]" : rounding.text;
      for (const Variant& range : kSaturations) {
        u32 aux = flush.aux | rounding.aux | range.aux;
        table.add(Pattern("add", optional, flush.text, range.text, ".f32").text, "=f32 f32 f32",
                  rounded2<f32, FloatAdd>, aux);
        table.add(Pattern("sub", optional, flush.text, range.text, ".f32").text, "=f32 f32 f32",
                  rounded2<f32, FloatSub>, aux);
        table.add(Pattern("mul", optional, flush.text, range.text, ".f32").text, "=f32 f32 f32",
                  rounded2<f32, FloatMul>, aux);
        table.add(Pattern("{fma,mad}", rounding.text, flush.text, range.text, ".f32").text,
                  "=f32 f32 f32 f32", rounded3<f32, FloatFma>, aux);
      }
      u32 aux = flush.aux | rounding.aux;
      table.add(Pattern("div", rounding.text, flush.text, ".f32").text, "=f32 f32 f32",
                rounded2<f32, FloatDiv>, aux);
      table.add(Pattern("rcp", rounding.text, flush.text, ".f32").text, "=f32 f32", rounded1<f32, FloatRcp>,
                aux);
      table.add(Pattern("sqrt", rounding.text, flush.text, ".f32").text, "=f32 f32", rounded1<f32, FloatSqrt>,
                aux);
    }
    for (const Variant& nan : kNans) {
      table.add(Pattern("min", flush.text, nan.text, ".f32").text, "=f32 f32 f32", extremum<f32, false>,
                flush.aux | nan.aux);
      table.add(Pattern("max", flush.text, nan.text, ".f32").text, "=f32 f32 f32", extremum<f32, true>,
                flush.aux | nan.aux);
    }
    add_approximations(table, flush.text, flush.aux);
  }
  table.add("tanh.approx.f32", "=f32 f32", rounded1<f32, Tanh>);
  table.add("min.ftz.f32", "=f32 f32 f32", extremum<f32, false>, kFlush);
  table.add("max.ftz.f32", "=f32 f32 f32", extremum<f32, true>, kFlush);
  table.add("neg.ftz.f32", "=f32 f32", sign<f32, true>, kFlush);
  table.add("abs.ftz.f32", "=f32 f32", sign<f32, false>, kFlush);
  add_common_forms<f32>(table, ".f32", "=f32 f32", "=f32 f32 f32", "=p f32");
}

}  // namespace outboard::softgpu::exec::OUTBOARD_ISA
