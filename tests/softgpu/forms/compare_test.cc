// Comparisons of every type, with and without combination, and selection.
#include <cmath>

#include "tests/softgpu/forms/form_check.h"

namespace outboard::softgpu::exec {
namespace {

enum class Order { kLess, kEqual, kGreater, kUnordered };

struct Comparison {
  const char* name;
  bool less, equal, greater, unordered;  // result for each order
  bool holds(Order order) const {
    return order == Order::kLess      ? less
           : order == Order::kEqual   ? equal
           : order == Order::kGreater ? greater
                                      : unordered;
  }
};
const Comparison kEquality[] = {{"eq", 0, 1, 0, 0}, {"ne", 1, 0, 1, 0}};
const Comparison kOrdered[] = {
    {"lt", 1, 0, 0, 0}, {"le", 1, 1, 0, 0}, {"gt", 0, 0, 1, 0}, {"ge", 0, 1, 1, 0}};
const Comparison kUnsignedNames[] = {
    {"lo", 1, 0, 0, 0}, {"ls", 1, 1, 0, 0}, {"hi", 0, 0, 1, 0}, {"hs", 0, 1, 1, 0}};
const Comparison kFloats[] = {{"equ", 0, 1, 0, 1}, {"neu", 1, 0, 1, 1}, {"ltu", 1, 0, 0, 1},
                              {"leu", 1, 1, 0, 1}, {"gtu", 0, 0, 1, 1}, {"geu", 0, 1, 1, 1},
                              {"num", 1, 1, 1, 0}, {"nan", 0, 0, 0, 1}};

using Compare = std::function<Order(uint64_t, uint64_t)>;
template <typename T>
Order order_of(T a, T b) {
  if (a != a || b != b) return Order::kUnordered;
  return a < b ? Order::kLess : a > b ? Order::kGreater : Order::kEqual;
}

struct Operand {
  std::string suffix;  // "s32", "ftz.f32"
  const char* reg;
  Compare compare;
  const Values* edges;
};

float flushed(float v) { return std::fpclassify(v) == FP_SUBNORMAL ? std::copysign(0.0f, v) : v; }

bool combined(const std::string& combination, bool result, bool other) {
  if (combination == ".and") return result && other;
  if (combination == ".or") return result || other;
  if (combination == ".xor") return result != other;
  return result;
}

void check_comparison(const Comparison& comparison, const Operand& t) {
  static const Values kBit{0, 1};
  for (std::string combination : {"", ".and", ".or", ".xor"}) {
    std::string middle = std::string(".") + comparison.name + combination;
    std::string setp = "setp" + middle + "." + t.suffix;
    std::string arguments = combination.empty() ? "%i0, %i1;" : "%i0, %i1, %i2;";
    auto holds = [=](const Values& in) { return comparison.holds(t.compare(in[0], in[1])); };
    std::vector<const char*> inputs = {t.reg, t.reg, "pred"};
    std::vector<const Values*> edges = {t.edges, t.edges, &kBit};
    check_form({setp, "pred", inputs,
                [=](const Values& in) { return uint64_t{combined(combination, holds(in), in[2])}; }, edges,
                setp + " %o0, " + arguments});
    check_form({setp, "pred", inputs,
                [=](const Values& in) { return uint64_t{combined(combination, !holds(in), in[2])}; }, edges,
                setp + " _|%o0, " + arguments});
    bool ftz = t.suffix.starts_with("ftz.");
    std::string type = ftz ? t.suffix.substr(4) : t.suffix;
    for (std::string result : {"u32", "s32", "f32"}) {
      std::string set = "set" + middle + (ftz ? ".ftz." : ".") + result + "." + type;
      uint64_t truth = result == "f32" ? 0x3f80'0000 : 0xffff'ffff;
      check_form({set, "b32", inputs,
                  [=](const Values& in) { return combined(combination, holds(in), in[2]) ? truth : 0; },
                  edges, set + " %o0, " + arguments});
    }
  }
}

TEST(CompareForms, Integers) {
  for (unsigned bits : {16u, 32u, 64u}) {
    std::string n = std::to_string(bits);
    const char* reg = bits == 16 ? "b16" : bits == 32 ? "b32" : "b64";
    Compare as_unsigned = [=](uint64_t a, uint64_t b) {
      return order_of(low_bits(a, bits), low_bits(b, bits));
    };
    Compare as_signed_order = [=](uint64_t a, uint64_t b) {
      return order_of(as_signed(a, bits), as_signed(b, bits));
    };
    const Values* edges = &integer_edges(reg);
    for (const Comparison& c : kEquality) {
      check_comparison(c, {"b" + n, reg, as_unsigned, edges});
      check_comparison(c, {"u" + n, reg, as_unsigned, edges});
      check_comparison(c, {"s" + n, reg, as_signed_order, edges});
    }
    for (const Comparison& c : kOrdered) {
      check_comparison(c, {"u" + n, reg, as_unsigned, edges});
      check_comparison(c, {"s" + n, reg, as_signed_order, edges});
    }
    for (const Comparison& c : kUnsignedNames) check_comparison(c, {"u" + n, reg, as_unsigned, edges});
  }
}

TEST(CompareForms, Floats) {
  Compare single = [](uint64_t a, uint64_t b) { return order_of(value_of<float>(a), value_of<float>(b)); };
  Compare flushing = [](uint64_t a, uint64_t b) {
    return order_of(flushed(value_of<float>(a)), flushed(value_of<float>(b)));
  };
  Compare wide = [](uint64_t a, uint64_t b) { return order_of(value_of<double>(a), value_of<double>(b)); };
  auto check_all = [&](const Comparison& c) {
    check_comparison(c, {"f32", "b32", single, &kFloatEdges});
    check_comparison(c, {"ftz.f32", "b32", flushing, &kFloatEdges});
    check_comparison(c, {"f64", "b64", wide, &kDoubleEdges});
  };
  for (const Comparison& c : kEquality) check_all(c);
  for (const Comparison& c : kOrdered) check_all(c);
  for (const Comparison& c : kFloats) check_all(c);
}

TEST(CompareForms, Select) {
  auto choose = [](const Values& in) { return in[2] ? in[0] : in[1]; };
  for (const char* t : {"b16", "u16", "s16", "f16", "bf16"})
    check_form({std::string("selp.") + t, "b16", {"b16", "b16", "pred"}, choose});
  for (const char* t : {"b32", "u32", "s32", "f32"})
    check_form({std::string("selp.") + t, "b32", {"b32", "b32", "pred"}, choose});
  for (const char* t : {"b64", "u64", "s64", "f64"})
    check_form({std::string("selp.") + t, "b64", {"b64", "b64", "pred"}, choose});
  // Guarded, so that old values stay where the guard is false.
  check_form({"selp.b32",
              "b32",
              {"b32", "b32", "pred"},
              [](const Values& in) { return in[2] ? in[0] : ~in[1]; },
              {},
              "not.b32 %o0, %i1; @%i2 selp.b32 %o0, %i0, %i1, %i2;"});
  struct Sized {
    const char* reg;
    std::vector<const char*> types;
  };
  for (const Sized& s : {Sized{"b16", {"b16", "u16", "s16"}}, Sized{"b32", {"b32", "u32", "s32", "f32"}},
                         Sized{"b64", {"b64", "u64", "s64", "f64"}}}) {
    const Values& edges = integer_edges(s.reg);
    for (const char* t : s.types) {
      check_form({std::string("slct.") + t + ".s32", s.reg, {s.reg, s.reg, "b32"}, [](const Values& in) {
                    return as_signed(in[2], 32) >= 0 ? in[0] : in[1];
                  }});
      for (const char* ftz : {"", "ftz."}) {
        if (*ftz && std::string(s.reg) == "b16") continue;
        check_form({std::string("slct.") + ftz + t + ".f32",
                    s.reg,
                    {s.reg, s.reg, "b32"},
                    [=](const Values& in) {
                      return (*ftz ? flushed(value_of<float>(in[2])) : value_of<float>(in[2])) >= 0 ? in[0]
                                                                                                    : in[1];
                    },
                    {&edges, &edges, &kFloatEdges}});
      }
    }
  }
}

TEST(CompareForms, NoFormIsWithoutTest) { EXPECT_EQ(forms_without_test("compare"), ""); }

}  // namespace
}  // namespace outboard::softgpu::exec
