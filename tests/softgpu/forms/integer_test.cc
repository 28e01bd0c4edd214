// Integer arithmetic against 128-bit host arithmetic.
#include "tests/softgpu/forms/form_check.h"

namespace outboard::softgpu::exec {
namespace {

using Big = __int128;

struct Type {
  std::string name;  // "s32"
  const char* reg;   // "b32"
  unsigned bits;
  bool is_signed;
  Big value(uint64_t raw) const { return is_signed ? Big{as_signed(raw, bits)} : Big{low_bits(raw, bits)}; }
  Big least() const { return is_signed ? -(Big{1} << (bits - 1)) : Big{0}; }
};

const Type kTypes[] = {{"u16", "b16", 16, false}, {"s16", "b16", 16, true},  {"u32", "b32", 32, false},
                       {"s32", "b32", 32, true},  {"u64", "b64", 64, false}, {"s64", "b64", 64, true}};
const char* wider(const Type& type) { return type.bits == 16 ? "b32" : "b64"; }

// Products of unsigned 64-bit values need all 128 bits; the sign bit is one of them.
Big product(Big a, Big b) {
  return static_cast<Big>(static_cast<unsigned __int128>(a) * static_cast<unsigned __int128>(b));
}
uint64_t raw(Big value) { return static_cast<uint64_t>(value); }
Big clamp32(Big value) {
  return value > 0x7fffffff ? Big{0x7fffffff} : value < -Big{0x80000000} ? -Big{0x80000000} : value;
}

TEST(IntegerForms, AddSubtractMultiply) {
  for (const Type& t : kTypes) {
    auto v = [t](uint64_t x) { return t.value(x); };
    check_forms({
        {"add." + t.name, t.reg, {t.reg, t.reg}, [=](const Values& in) { return raw(v(in[0]) + v(in[1])); }},
        {"sub." + t.name, t.reg, {t.reg, t.reg}, [=](const Values& in) { return raw(v(in[0]) - v(in[1])); }},
        {"mul.lo." + t.name,
         t.reg,
         {t.reg, t.reg},
         [=](const Values& in) { return raw(product(v(in[0]), v(in[1]))); }},
        {"mul.hi." + t.name,
         t.reg,
         {t.reg, t.reg},
         [=](const Values& in) { return raw(product(v(in[0]), v(in[1])) >> t.bits); }},
        {"mad.lo." + t.name,
         t.reg,
         {t.reg, t.reg, t.reg},
         [=](const Values& in) { return raw(product(v(in[0]), v(in[1])) + v(in[2])); }},
        {"mad.hi." + t.name,
         t.reg,
         {t.reg, t.reg, t.reg},
         [=](const Values& in) { return raw((product(v(in[0]), v(in[1])) >> t.bits) + v(in[2])); }},
        {"sad." + t.name,
         t.reg,
         {t.reg, t.reg, t.reg},
         [=](const Values& in) {
           Big a = v(in[0]), b = v(in[1]);
           return raw(v(in[2]) + (a < b ? b - a : a - b));
         }},
        {"min." + t.name,
         t.reg,
         {t.reg, t.reg},
         [=](const Values& in) { return raw(std::min(v(in[0]), v(in[1]))); }},
        {"max." + t.name,
         t.reg,
         {t.reg, t.reg},
         [=](const Values& in) { return raw(std::max(v(in[0]), v(in[1]))); }},
    });
    if (t.bits == 64) continue;
    check_forms({
        {"mul.wide." + t.name,
         wider(t),
         {t.reg, t.reg},
         [=](const Values& in) { return raw(product(v(in[0]), v(in[1]))); }},
        {"mad.wide." + t.name,
         wider(t),
         {t.reg, t.reg, wider(t)},
         [=](const Values& in) { return raw(product(v(in[0]), v(in[1])) + Big(in[2])); }},
    });
  }
}

// Products of 64 bits overflow 128 when both are unsigned and large: the shift above would see a
// negative value, so u64 is checked once more in halves.
TEST(IntegerForms, HighHalfOf64Bits) {
  check_form({"mul.hi.u64", "b64", {"b64", "b64"}, [](const Values& in) {
                uint64_t a0 = in[0] & 0xffffffff, a1 = in[0] >> 32, b0 = in[1] & 0xffffffff, b1 = in[1] >> 32;
                uint64_t middle = a1 * b0 + (a0 * b0 >> 32), low = a0 * b1 + (middle & 0xffffffff);
                return a1 * b1 + (middle >> 32) + (low >> 32);
              }});
}

TEST(IntegerForms, Divide) {
  for (const Type& t : kTypes) {
    auto v = [t](uint64_t x) { return t.value(x); };
    check_forms({
        {"div." + t.name,
         t.reg,
         {t.reg, t.reg},
         [=](const Values& in) { return v(in[1]) == 0 ? ~uint64_t{0} : raw(v(in[0]) / v(in[1])); }},
        {"rem." + t.name,
         t.reg,
         {t.reg, t.reg},
         [=](const Values& in) { return v(in[1]) == 0 ? in[0] : raw(v(in[0]) % v(in[1])); }},
    });
    if (!t.is_signed) continue;
    check_forms({
        {"abs." + t.name,
         t.reg,
         {t.reg},
         [=](const Values& in) { return raw(v(in[0]) < 0 ? -v(in[0]) : v(in[0])); }},
        {"neg." + t.name, t.reg, {t.reg}, [=](const Values& in) { return raw(-v(in[0])); }},
    });
  }
}

TEST(IntegerForms, Saturating) {
  auto v = [](uint64_t x) { return Big{as_signed(x, 32)}; };
  check_forms({
      {"add.sat.s32",
       "b32",
       {"b32", "b32"},
       [=](const Values& in) { return raw(clamp32(v(in[0]) + v(in[1]))); }},
      {"sub.sat.s32",
       "b32",
       {"b32", "b32"},
       [=](const Values& in) { return raw(clamp32(v(in[0]) - v(in[1]))); }},
      {"mad.hi.sat.s32",
       "b32",
       {"b32", "b32", "b32"},
       [=](const Values& in) { return raw(clamp32((product(v(in[0]), v(in[1])) >> 32) + v(in[2]))); }},
  });
  for (const char* opcode : {"min.s32.relu", "min.relu.s32"}) {
    check_form({opcode, "b32", {"b32", "b32"}, [=](const Values& in) {
                  return raw(std::max(Big{0}, std::min(v(in[0]), v(in[1]))));
                }});
  }
  for (const char* opcode : {"max.s32.relu", "max.relu.s32"}) {
    check_form({opcode, "b32", {"b32", "b32"}, [=](const Values& in) {
                  return raw(std::max(Big{0}, std::max(v(in[0]), v(in[1]))));
                }});
  }
}

TEST(IntegerForms, TwentyFourBits) {
  for (bool is_signed : {false, true}) {
    std::string type = is_signed ? "s32" : "u32";
    auto v = [=](uint64_t x) { return is_signed ? Big{as_signed(x, 24)} : Big{low_bits(x, 24)}; };
    auto c = [=](uint64_t x) { return is_signed ? Big{as_signed(x, 32)} : Big{low_bits(x, 32)}; };
    check_forms({
        {"mul24.lo." + type,
         "b32",
         {"b32", "b32"},
         [=](const Values& in) { return raw(product(v(in[0]), v(in[1]))); }},
        {"mul24.hi." + type,
         "b32",
         {"b32", "b32"},
         [=](const Values& in) { return raw(product(v(in[0]), v(in[1])) >> 16); }},
        {"mad24.lo." + type,
         "b32",
         {"b32", "b32", "b32"},
         [=](const Values& in) { return raw(product(v(in[0]), v(in[1])) + c(in[2])); }},
        {"mad24.hi." + type,
         "b32",
         {"b32", "b32", "b32"},
         [=](const Values& in) { return raw((product(v(in[0]), v(in[1])) >> 16) + c(in[2])); }},
    });
    if (!is_signed) continue;
    check_form({"mad24.hi.sat.s32", "b32", {"b32", "b32", "b32"}, [=](const Values& in) {
                  return raw(
                      clamp32(Big{as_signed(static_cast<uint64_t>(product(v(in[0]), v(in[1])) >> 16), 32)} +
                              c(in[2])));
                }});
  }
}

uint64_t halves(const Values& in, bool is_signed, const std::function<int(int, int)>& f) {
  uint64_t result = 0;
  for (int shift : {0, 16}) {
    int a = is_signed ? static_cast<int16_t>(in[0] >> shift) : static_cast<uint16_t>(in[0] >> shift);
    int b = is_signed ? static_cast<int16_t>(in[1] >> shift) : static_cast<uint16_t>(in[1] >> shift);
    result |= uint64_t{static_cast<uint16_t>(f(a, b))} << shift;
  }
  return result;
}

TEST(IntegerForms, PackedHalves) {
  for (bool is_signed : {false, true}) {
    std::string type = is_signed ? "s16x2" : "u16x2";
    check_forms({
        {"add." + type,
         "b32",
         {"b32", "b32"},
         [=](const Values& in) { return halves(in, is_signed, [](int a, int b) { return a + b; }); }},
        {"min." + type,
         "b32",
         {"b32", "b32"},
         [=](const Values& in) {
           return halves(in, is_signed, [](int a, int b) { return std::min(a, b); });
         }},
        {"max." + type,
         "b32",
         {"b32", "b32"},
         [=](const Values& in) {
           return halves(in, is_signed, [](int a, int b) { return std::max(a, b); });
         }},
    });
  }
  for (const char* opcode : {"min.s16x2.relu", "min.relu.s16x2"}) {
    check_form({opcode, "b32", {"b32", "b32"}, [](const Values& in) {
                  return halves(in, true, [](int a, int b) { return std::max(0, std::min(a, b)); });
                }});
  }
  for (const char* opcode : {"max.s16x2.relu", "max.relu.s16x2"}) {
    check_form({opcode, "b32", {"b32", "b32"}, [](const Values& in) {
                  return halves(in, true, [](int a, int b) { return std::max({0, a, b}); });
                }});
  }
}

int64_t byte_at(uint64_t value, int i, bool is_signed) {
  uint64_t byte = value >> (8 * i) & 0xff;
  return is_signed ? as_signed(byte, 8) : static_cast<int64_t>(byte);
}

TEST(IntegerForms, DotProducts) {
  for (bool a_signed : {false, true}) {
    for (bool b_signed : {false, true}) {
      std::string types = std::string(a_signed ? ".s32" : ".u32") + (b_signed ? ".s32" : ".u32");
      check_form({"dp4a" + types, "b32", {"b32", "b32", "b32"}, [=](const Values& in) {
                    int64_t sum = as_signed(in[2], 32);
                    for (int i = 0; i < 4; ++i)
                      sum += byte_at(in[0], i, a_signed) * byte_at(in[1], i, b_signed);
                    return static_cast<uint64_t>(sum);
                  }});
      for (bool high : {false, true}) {
        check_form({std::string("dp2a.") + (high ? "hi" : "lo") + types,
                    "b32",
                    {"b32", "b32", "b32"},
                    [=](const Values& in) {
                      int64_t sum = as_signed(in[2], 32);
                      for (int i = 0; i < 2; ++i) {
                        uint64_t half = in[0] >> (16 * i) & 0xffff;
                        sum += (a_signed ? as_signed(half, 16) : static_cast<int64_t>(half)) *
                               byte_at(in[1], i + (high ? 2 : 0), b_signed);
                      }
                      return static_cast<uint64_t>(sum);
                    }});
      }
    }
  }
}

// Sums of two registers each, whose upper half shows whether the carry went over.
TEST(IntegerForms, CarryChains) {
  for (unsigned bits : {32u, 64u}) {
    const char* reg = bits == 32 ? "b32" : "b64";
    for (std::string sign : {"u", "s"}) {
      std::string t = sign + std::to_string(bits);
      auto sum = [=](const Values& in, bool subtract, bool middle) {
        // Three words: low, middle (with carry in and out), high.
        unsigned __int128 low = subtract ? (unsigned __int128)low_bits(in[0], bits) - low_bits(in[1], bits)
                                         : (unsigned __int128)low_bits(in[0], bits) + low_bits(in[1], bits);
        uint64_t carry = static_cast<uint64_t>(low >> bits) & 1;
        unsigned __int128 mid =
            subtract ? (unsigned __int128)low_bits(in[2], bits) - low_bits(in[1], bits) - carry
                     : (unsigned __int128)low_bits(in[2], bits) + low_bits(in[1], bits) + carry;
        uint64_t carry2 = static_cast<uint64_t>(mid >> bits) & 1;
        uint64_t high = subtract ? in[0] - in[2] - carry2 : in[0] + in[2] + carry2;
        return middle ? static_cast<uint64_t>(mid) : high;
      };
      for (bool subtract : {false, true}) {
        std::string name = subtract ? "sub" : "add";
        std::string scratch = bits == 32 ? "%s" : "%d";
        std::string chain = name + ".cc." + t + " " + scratch + "0, %i0, %i1; " + name + "c.cc." + t + " " +
                            scratch + "1, %i2, %i1; " + name + "c." + t + " " + scratch + "2, %i0, %i2; ";
        for (bool middle : {true, false}) {
          check_form({name + " chain " + t,
                      reg,
                      {reg, reg, reg},
                      [=](const Values& in) { return sum(in, subtract, middle); },
                      {},
                      chain + "mov.b" + std::to_string(bits) + " %o0, " + scratch + (middle ? "1;" : "2;")});
        }
      }
      // mad: low words of the products, then high words with the carry.
      std::string scratch = bits == 32 ? "%s" : "%d";
      auto mad = [=](const Values& in, int word) {
        auto lo = [&](uint64_t a, uint64_t b) { return low_bits(a * b, bits); };
        auto hi = [&](uint64_t a, uint64_t b) {
          return sign == "u"
                     ? low_bits(static_cast<uint64_t>(
                                    ((unsigned __int128)low_bits(a, bits) * low_bits(b, bits)) >> bits),
                                bits)
                     : low_bits(static_cast<uint64_t>((Big{as_signed(a, bits)} * as_signed(b, bits)) >> bits),
                                bits);
        };
        unsigned __int128 w0 = (unsigned __int128)lo(in[0], in[1]) + low_bits(in[2], bits);
        unsigned __int128 w1 = (unsigned __int128)hi(in[0], in[1]) + low_bits(in[1], bits) +
                               (static_cast<uint64_t>(w0 >> bits) & 1);
        unsigned __int128 w2 = (unsigned __int128)lo(in[0], in[2]) + low_bits(in[0], bits) +
                               (static_cast<uint64_t>(w1 >> bits) & 1);
        uint64_t w3 = hi(in[0], in[2]) + in[2] + (static_cast<uint64_t>(w2 >> bits) & 1);
        return word == 1 ? static_cast<uint64_t>(w1) : word == 2 ? static_cast<uint64_t>(w2) : w3;
      };
      std::string chain = "mad.lo.cc." + t + " " + scratch + "0, %i0, %i1, %i2; madc.hi.cc." + t + " " +
                          scratch + "1, %i0, %i1, %i1; madc.lo.cc." + t + " " + scratch +
                          "2, %i0, %i2, %i0; madc.hi." + t + " " + scratch + "3, %i0, %i2, %i2; ";
      for (int word : {1, 2, 3}) {
        check_form(
            {"mad chain " + t,
             reg,
             {reg, reg, reg},
             [=](const Values& in) { return mad(in, word); },
             {},
             chain + "mov.b" + std::to_string(bits) + " %o0, " + scratch + std::to_string(word) + ";"});
      }
      std::string other =
          "mad.hi.cc." + t + " " + scratch + "0, %i0, %i1, %i2; madc.lo." + t + " %o0, %i0, %i2, %i1;";
      check_form(
          {"mad.hi chain " + t,
           reg,
           {reg, reg, reg},
           [=](const Values& in) {
             uint64_t hi =
                 sign == "u"
                     ? static_cast<uint64_t>(
                           ((unsigned __int128)low_bits(in[0], bits) * low_bits(in[1], bits)) >> bits)
                     : static_cast<uint64_t>((Big{as_signed(in[0], bits)} * as_signed(in[1], bits)) >> bits);
             uint64_t carry = static_cast<uint64_t>(
                                  ((unsigned __int128)low_bits(hi, bits) + low_bits(in[2], bits)) >> bits) &
                              1;
             return in[0] * in[2] + in[1] + carry;
           },
           {},
           other});
    }
  }
}

// A guard that is false in some lanes leaves the old values there.
TEST(IntegerForms, GuardedLanesKeepTheirValue) {
  check_form({"add.s32",
              "b32",
              {"b32", "b32", "pred"},
              [](const Values& in) { return in[2] ? in[0] + in[1] : in[0]; },
              {},
              "mov.b32 %o0, %i0; @%i2 add.s32 %o0, %i0, %i1;"});
  check_form({"sub.s64",
              "b64",
              {"b64", "b64", "pred"},
              [](const Values& in) { return in[2] ? in[1] : in[0] - in[1]; },
              {},
              "mov.b64 %o0, %i1; @!%i2 sub.s64 %o0, %i0, %i1;"});
  check_form({"add.u16",
              "b16",
              {"b16", "b16", "pred"},
              [](const Values& in) { return in[2] ? in[0] + in[1] : in[1]; },
              {},
              "mov.b16 %o0, %i1; @%i2 add.u16 %o0, %i0, %i1;"});
}

TEST(IntegerForms, NoFormIsWithoutTest) { EXPECT_EQ(forms_without_test("integer"), ""); }

}  // namespace
}  // namespace outboard::softgpu::exec
