// Bit operations, computed bit by bit on the host where that is possible.
#include <bit>

#include "tests/softgpu/forms/form_check.h"

namespace outboard::softgpu::exec {
namespace {

const Values kShifts = {0, 1, 7, 8, 15, 16, 17, 31, 32, 33, 63, 64, 65, 255, 256, 0x8000'0000, 0xffff'ffff};
const Values kFields = {0, 1, 3, 8, 15, 16, 31, 32, 33, 48, 63, 64, 65, 200, 255, 0x1ff, 0x105};
const char* reg_of(unsigned bits) { return bits == 16 ? "b16" : bits == 32 ? "b32" : "b64"; }

TEST(LogicForms, BinaryAndUnary) {
  for (unsigned bits : {16u, 32u, 64u}) {
    std::string t = ".b" + std::to_string(bits);
    const char* r = reg_of(bits);
    check_forms({
        {"and" + t, r, {r, r}, [](const Values& in) { return in[0] & in[1]; }},
        {"or" + t, r, {r, r}, [](const Values& in) { return in[0] | in[1]; }},
        {"xor" + t, r, {r, r}, [](const Values& in) { return in[0] ^ in[1]; }},
        {"not" + t, r, {r}, [](const Values& in) { return ~in[0]; }},
        {"cnot" + t, r, {r}, [=](const Values& in) { return uint64_t{low_bits(in[0], bits) == 0}; }},
    });
  }
  check_forms({
      {"and.pred", "pred", {"pred", "pred"}, [](const Values& in) { return in[0] & in[1]; }},
      {"or.pred", "pred", {"pred", "pred"}, [](const Values& in) { return in[0] | in[1]; }},
      {"xor.pred", "pred", {"pred", "pred"}, [](const Values& in) { return in[0] ^ in[1]; }},
      {"not.pred", "pred", {"pred"}, [](const Values& in) { return in[0] ^ 1; }},
  });
}

TEST(LogicForms, Lop3) {
  for (unsigned table : {0x00u, 0x80u, 0xfeu, 0x96u, 0xe8u, 0xcau, 0xffu, 0x1du, 0x6au}) {
    auto expected = [=](const Values& in) {
      uint64_t result = 0;
      for (unsigned bit = 0; bit < 32; ++bit) {
        unsigned index = (in[0] >> bit & 1) << 2 | (in[1] >> bit & 1) << 1 | (in[2] >> bit & 1);
        result |= uint64_t{table >> index & 1} << bit;
      }
      return result;
    };
    check_form({"lop3.b32",
                "b32",
                {"b32", "b32", "b32"},
                expected,
                {},
                "lop3.b32 %o0, %i0, %i1, %i2, " + std::to_string(table) + ";"});
    for (bool is_and : {true, false}) {
      std::string opcode = is_and ? "lop3.and.b32" : "lop3.or.b32";
      check_form({opcode,
                  "pred",
                  {"b32", "b32", "b32", "pred"},
                  [=](const Values& in) {
                    return uint64_t{is_and ? (expected(in) != 0 && in[3] != 0)
                                           : (expected(in) != 0 || in[3] != 0)};
                  },
                  {},
                  opcode + " %s0|%o0, %i0, %i1, %i2, " + std::to_string(table) + ", %i3;"});
    }
  }
}

TEST(LogicForms, Shifts) {
  for (unsigned bits : {16u, 32u, 64u}) {
    std::string n = std::to_string(bits);
    const char* r = reg_of(bits);
    const Values& edges = integer_edges(r);
    check_form({"shl.b" + n,
                r,
                {r, "b32"},
                [=](const Values& in) { return in[1] < bits ? in[0] << in[1] : 0; },
                {&edges, &kShifts}});
    for (const char* type : {"b", "u"}) {
      check_form({"shr." + (type + n),
                  r,
                  {r, "b32"},
                  [=](const Values& in) { return in[1] < bits ? low_bits(in[0], bits) >> in[1] : 0; },
                  {&edges, &kShifts}});
    }
    check_form({"shr.s" + n,
                r,
                {r, "b32"},
                [=](const Values& in) {
                  return static_cast<uint64_t>(as_signed(in[0], bits) >> std::min<uint64_t>(in[1], 63));
                },
                {&edges, &kShifts}});
  }
  const Values& edges = integer_edges("b32");
  for (bool clamp : {true, false}) {
    for (bool right : {true, false}) {
      check_form(
          {std::string("shf.") + (right ? "r" : "l") + (clamp ? ".clamp.b32" : ".wrap.b32"),
           "b32",
           {"b32", "b32", "b32"},
           [=](const Values& in) {
             unsigned amount = static_cast<unsigned>(clamp ? std::min<uint64_t>(in[2], 32) : in[2] % 32);
             uint64_t both = in[1] << 32 | in[0];
             return right ? both >> amount
                          : static_cast<uint64_t>((static_cast<unsigned __int128>(both) << amount) >> 32);
           },
           {&edges, &edges, &kShifts}});
    }
  }
}

uint64_t permuted(const Values& in, const unsigned (&selectors)[4]) {
  uint64_t bytes = in[1] << 32 | in[0], result = 0;
  for (int i = 0; i < 4; ++i) {
    uint64_t byte = bytes >> (8 * (selectors[i] & 7)) & 0xff;
    if (selectors[i] & 8) byte = byte & 0x80 ? 0xff : 0;
    result |= byte << (8 * i);
  }
  return result;
}

TEST(LogicForms, Permute) {
  static const Values kControls = {0x3210, 0x7654, 0x0123, 0x5410, 0xba98,
                                   0x8888, 0xf1e2, 0x4040, 0xffff, 0x12345678};
  const Values& edges = integer_edges("b32");
  check_form({"prmt.b32",
              "b32",
              {"b32", "b32", "b32"},
              [](const Values& in) {
                unsigned s[4];
                for (int i = 0; i < 4; ++i) s[i] = in[2] >> (4 * i) & 15;
                return permuted(in, s);
              },
              {&edges, &edges, &kControls}});
  // Selectors for control 0 to 3, as the ISA tabulates them; byte 0 first.
  struct Mode {
    const char* name;
    unsigned selectors[4][4];
  };
  static const Mode modes[] = {{"f4e", {{0, 1, 2, 3}, {1, 2, 3, 4}, {2, 3, 4, 5}, {3, 4, 5, 6}}},
                               {"b4e", {{0, 7, 6, 5}, {1, 0, 7, 6}, {2, 1, 0, 7}, {3, 2, 1, 0}}},
                               {"rc8", {{0, 0, 0, 0}, {1, 1, 1, 1}, {2, 2, 2, 2}, {3, 3, 3, 3}}},
                               {"ecl", {{0, 1, 2, 3}, {1, 1, 2, 3}, {2, 2, 2, 3}, {3, 3, 3, 3}}},
                               {"ecr", {{0, 0, 0, 0}, {0, 1, 1, 1}, {0, 1, 2, 2}, {0, 1, 2, 3}}},
                               {"rc16", {{0, 1, 0, 1}, {2, 3, 2, 3}, {0, 1, 0, 1}, {2, 3, 2, 3}}}};
  static const Values kFour = {0, 1, 2, 3, 4, 7, 0xfffffffe};
  for (const Mode& mode : modes) {
    check_form({std::string("prmt.b32.") + mode.name,
                "b32",
                {"b32", "b32", "b32"},
                [&](const Values& in) { return permuted(in, mode.selectors[in[2] & 3]); },
                {&edges, &edges, &kFour}});
  }
}

TEST(LogicForms, BitFields) {
  for (unsigned bits : {32u, 64u}) {
    std::string n = std::to_string(bits);
    const char* r = reg_of(bits);
    const Values& edges = integer_edges(r);
    for (bool is_signed : {false, true}) {
      // The ISA's own description: bits above the source are its sign.
      check_form({std::string("bfe.") + (is_signed ? "s" : "u") + n,
                  r,
                  {r, "b32", "b32"},
                  [=](const Values& in) {
                    unsigned position = in[1] & 0xff, length = in[2] & 0xff, most = bits - 1;
                    bool sign =
                        is_signed && length != 0 && (in[0] >> std::min(position + length - 1, most) & 1);
                    uint64_t result = 0;
                    for (unsigned i = 0; i <= most; ++i) {
                      bool bit = i < length && position + i <= most ? in[0] >> (position + i) & 1 : sign;
                      result |= uint64_t{bit} << i;
                    }
                    return result;
                  },
                  {&edges, &kFields, &kFields}});
      check_form({std::string("bfind.") + (is_signed ? "s" : "u") + n, "b32", {r}, [=](const Values& in) {
                    uint64_t v = is_signed && as_signed(in[0], bits) < 0 ? ~in[0] : in[0];
                    for (int i = static_cast<int>(bits) - 1; i >= 0; --i)
                      if (v >> i & 1) return static_cast<uint64_t>(i);
                    return uint64_t{0xffffffff};
                  }});
      check_form(
          {std::string("bfind.shiftamt.") + (is_signed ? "s" : "u") + n, "b32", {r}, [=](const Values& in) {
             uint64_t v = is_signed && as_signed(in[0], bits) < 0 ? ~in[0] : in[0];
             for (int i = static_cast<int>(bits) - 1; i >= 0; --i)
               if (v >> i & 1) return static_cast<uint64_t>(static_cast<int>(bits) - 1 - i);
             return uint64_t{0xffffffff};
           }});
    }
    check_form({"bfi.b" + n,
                r,
                {r, r, "b32", "b32"},
                [=](const Values& in) {
                  unsigned position = in[2] & 0xff, length = in[3] & 0xff;
                  uint64_t result = in[1];
                  for (unsigned i = 0; i < length && position + i < bits; ++i) {
                    uint64_t bit = i < bits ? in[0] >> i & 1 : 0;
                    result = (result & ~(uint64_t{1} << (position + i))) | bit << (position + i);
                  }
                  return result;
                },
                {&edges, &edges, &kFields, &kFields}});
    check_form({"brev.b" + n, r, {r}, [=](const Values& in) {
                  uint64_t result = 0;
                  for (unsigned i = 0; i < bits; ++i) result |= (in[0] >> i & 1) << (bits - 1 - i);
                  return result;
                }});
    check_form({"popc.b" + n, "b32", {r}, [=](const Values& in) {
                  return static_cast<uint64_t>(std::popcount(low_bits(in[0], bits)));
                }});
    check_form({"clz.b" + n, "b32", {r}, [=](const Values& in) {
                  return static_cast<uint64_t>(std::countl_zero(low_bits(in[0], bits))) - (64 - bits);
                }});
  }
}

TEST(LogicForms, MasksAndFinding) {
  static const Values kBases = {0, 1, 5, 16, 30, 31};
  static const Values kOffsets = {0, 1, 2, 5, 31, 0xffffffff, 0xfffffffe, 0xfffffff8};
  check_form({"fns.b32",
              "b32",
              {"b32", "b32", "b32"},
              [](const Values& in) {
                int base = static_cast<int>(in[1]), offset = static_cast<int>(in[2]);
                if (offset == 0) return in[0] >> base & 1 ? in[1] : uint64_t{0xffffffff};
                int count = std::abs(offset);
                for (int i = base; i >= 0 && i <= 31; i += offset > 0 ? 1 : -1) {
                  if (in[0] >> i & 1 && --count == 0) return static_cast<uint64_t>(i);
                }
                return uint64_t{0xffffffff};
              },
              {&integer_edges("b32"), &kBases, &kOffsets}});
  for (bool clamp : {true, false}) {
    std::string mode = clamp ? "clamp" : "wrap";
    check_form({"bmsk." + mode + ".b32",
                "b32",
                {"b32", "b32"},
                [=](const Values& in) {
                  uint64_t a = clamp ? in[0] : in[0] % 32, b = clamp ? in[1] : in[1] % 32, result = 0;
                  for (uint64_t i = a; i < 32 && i - a < b; ++i) result |= uint64_t{1} << i;
                  return result;
                },
                {&kShifts, &kShifts}});
    for (bool is_signed : {true, false}) {
      check_form({"szext." + mode + (is_signed ? ".s32" : ".u32"),
                  "b32",
                  {"b32", "b32"},
                  [=](const Values& in) {
                    uint64_t n = clamp ? std::min<uint64_t>(in[1], 32) : in[1] % 32;
                    if (n == 0) return uint64_t{0};
                    return is_signed ? static_cast<uint64_t>(as_signed(in[0], static_cast<unsigned>(n)))
                                     : low_bits(in[0], static_cast<unsigned>(n));
                  },
                  {&integer_edges("b32"), &kShifts}});
    }
  }
}

TEST(LogicForms, NoFormIsWithoutTest) { EXPECT_EQ(forms_without_test("logic"), ""); }

}  // namespace
}  // namespace outboard::softgpu::exec
