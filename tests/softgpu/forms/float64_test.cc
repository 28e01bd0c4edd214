// Double precision arithmetic against integer arithmetic.
#include <cmath>

#include "tests/softgpu/forms/float_reference.h"

namespace outboard::softgpu::exec {
namespace {

const Format kF = kF64;
const Values& kSamples = samples(kF64);

void check(const std::string& opcode, size_t operands, const Expectation& expected) {
  FormCheck form{opcode, "b64", std::vector<const char*>(operands, "b64"), expected};
  form.edges.assign(operands, &kSamples);
  form.rounds = 16;
  check_form(form);
}

void check_arithmetic(const std::string& rounding, Round round) {
  const std::string tail = rounding + ".f64";
  auto value = [](const Values& in, size_t i) { return decode(kF, in[i]); };
  auto result = [=](const Exact& exact) { return encode(kF, exact, round); };
  check("add" + tail, 2, [=](const Values& in) { return result(sum(value(in, 0), value(in, 1), round)); });
  check("sub" + tail, 2,
        [=](const Values& in) { return result(sum(value(in, 0), negated(value(in, 1)), round)); });
  check("mul" + tail, 2, [=](const Values& in) { return result(product(value(in, 0), value(in, 1))); });
  if (rounding.empty()) return;
  for (const char* opcode : {"fma", "mad"}) {
    check(opcode + tail, 3, [=](const Values& in) {
      return result(sum(product(value(in, 0), value(in, 1)), value(in, 2), round));
    });
  }
  check("div" + tail, 2, [=](const Values& in) { return result(quotient(value(in, 0), value(in, 1))); });
  check("rcp" + tail, 1, [=](const Values& in) { return result(quotient(from_integer(1), value(in, 0))); });
  check("sqrt" + tail, 1, [=](const Values& in) { return result(root(value(in, 0))); });
}

TEST(Float64Forms, Arithmetic) {
  check_arithmetic("", Round::kNearest);
  for (const RoundName& r : kRoundNames) check_arithmetic(r.text, r.round);
}

TEST(Float64Forms, FmaRoundsOnce) {
  Values near_one, minus_square;
  for (uint64_t i = 1; i <= 64; ++i) {
    near_one.push_back(kF.one() + i * 0x1111'1111);
    const Exact square = product(decode(kF, near_one.back()), decode(kF, near_one.back()));
    minus_square.push_back(kF.sign() | encode(kF, square, Round::kNearest));
  }
  FormCheck form{"fma.rn.f64", "b64", {"b64", "b64"}, [](const Values& in) {
                   Exact square = product(decode(kF, in[0]), decode(kF, in[0]));
                   return encode(kF, sum(square, decode(kF, in[1]), Round::kNearest), Round::kNearest);
                 }};
  form.edges = {&near_one, &minus_square};
  form.code = "fma.rn.f64 %o0, %i0, %i0, %i1;";
  check_form(form);
}

TEST(Float64Forms, MinimumAndMaximum) {
  for (bool maximum : {false, true}) {
    check(maximum ? "max.f64" : "min.f64", 2,
          [=](const Values& in) { return extremum(kF, in[0], in[1], {maximum}); });
  }
}

TEST(Float64Forms, SignsAndProperties) {
  check("neg.f64", 1, [](const Values& in) { return in[0] ^ kF.sign(); });
  check("abs.f64", 1, [](const Values& in) { return in[0] & ~kF.sign(); });
  check("copysign.f64", 2, [](const Values& in) { return (in[0] & kF.sign()) | (in[1] & (kF.sign() - 1)); });
  check_properties(kF, ".f64", "b64");
}

// `halves`: the lower half of the operand is ignored and that of the result is zero.
void check_approximation(const std::string& opcode, bool halves, int bits,
                         const std::function<long double(long double)>& function) {
  const bool flush = opcode.find(".ftz") != std::string::npos;
  FormCheck form{opcode, "b64", {"b64"}, {}};
  form.edges = {&kSamples};
  form.rounds = 16;
  form.accepts = [=](const Values& in, uint64_t got) {
    // NaN by its lower half only: which half counts is left open.
    if (halves && kF.is_nan(in[0]) && !kF.is_nan(in[0] >> 32 << 32)) return true;
    if (halves && static_cast<uint32_t>(got) != 0) return false;
    const uint64_t operand = halves ? in[0] >> 32 << 32 : in[0];
    const long double want = function(value_of<double>(flush ? flushed(kF, operand) : operand));
    if (std::isnan(want)) return kF.is_nan(got);
    if (std::isinf(want) || want == 0) return got == bits_of(static_cast<double>(want));
    const long double value = value_of<double>(got);
    if (flush && std::abs(want) < 0x1p-1022L) return value == 0 && std::signbit(value) == std::signbit(want);
    return std::abs(value - want) <= std::ldexp(std::abs(want), -bits);
  };
  check_form(form);
}

TEST(Float64Forms, Approximations) {
  auto reciprocal_root = [](long double x) { return 1 / std::sqrt(x); };
  check_approximation("rcp.approx.ftz.f64", true, 19, [](long double x) { return 1 / x; });
  check_approximation("rsqrt.approx.ftz.f64", true, 19, reciprocal_root);
  check_approximation("rsqrt.approx.f64", false, 50, reciprocal_root);
}

TEST(Float64Forms, NoFormIsWithoutTest) { EXPECT_EQ(forms_without_test("float64"), ""); }

}  // namespace
}  // namespace outboard::softgpu::exec
