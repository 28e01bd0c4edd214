// Single precision arithmetic against integer arithmetic; approximations against long double.
#include <cmath>

#include "tests/softgpu/forms/float_reference.h"

namespace outboard::softgpu::exec {
namespace {

const Format kF = kF32;
const Values& kSamples = samples(kF32);

struct Option {
  const char* text;
  bool on;
};
const Option kFlushes[] = {{"", false}, {".ftz", true}}, kSaturations[] = {{"", false}, {".sat", true}};

uint64_t input(uint64_t bits, bool flush) { return flush ? flushed(kF, bits) : bits; }
Exact operand(const Values& in, size_t i, bool flush) { return decode(kF, input(in[i], flush)); }

uint64_t result(const Exact& value, Round round, bool flush, bool saturate) {
  uint64_t bits = encode(kF, value, round);
  if (flush) bits = flushed(kF, bits);
  return saturate ? saturated(kF, bits) : bits;
}

void check(const std::string& opcode, size_t operands, const Expectation& expected) {
  FormCheck form{opcode, "b32", std::vector<const char*>(operands, "b32"), expected};
  form.edges.assign(operands, &kSamples);
  form.rounds = 16;
  check_form(form);
}

void check_arithmetic(const std::string& rounding, Round round, bool flush, bool saturate) {
  const std::string tail = rounding + (flush ? ".ftz" : "") + (saturate ? ".sat.f32" : ".f32");
  check("add" + tail, 2, [=](const Values& in) {
    return result(sum(operand(in, 0, flush), operand(in, 1, flush), round), round, flush, saturate);
  });
  check("sub" + tail, 2, [=](const Values& in) {
    return result(sum(operand(in, 0, flush), negated(operand(in, 1, flush)), round), round, flush, saturate);
  });
  check("mul" + tail, 2, [=](const Values& in) {
    return result(product(operand(in, 0, flush), operand(in, 1, flush)), round, flush, saturate);
  });
  if (rounding.empty()) return;
  for (const char* opcode : {"fma", "mad"}) {
    check(opcode + tail, 3, [=](const Values& in) {
      Exact multiplied = product(operand(in, 0, flush), operand(in, 1, flush));
      return result(sum(multiplied, operand(in, 2, flush), round), round, flush, saturate);
    });
  }
}

TEST(Float32Forms, AddSubtractMultiply) {
  for (const Option& flush : kFlushes) {
    for (const Option& range : kSaturations) {
      check_arithmetic("", Round::kNearest, flush.on, range.on);
      for (const RoundName& r : kRoundNames) check_arithmetic(r.text, r.round, flush.on, range.on);
    }
  }
}

// The product has 48 digits, of which a sum that cancels shows the lower ones.
TEST(Float32Forms, FmaRoundsOnce) {
  Values near_one, minus_square;
  for (uint64_t i = 1; i <= 64; ++i) {
    near_one.push_back(kF.one() + i * 0x1111);
    minus_square.push_back(
        kF.sign() |
        encode(kF, product(decode(kF, near_one[i - 1]), decode(kF, near_one[i - 1])), Round::kNearest));
  }
  FormCheck form{"fma.rn.f32", "b32", {"b32", "b32"}, [](const Values& in) {
                   Exact square = product(decode(kF, in[0]), decode(kF, in[0]));
                   return encode(kF, sum(square, decode(kF, in[1]), Round::kNearest), Round::kNearest);
                 }};
  form.edges = {&near_one, &minus_square};
  form.code = "fma.rn.f32 %o0, %i0, %i0, %i1;";
  check_form(form);
}

TEST(Float32Forms, DivideAndRoot) {
  const Exact one = from_integer(1);
  for (const Option& flush : kFlushes) {
    for (const RoundName& r : kRoundNames) {
      const bool f = flush.on;
      const Round round = r.round;
      const std::string tail = std::string(r.text) + flush.text + ".f32";
      check("div" + tail, 2, [=](const Values& in) {
        return result(quotient(operand(in, 0, f), operand(in, 1, f)), round, f, false);
      });
      check("rcp" + tail, 1,
            [=](const Values& in) { return result(quotient(one, operand(in, 0, f)), round, f, false); });
      check("sqrt" + tail, 1,
            [=](const Values& in) { return result(root(operand(in, 0, f)), round, f, false); });
    }
  }
}

TEST(Float32Forms, MinimumAndMaximum) {
  for (const Option& flush : kFlushes) {
    for (const Option& nan : {Option{"", false}, Option{".NaN", true}}) {
      for (const Option& sign : {Option{"", false}, Option{".xorsign.abs", true}}) {
        for (bool maximum : {false, true}) {
          std::string opcode =
              std::string(maximum ? "max" : "min") + flush.text + nan.text + sign.text + ".f32";
          check(opcode, 2, [=](const Values& in) {
            return extremum(kF, input(in[0], flush.on), input(in[1], flush.on), {maximum, nan.on, sign.on});
          });
        }
      }
    }
  }
}

TEST(Float32Forms, Signs) {
  for (const Option& flush : kFlushes) {
    const bool f = flush.on;
    check(std::string("neg") + flush.text + ".f32", 1,
          [=](const Values& in) { return input(in[0], f) ^ kF.sign(); });
    check(std::string("abs") + flush.text + ".f32", 1,
          [=](const Values& in) { return input(in[0], f) & ~kF.sign(); });
  }
  check("copysign.f32", 2, [](const Values& in) { return (in[0] & kF.sign()) | (in[1] & (kF.sign() - 1)); });
}

TEST(Float32Forms, Properties) { check_properties(kF, ".f32", "b32"); }

// `allowed` is the error that PTX grants at the value `want`.
using Function = std::function<long double(long double)>;
using Allowance = std::function<long double(long double x, long double want)>;

bool is_near(uint64_t got, long double want, long double allowed, bool flush) {
  if (std::isnan(want)) return got == kF.nan();
  // Specials have one right answer, and a result that rounds to infinity is as good as one below.
  const float nearest = static_cast<float>(want);
  if (std::isinf(want) || want == 0) return got == bits_of(nearest);
  const long double value = value_of<float>(got);
  if (flush && std::fpclassify(nearest) == FP_SUBNORMAL) return got == (bits_of(nearest) & kF.sign());
  if (std::isinf(nearest)) return std::isinf(value) && (value > 0) == (want > 0);
  return std::abs(value - want) <= allowed;
}

long double ulp(long double value) {
  int exponent = 0;
  std::frexp(value, &exponent);
  return std::ldexp(1.0L, std::max(exponent, -125) - 24);
}

void check_approximation(const std::string& opcode, const Function& function, const Allowance& allowed) {
  const Values numbers = moderate(kF);
  for (const Option& flush : kFlushes) {
    if (opcode == "tanh.approx" && flush.on) continue;
    FormCheck form{opcode + flush.text + ".f32", "b32", {"b32"}, {}};
    form.edges = {&kSamples};
    form.rounds = 16;
    form.accepts = [=](const Values& in, uint64_t got) {
      const long double x = value_of<float>(input(in[0], flush.on));
      const long double want = function(x);
      return is_near(got, want, allowed(x, want), flush.on);
    };
    check_form(form);
    form.edges = {&numbers};
    form.rounds = 36;
    check_form(form);
  }
}

TEST(Float32Forms, Approximations) {
  auto relative = [](int bits) {
    return [bits](long double, long double want) {
      return std::max(std::ldexp(std::abs(want), -bits), std::ldexp(1.0L, -150));
    };
  };
  auto ulps = [](int count) { return [count](long double, long double want) { return count * ulp(want); }; };
  check_approximation("rcp.approx", [](long double x) { return 1 / x; }, ulps(1));
  check_approximation("sqrt.approx", [](long double x) { return std::sqrt(x); }, relative(23));
  check_approximation("rsqrt.approx", [](long double x) { return 1 / std::sqrt(x); }, relative(22));
  check_approximation("ex2.approx", [](long double x) { return std::exp2(x); }, ulps(2));
  check_approximation("tanh.approx", [](long double x) { return std::tanh(x); }, relative(11));
  check_approximation(
      "lg2.approx", [](long double x) { return x == 0 ? -INFINITY : std::log2(x); },
      [](long double x, long double want) {
        return x >= 0.5L && x <= 2 ? std::ldexp(1.0L, -22) : std::ldexp(std::abs(want), -22);
      });
}

TEST(Float32Forms, SineAndCosine) {
  // The error is granted near zero; of what is far away the result is still a sine.
  for (const Option& flush : kFlushes) {
    for (bool cosine : {false, true}) {
      FormCheck form{
          std::string(cosine ? "cos" : "sin") + ".approx" + flush.text + ".f32", "b32", {"b32"}, {}};
      form.edges = {&kSamples};
      form.rounds = 16;
      form.accepts = [=](const Values& in, uint64_t got) {
        const long double x = value_of<float>(input(in[0], flush.on));
        if (std::isfinite(x) && std::abs(x) > 100000) return std::abs(value_of<float>(got)) <= 1;
        return is_near(got, cosine ? std::cos(x) : std::sin(x), std::ldexp(1.0L, -21), flush.on);
      };
      check_form(form);
    }
  }
}

TEST(Float32Forms, ApproximateDivision) {
  for (const Option& flush : kFlushes) {
    for (const char* precision : {".approx", ".full"}) {
      const bool scales = std::string(precision) == ".full";
      FormCheck form{std::string("div") + precision + flush.text + ".f32", "b32", {"b32", "b32"}, {}};
      form.edges = {&kSamples, &kSamples};
      form.rounds = 32;
      form.accepts = [=](const Values& in, uint64_t got) {
        const long double a = value_of<float>(input(in[0], flush.on)),
                          b = value_of<float>(input(in[1], flush.on));
        // Without scaling, the reciprocal of a large divisor is lost.
        if (!scales && std::abs(b) > 0x1p126L && std::isfinite(b))
          return is_near(got, a * std::copysign(0.0L, b), 0, false);
        return is_near(got, a / b, 2 * ulp(a / b), flush.on);
      };
      check_form(form);
    }
  }
}

TEST(Float32Forms, NoFormIsWithoutTest) { EXPECT_EQ(forms_without_test("float32"), ""); }

}  // namespace
}  // namespace outboard::softgpu::exec
