// Video instructions with all types, second operations and a range of selectors, against 128-bit
// arithmetic on what the selectors say.
#include <algorithm>

#include "tests/softgpu/forms/form_check.h"

namespace outboard::softgpu::exec {
namespace {

using Big = __int128;

Big floor_shift(Big value, int count) { return value >> count; }

// Bits [at, at + bits) as a number.
Big field(uint64_t value, unsigned at, unsigned bits, bool is_signed) {
  const uint64_t part = low_bits(value >> at, bits);
  return is_signed ? Big{as_signed(part, bits)} : Big{part};
}

Big clamp(Big value, unsigned bits, bool is_signed) {
  const Big least = is_signed ? -(Big{1} << (bits - 1)) : 0;
  return std::clamp(value, least, least + (Big{1} << bits) - 1);
}

struct Part {
  std::string text;  // ".h1"
  unsigned at, bits;
};
const Part kWhole{"", 0, 32};
const std::vector<Part> kParts = {kWhole,         {".b0", 0, 8},  {".b1", 8, 8},  {".b2", 16, 8},
                                  {".b3", 24, 8}, {".h0", 0, 16}, {".h1", 16, 16}};

const std::string kSecondNames[] = {"", ".add", ".min", ".max"};

std::string type_name(bool is_signed) { return is_signed ? ".s32" : ".u32"; }

// What follows the first operation. PTX computes with 33 bits there.
uint64_t finished(Big value, const std::string& second, const Part& to, uint64_t c, bool d_signed) {
  const Big modulus = Big{1} << 33;
  Big wide = ((value % modulus) + modulus) % modulus;
  if (wide >= modulus / 2) wide -= modulus;
  const Big addend = field(c, 0, 32, d_signed);
  if (second == ".add") return static_cast<uint64_t>(wide + addend);
  if (second == ".min") return static_cast<uint64_t>(std::min(wide, addend));
  if (second == ".max") return static_cast<uint64_t>(std::max(wide, addend));
  const uint64_t mask = ((uint64_t{1} << to.bits) - 1) << to.at;
  return (static_cast<uint64_t>(value) << to.at & mask) | (to.bits < 32 ? c & ~mask : 0);
}

// With and without second operation, and merged into every part of the destination.
void check_scalar(
    const std::string& head, const std::string& tail, bool saturate, bool d_signed,
    const std::function<Big(uint64_t a, const Part& a_part, uint64_t b, const Part& b_part)>& first) {
  size_t at = 0;
  auto check = [&](const std::string& second, const Part& to) {
    const Part from_a = kParts[at % kParts.size()], from_b = kParts[(at / 2 + 3) % kParts.size()];
    ++at;
    const bool third = !second.empty() || to.bits < 32;
    const std::string opcode = head + (saturate ? ".sat" : "") + tail + second;
    FormCheck form{
        opcode + to.text + from_a.text + from_b.text, "b32", {"b32", "b32", "b32"}, [=](const Values& in) {
          Big value = first(in[0], from_a, in[1], from_b);
          if (saturate) value = clamp(value, to.bits, d_signed);
          return finished(value, second, to, in[2], d_signed);
        }};
    form.code =
        opcode + " %o0" + to.text + ", %i0" + from_a.text + ", %i1" + from_b.text + (third ? ", %i2;" : ";");
    check_form(form);
  };
  for (const std::string& second : kSecondNames) check(second, kWhole);
  for (const Part& to : kParts) check("", to);
}

TEST(VideoForms, ScalarArithmetic) {
  struct Operation {
    std::string name;
    std::function<Big(Big, Big)> apply;
  };
  const Operation operations[] = {{"vadd", [](Big a, Big b) { return a + b; }},
                                  {"vsub", [](Big a, Big b) { return a - b; }},
                                  {"vabsdiff", [](Big a, Big b) { return a > b ? a - b : b - a; }},
                                  {"vmin", [](Big a, Big b) { return std::min(a, b); }},
                                  {"vmax", [](Big a, Big b) { return std::max(a, b); }}};
  for (const Operation& operation : operations) {
    for (int types = 0; types < 16; ++types) {
      const bool d = types & 1, a = types & 2, b = types & 4, saturate = types & 8;
      check_scalar(operation.name + type_name(d) + type_name(a) + type_name(b), "", saturate, d,
                   [=](uint64_t x, const Part& from_x, uint64_t y, const Part& from_y) {
                     return operation.apply(field(x, from_x.at, from_x.bits, a),
                                            field(y, from_y.at, from_y.bits, b));
                   });
    }
  }
}

TEST(VideoForms, Shifts) {
  for (int types = 0; types < 16; ++types) {
    const bool d = types & 1, a = types & 2, wrap = types & 4, saturate = types & 8;
    for (bool left : {true, false}) {
      check_scalar((left ? "vshl" : "vshr") + type_name(d) + type_name(a) + ".u32", wrap ? ".wrap" : ".clamp",
                   saturate, d, [=](uint64_t x, const Part& from_x, uint64_t y, const Part& from_y) {
                     const Big value = field(x, from_x.at, from_x.bits, a),
                               count = field(y, from_y.at, from_y.bits, false);
                     const int by = static_cast<int>(wrap ? count % 32 : std::min<Big>(count, 32));
                     return left ? value * (Big{1} << by) : floor_shift(value, by);
                   });
    }
  }
}

struct Comparison {
  const char* name;
  bool less, equal, greater;
  bool holds(Big a, Big b) const { return a < b ? less : a == b ? equal : greater; }
};
const Comparison kComparisons[] = {{".eq", 0, 1, 0}, {".ne", 1, 0, 1}, {".lt", 1, 0, 0},
                                   {".le", 1, 1, 0}, {".gt", 0, 0, 1}, {".ge", 0, 1, 1}};

TEST(VideoForms, ScalarComparisons) {
  for (int types = 0; types < 4; ++types) {
    const bool a = types & 1, b = types & 2;
    for (const Comparison& comparison : kComparisons) {
      check_scalar("vset" + type_name(a) + type_name(b) + comparison.name, "", false, false,
                   [=](uint64_t x, const Part& from_x, uint64_t y, const Part& from_y) {
                     return Big{comparison.holds(field(x, from_x.at, from_x.bits, a),
                                                 field(y, from_y.at, from_y.bits, b))};
                   });
    }
  }
}

// The signs that PTX allows: of the product, of c, or none; with .po none.
void check_multiply_add(bool a, bool b, const std::string& modifiers, const std::string& signs,
                        size_t number) {
  const bool negate_product = (signs[0] == '-') != (signs[1] == '-'), negate_c = signs[2] == '-';
  const bool is_signed = a || b || negate_product || negate_c;
  const Part from_a = kParts[number % kParts.size()], from_b = kParts[(number / 7 + number) % kParts.size()];
  const auto has = [&](const char* modifier) { return modifiers.find(modifier) != std::string::npos; };
  const bool plus = has(".po"), saturate = has(".sat");
  const int shift = has(".shr7") ? 7 : has(".shr15") ? 15 : 0;
  for (std::string d : {".u32", ".s32"}) {
    const std::string opcode = "vmad" + d + type_name(a) + type_name(b) + modifiers;
    FormCheck form{opcode + signs, "b32", {"b32", "b32", "b32"}, [=](const Values& in) {
                     const Big c = field(in[2], 0, 32, is_signed);
                     Big value =
                         field(in[0], from_a.at, from_a.bits, a) * field(in[1], from_b.at, from_b.bits, b);
                     value = (negate_product ? -value : value) + (negate_c ? -c : c) + plus;
                     value = floor_shift(value, shift);
                     return static_cast<uint64_t>(saturate ? clamp(value, 32, is_signed) : value);
                   }};
    auto sign = [&](int i) {
      return signs[static_cast<size_t>(i)] == '-' ? std::string("-") : std::string();
    };
    form.code = opcode + " %o0, " + sign(0) + "%i0" + from_a.text + ", " + sign(1) + "%i1" + from_b.text +
                ", " + sign(2) + "%i2;";
    check_form(form);
  }
}

TEST(VideoForms, MultiplyAdd) {
  size_t number = 0;
  for (int types = 0; types < 4; ++types) {
    for (const char* saturation : {"", ".sat"}) {
      for (const char* scale : {"", ".shr7", ".shr15"}) {
        const std::string tail = std::string(saturation) + scale;
        for (const char* signs : {"+++", "-++", "+-+", "--+", "++-"})
          check_multiply_add(types & 1, types & 2, tail, signs, number++);
        check_multiply_add(types & 1, types & 2, ".po" + tail, "+++", number++);
      }
    }
  }
}

// Two half-words or four bytes at a time.
struct Elements {
  unsigned count;
  std::string a, b, mask;  // selectors with their dot, highest element first; empty: the default
  unsigned bits() const { return 32 / count; }
  // Element i of a and b together.
  Big pick(const Values& in, const std::string& selector, bool of_b, unsigned i, bool is_signed) const {
    const unsigned number = selector.empty() ? i + (of_b ? count : 0)
                                             : static_cast<unsigned>(selector[selector.size() - 1 - i] - '0');
    return field(number < count ? in[0] : in[1], bits() * (number % count), bits(), is_signed);
  }
  bool wanted(unsigned i) const {
    return mask.empty() || mask.find(static_cast<char>('0' + i), 2) != std::string::npos;
  }
};
const std::vector<Elements> kElements = {{2, "", "", ""},
                                         {2, ".h02", ".h31", ".h0"},
                                         {2, ".h33", ".h10", ".h1"},
                                         {2, ".h21", "", ".h10"},
                                         {4, "", "", ""},
                                         {4, ".b7531", ".b0246", ".b0"},
                                         {4, ".b0000", ".b4567", ".b321"},
                                         {4, "", ".b3210", ".b20"},
                                         {4, ".b6420", "", ".b3210"}};

void check_elements(const std::string& opcode, const Elements& e, bool a, bool b,
                    const std::function<Big(Big, Big)>& first) {
  const bool adds = opcode.ends_with(".add");
  FormCheck form{opcode + e.mask + e.a + e.b, "b32", {"b32", "b32", "b32"}, [=](const Values& in) {
                   uint64_t sum = in[2], merged = in[2];
                   for (unsigned i = 0; i < e.count; ++i) {
                     if (!e.wanted(i)) continue;
                     const Big value = first(e.pick(in, e.a, false, i, a), e.pick(in, e.b, true, i, b));
                     sum += static_cast<uint64_t>(value);
                     const uint64_t mask = ((uint64_t{1} << e.bits()) - 1) << (e.bits() * i);
                     merged = (merged & ~mask) | (static_cast<uint64_t>(value) << (e.bits() * i) & mask);
                   }
                   return adds ? sum : merged;
                 }};
  form.code = opcode + " %o0" + e.mask + ", %i0" + e.a + ", %i1" + e.b + ", %i2;";
  check_form(form);
}

TEST(VideoForms, SeveralAtATime) {
  struct Operation {
    std::string name;
    std::function<Big(Big, Big)> apply;
  };
  const Operation operations[] = {
      {"vadd", [](Big a, Big b) { return a + b; }},
      {"vsub", [](Big a, Big b) { return a - b; }},
      {"vavrg", [](Big a, Big b) { return floor_shift(a + b + (a + b < 0 ? 0 : 1), 1); }},
      {"vabsdiff", [](Big a, Big b) { return a > b ? a - b : b - a; }},
      {"vmin", [](Big a, Big b) { return std::min(a, b); }},
      {"vmax", [](Big a, Big b) { return std::max(a, b); }}};
  for (const Elements& e : kElements) {
    for (int types = 0; types < 8; ++types) {
      const bool d = types & 1, a = types & 2, b = types & 4;
      for (const Operation& operation : operations) {
        const std::string opcode =
            operation.name + std::to_string(e.count) + type_name(d) + type_name(a) + type_name(b);
        check_elements(opcode, e, a, b, operation.apply);
        check_elements(opcode + ".add", e, a, b, operation.apply);
        check_elements(opcode + ".sat", e, a, b,
                       [=](Big x, Big y) { return clamp(operation.apply(x, y), e.bits(), d); });
      }
    }
    for (int types = 0; types < 4; ++types) {
      const bool a = types & 1, b = types & 2;
      for (const Comparison& comparison : kComparisons) {
        const std::string opcode =
            "vset" + std::to_string(e.count) + type_name(a) + type_name(b) + comparison.name;
        auto holds = [=](Big x, Big y) { return Big{comparison.holds(x, y)}; };
        check_elements(opcode, e, a, b, holds);
        check_elements(opcode + ".add", e, a, b, holds);
      }
    }
  }
}

TEST(VideoForms, GuardedLanesKeepTheirValue) {
  check_form({"vadd4.u32.u32.u32",
              "b32",
              {"b32", "b32", "pred"},
              [](const Values& in) { return in[2] ? in[0] : in[1]; },
              {},
              "mov.b32 %o0, %i1; @%i2 vmax4.u32.u32.u32 %o0, %i0, %i0, 0;"});
}

TEST(VideoForms, WhatMakesNoSenseIsRefused) {
  for (const char* code :
       {"vadd.u32.u32.u32 %s0.b0, %s1, %s2;", "vadd.u32.u32.u32.add %s0.h0, %s1, %s2, %s3;",
        "vadd.u32.u32.u32.add %s0, %s1, %s2;", "vadd.u32.u32.u32 %s0, %s1.b4, %s2;",
        "vadd.u32.u32.u32 %s0, -%s1, %s2;", "vadd4.u32.u32.u32 %s0, %s1, %s2;",
        "vadd4.u32.u32.u32 %s0, %s1.b321, %s2, %s3;", "vadd4.u32.u32.u32 %s0, %s1.b8000, %s2, %s3;",
        "vadd2.u32.u32.u32 %s0.h2, %s1, %s2, %s3;", "vmad.s32.s32.s32.po %s0, %s1, %s2, -%s3;",
        "vmad.s32.s32.s32 %s0.h0, %s1, %s2, %s3;"}) {
    FormCase test;
    test.code = code;
    const FormResult result = run_form(test, Isa::kBest);
    EXPECT_NE(result.code, 0) << code;
    EXPECT_NE(result.message.find("error"), std::string::npos) << result.message;
  }
}

TEST(VideoForms, NoFormIsWithoutTest) { EXPECT_EQ(forms_without_test("video"), ""); }

}  // namespace
}  // namespace outboard::softgpu::exec
