// 16-bit floats, alone and in pairs, against integer arithmetic.
#include <cmath>

#include "tests/softgpu/forms/float_reference.h"

namespace outboard::softgpu::exec {
namespace {

struct HalfType {
  const char* name;
  const char* reg;
  Format format;
  bool pair;
  bool flushes;  // has .ftz, and .sat
};
const HalfType kTypes[] = {{"f16", "b16", kF16, false, true},
                           {"f16x2", "b32", kF16, true, true},
                           {"bf16", "b16", kBf16, false, false},
                           {"bf16x2", "b32", kBf16, true, false}};

const Values& samples_of(const HalfType& type) {
  static const Values f16_pairs = paired(samples(kF16)), bf16_pairs = paired(samples(kBf16));
  return !type.pair ? samples(type.format) : type.flushes ? f16_pairs : bf16_pairs;
}

void check(const std::string& opcode, const HalfType& type, size_t operands, const Expectation& expected) {
  FormCheck form{opcode + "." + type.name, type.reg, std::vector<const char*>(operands, type.reg),
                 type.pair ? in_halves(expected) : expected};
  form.edges.assign(operands, &samples_of(type));
  form.rounds = 16;
  check_form(form);
}

struct Options {
  bool flush = false, saturate = false, relu = false;
  std::string text() const {
    return std::string(flush ? ".ftz" : "") + (saturate ? ".sat" : "") + (relu ? ".relu" : "");
  }
};

std::vector<Options> options_of(const HalfType& type, bool relu) {
  std::vector<Options> all = {{}};
  if (relu) all.push_back({false, false, true});
  if (!type.flushes) return all;
  all.push_back({false, true, false});
  all.push_back({true, false, false});
  all.push_back({true, true, false});
  if (relu) all.push_back({true, false, true});
  return all;
}

Exact operand(const HalfType& type, const Options& o, const Values& in, size_t i) {
  return decode(type.format, o.flush ? flushed(type.format, in[i]) : in[i]);
}

uint64_t result(const HalfType& type, const Options& o, const Exact& value) {
  uint64_t bits = encode(type.format, value, Round::kNearest);
  if (o.flush) bits = flushed(type.format, bits);
  if (o.relu) bits = rectified(type.format, bits);
  return o.saturate ? saturated(type.format, bits) : bits;
}

TEST(HalfForms, AddSubtractMultiply) {
  for (const HalfType& t : kTypes) {
    for (const Options& o : options_of(t, false)) {
      for (const char* rounding : {"", ".rn"}) {
        const std::string tail = rounding + o.text();
        check("add" + tail, t, 2, [=](const Values& in) {
          return result(t, o, sum(operand(t, o, in, 0), operand(t, o, in, 1), Round::kNearest));
        });
        check("sub" + tail, t, 2, [=](const Values& in) {
          return result(t, o, sum(operand(t, o, in, 0), negated(operand(t, o, in, 1)), Round::kNearest));
        });
        check("mul" + tail, t, 2, [=](const Values& in) {
          return result(t, o, product(operand(t, o, in, 0), operand(t, o, in, 1)));
        });
      }
    }
  }
}

TEST(HalfForms, MultiplyAdd) {
  for (const HalfType& t : kTypes) {
    for (const Options& o : options_of(t, true)) {
      check("fma.rn" + o.text(), t, 3, [=](const Values& in) {
        const Exact multiplied = product(operand(t, o, in, 0), operand(t, o, in, 1));
        return result(t, o, sum(multiplied, operand(t, o, in, 2), Round::kNearest));
      });
    }
  }
}

// A term far below the product's last place decides between two neighbours.
TEST(HalfForms, FmaRoundsOnce) {
  for (const HalfType& t : kTypes) {
    if (t.pair) continue;
    const Format& f = t.format;
    Values factors, tiny;
    for (uint64_t i = 0; i < 64; ++i) factors.push_back(f.one() + (i * 2 + 1) % f.implicit());
    for (uint64_t bits : {uint64_t{1}, f.implicit(), f.one() / 2}) {
      tiny.push_back(bits);
      tiny.push_back(bits | f.sign());
    }
    const uint64_t one_and_half = f.one() + f.implicit() / 2;
    const Values half_steps = {one_and_half, f.one() + f.implicit() / 4, f.one() + 3 * f.implicit() / 4};
    FormCheck form{std::string("fma.rn.") + t.name, t.reg, {t.reg, t.reg, t.reg}, [=](const Values& in) {
                     const Exact multiplied = product(decode(f, in[0]), decode(f, in[1]));
                     return encode(f, sum(multiplied, decode(f, in[2]), Round::kNearest), Round::kNearest);
                   }};
    form.edges = {&factors, &half_steps, &tiny};
    form.rounds = 16;
    check_form(form);
  }
}

TEST(HalfForms, MinimumAndMaximum) {
  for (const HalfType& t : kTypes) {
    for (bool flush : {false, true}) {
      if (flush && !t.flushes) continue;
      for (bool nan : {false, true}) {
        for (bool sign : {false, true}) {
          for (bool maximum : {false, true}) {
            std::string opcode = std::string(maximum ? "max" : "min") + (flush ? ".ftz" : "") +
                                 (nan ? ".NaN" : "") + (sign ? ".xorsign.abs" : "");
            check(opcode, t, 2, [=](const Values& in) {
              const uint64_t a = flush ? flushed(t.format, in[0]) : in[0],
                             b = flush ? flushed(t.format, in[1]) : in[1];
              return extremum(t.format, a, b, {maximum, nan, sign});
            });
          }
        }
      }
    }
  }
}

TEST(HalfForms, Signs) {
  for (const HalfType& t : kTypes) {
    for (bool flush : {false, true}) {
      if (flush && !t.flushes) continue;
      const std::string middle = flush ? ".ftz" : "";
      auto input = [=](const Values& in) { return flush ? flushed(t.format, in[0]) : in[0]; };
      check("neg" + middle, t, 1, [=](const Values& in) { return input(in) ^ 0x8000; });
      check("abs" + middle, t, 1, [=](const Values& in) { return input(in) & 0x7fff; });
    }
  }
}

// PTX's largest errors: relative to the result, and absolute.
struct Allowed {
  double relative, absolute;
};

bool is_near(const HalfType& t, uint64_t got, double want, const Allowed& allowed, bool flush) {
  const Format& f = t.format;
  if (std::isnan(want)) return got == f.nan();
  if (std::isinf(want) || want == 0)
    return double_of(f, got) == want && std::signbit(want) == (got >> 15 != 0);
  if (flush && want < double_of(f, f.implicit())) return got == 0 || got == f.implicit();
  if (std::abs(want) >= double_of(f, f.largest()) * (1 + 0.5 / static_cast<double>(f.implicit())))
    return double_of(f, got) == (want > 0 ? INFINITY : -INFINITY);
  return std::abs(double_of(f, got) - want) <= allowed.relative * std::abs(want) + allowed.absolute;
}

void check_approximation(const std::string& opcode, const HalfType& t, bool flush, const Allowed& allowed,
                         const std::function<double(double)>& function) {
  const Values numbers = t.pair ? paired(moderate(t.format)) : moderate(t.format);
  FormCheck form{opcode + "." + t.name, t.reg, {t.reg}, {}};
  form.edges = {&samples_of(t)};
  form.rounds = 16;
  form.accepts = [=](const Values& in, uint64_t got) {
    for (int shift : {0, 16}) {
      if (shift != 0 && !t.pair) continue;
      uint64_t x = in[0] >> shift & 0xffff;
      if (flush) x = flushed(t.format, x);
      if (!is_near(t, got >> shift & 0xffff, function(double_of(t.format, x)), allowed, flush)) return false;
    }
    return true;
  };
  check_form(form);
  form.edges = {&numbers};
  form.rounds = 36;
  check_form(form);
}

TEST(HalfForms, Approximations) {
  for (const HalfType& t : kTypes) {
    const bool brain = !t.flushes;
    // A subnormal result is right to its last place.
    check_approximation(brain ? "ex2.approx.ftz" : "ex2.approx", t, brain,
                        brain ? Allowed{0x1p-7, 0} : Allowed{std::exp2(-9.9), 0x1p-25},
                        [](double x) { return std::exp2(x); });
    check_approximation("tanh.approx", t, false, brain ? Allowed{0, 0x1p-8} : Allowed{0, std::exp2(-10.987)},
                        [](double x) { return std::tanh(x); });
  }
}

struct Comparison {
  const char* name;
  bool less, equal, greater, unordered;
};
const Comparison kComparisons[] = {
    {"eq", 0, 1, 0, 0},  {"ne", 1, 0, 1, 0},  {"lt", 1, 0, 0, 0},  {"le", 1, 1, 0, 0},  {"gt", 0, 0, 1, 0},
    {"ge", 0, 1, 1, 0},  {"equ", 0, 1, 0, 1}, {"neu", 1, 0, 1, 1}, {"ltu", 1, 0, 0, 1}, {"leu", 1, 1, 0, 1},
    {"gtu", 0, 0, 1, 1}, {"geu", 0, 1, 1, 1}, {"num", 1, 1, 1, 0}, {"nan", 0, 0, 0, 1}};

struct Test {
  Comparison comparison;
  std::string combination;
  HalfType type;
  bool flush;

  std::string opcode(const std::string& base, const std::string& result) const {
    return base + "." + comparison.name + combination + (flush ? ".ftz" : "") + result + "." + type.name;
  }
  // Of the half that begins at bit `shift`.
  bool holds(const Values& in, int shift) const {
    uint64_t x = in[0] >> shift & 0xffff, y = in[1] >> shift & 0xffff;
    if (flush) x = flushed(type.format, x), y = flushed(type.format, y);
    const double a = double_of(type.format, x), b = double_of(type.format, y);
    const bool result = a < b    ? comparison.less
                        : a == b ? comparison.equal
                        : a > b  ? comparison.greater
                                 : comparison.unordered;
    return combine(result, in[2] != 0);
  }
  bool combine(bool result, bool other) const {
    return combination == ".and"   ? result && other
           : combination == ".or"  ? result || other
           : combination == ".xor" ? result != other
                                   : result;
  }
};

void check_test(const Test& test, const std::string& opcode, const char* output,
                const std::string& destination, const Expectation& expected) {
  FormCheck form{opcode, output, {test.type.reg, test.type.reg, "pred"}, expected};
  form.edges = {&samples_of(test.type), &samples_of(test.type), &integer_edges("pred")};
  form.rounds = 5;
  form.code = opcode + " " + destination + ", %i0, %i1" + (test.combination.empty() ? ";" : ", %i2;");
  check_form(form);
}

void check_comparison(const Test& test) {
  const HalfType& t = test.type;
  // f16x2 gives one predicate of each half, f16 the result and that of the opposite.
  check_test(test, test.opcode("setp", ""), "pred", "%o0|_",
             [=](const Values& in) { return uint64_t{test.holds(in, 0)}; });
  check_test(test, test.opcode("setp", ""), "pred", "_|%o0", [=](const Values& in) {
    if (t.pair) return uint64_t{test.holds(in, 16)};
    Test plain = test;
    plain.combination = "";
    return uint64_t{test.combine(!plain.holds(in, 0), in[2] != 0)};
  });
  auto truth = [=](uint64_t value) {
    return [=](const Values& in) {
      return (test.holds(in, 0) ? value : 0) | (t.pair && test.holds(in, 16) ? value << 16 : 0);
    };
  };
  const std::string own = std::string(".") + t.name;
  check_test(test, test.opcode("set", own), t.reg, "%o0", truth(t.format.one()));
  for (const char* name : {".u32", ".s32"})
    check_test(test, test.opcode("set", name), "b32", "%o0", truth(t.pair ? 0xffff : 0xffff'ffff));
  if (t.pair) return;
  for (const char* name : {".u16", ".s16"})
    check_test(test, test.opcode("set", name), "b16", "%o0", truth(0xffff));
}

TEST(HalfForms, Comparisons) {
  for (const HalfType& type : kTypes) {
    for (const Comparison& comparison : kComparisons) {
      for (const char* combination : {"", ".and", ".or", ".xor"}) {
        check_comparison({comparison, combination, type, false});
        if (type.flushes) check_comparison({comparison, combination, type, true});
      }
    }
  }
}

// A guard that is false in some lanes leaves the old values there.
TEST(HalfForms, GuardedLanesKeepTheirValue) {
  check_form({"add.f16x2",
              "b32",
              {"b32", "pred"},
              [](const Values& in) { return in[1] ? 0 : in[0]; },
              {},
              "mov.b32 %o0, %i0; @%i1 mul.f16x2 %o0, 0, 0;"});
  check_form({"set.ne.u16.f16",
              "b16",
              {"b16", "pred"},
              [](const Values& in) { return in[1] ? 0xffff : in[0]; },
              {},
              "mov.b16 %o0, %i0; @%i1 set.equ.u16.f16 %o0, %i0, %i0;"});
}

TEST(HalfForms, NoFormIsWithoutTest) { EXPECT_EQ(forms_without_test("half"), ""); }

}  // namespace
}  // namespace outboard::softgpu::exec
