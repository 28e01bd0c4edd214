// Moves, packing, address spaces.
#include "tests/softgpu/forms/form_check.h"

namespace outboard::softgpu::exec {
namespace {

uint64_t same(const Values& in) { return in[0]; }

TEST(MoveForms, Registers) {
  for (const char* t : {"b16", "u16", "s16", "f16", "bf16"})
    check_form({std::string("mov.") + t, "b16", {"b16"}, same});
  for (const char* t : {"b32", "u32", "s32", "f32", "f16x2"})
    check_form({std::string("mov.") + t, "b32", {"b32"}, same});
  for (const char* t : {"b64", "u64", "s64", "f64"})
    check_form({std::string("mov.") + t, "b64", {"b64"}, same});
  check_form({"mov.pred", "pred", {"pred"}, same});
}

TEST(MoveForms, Immediates) {
  auto is = [](uint64_t value) { return [=](const Values&) { return value; }; };
  check_forms({
      {"decimal", "b32", {"b32"}, is(0xffff'ffff), {}, "mov.u32 %o0, -1;"},
      {"hexadecimal", "b64", {"b32"}, is(0xfedc'ba98'7654'3210), {}, "mov.u64 %o0, 0xfedcba9876543210;"},
      {"octal", "b32", {"b32"}, is(8), {}, "mov.u32 %o0, 010;"},
      {"binary", "b32", {"b32"}, is(5), {}, "mov.u32 %o0, 0b101;"},
      {"float bits", "b32", {"b32"}, is(0x3fc0'0000), {}, "mov.f32 %o0, 0f3FC00000;"},
      {"decimal float", "b32", {"b32"}, is(0x3fc0'0000), {}, "mov.f32 %o0, 1.5;"},
      {"double bits", "b64", {"b32"}, is(0x3ff8'0000'0000'0000), {}, "mov.f64 %o0, 0d3FF8000000000000;"},
      {"double from float bits", "b64", {"b32"}, is(0x3ff8'0000'0000'0000), {}, "mov.f64 %o0, 0f3FC00000;"},
      {"expression", "b32", {"b32"}, is((7 + 3 * 4) << 2), {}, "mov.u32 %o0, (7 + 3 * 4) << 2;"},
      {"conditional", "b32", {"b32"}, is(9), {}, "mov.u32 %o0, (1 == 1 ? 9 : 8);"},
      {"narrow", "b16", {"b32"}, is(0xff85), {}, "mov.s16 %o0, -123;"},
      {"warp size", "b32", {"b32"}, is(32), {}, "mov.u32 %o0, WARP_SZ;"},
  });
}

TEST(MoveForms, Packing) {
  auto part = [](unsigned bits, unsigned i) { return [=](const Values& in) { return in[0] >> (bits * i); }; };
  struct Case {
    const char *type, *reg, *piece;
    unsigned bits, count;
  };
  for (const Case& c : {Case{"b32", "b32", "b16", 16, 2}, Case{"u32", "b32", "b16", 16, 2},
                        Case{"b64", "b64", "b32", 32, 2}, Case{"u64", "b64", "b32", 32, 2},
                        Case{"f64", "b64", "b32", 32, 2}, Case{"b64", "b64", "b16", 16, 4}}) {
    std::string scratch = std::string(".reg .") + c.piece + " p<4>; ";
    std::string parts = c.count == 2 ? "{p0, p1}" : "{p0, p1, p2, p3}";
    for (unsigned i = 0; i < c.count; ++i) {
      check_form({std::string("mov.") + c.type + ".unpack" + std::to_string(c.count),
                  c.piece,
                  {c.reg},
                  part(c.bits, i),
                  {},
                  "{ " + scratch + "mov." + c.type + " " + parts + ", %i0; mov." + c.piece + " %o0, p" +
                      std::to_string(i) + "; }"});
    }
    std::vector<const char*> pieces(c.count, c.piece);
    std::string inputs = c.count == 2 ? "{%i0, %i1}" : "{%i0, %i1, %i2, %i3}";
    check_form({std::string("mov.") + c.type + ".pack" + std::to_string(c.count),
                c.reg,
                pieces,
                [=](const Values& in) {
                  uint64_t whole = 0;
                  for (unsigned i = 0; i < c.count; ++i) whole |= in[i] << (c.bits * i);
                  return whole;
                },
                {},
                std::string("mov.") + c.type + " %o0, " + inputs + ";"});
  }
}

// GCC writes these; each is several moves of the scalar form.
TEST(MoveForms, Vectors) {
  check_forms({
      {"vector constants",
       "b64",
       {"b32"},
       [](const Values&) { return 0x7'0000'0000 + 0xffff'ffffull; },
       {},
       "{ .reg .v2 .u32 v; mov.v2.u32 v, {-1, 7}; mov.b64 %o0, {v.x, v.y}; }"},
      {"elements change places",
       "b64",
       {"b32", "b32"},
       [](const Values& in) { return (in[0] & 0xffff'ffff) << 32 | (in[1] & 0xffff'ffff); },
       {},
       "{ .reg .v2 .u32 v; mov.v2.u32 v, {%i0, %i1}; mov.v2.u32 v, {v.y, v.x}; mov.b64 %o0, {v.x, v.y}; }"},
      {"from a vector register",
       "b64",
       {"b64", "b64"},
       [](const Values& in) { return in[0] - in[1]; },
       {},
       "{ .reg .v2 .u64 v, w; mov.v2.u64 v, {%i0, %i1}; mov.v2.u64 w, v; mov.v2.u64 {%d0, %d1}, w; "
       "sub.u64 %o0, %d0, %d1; }"},
      {"packing a vector register",
       "b64",
       {"b64"},
       [](const Values& in) { return in[0] << 32 | in[0] >> 32; },
       {},
       "{ .reg .v2 .u32 v; .reg .v4 .b16 w; mov.b64 v, %i0; mov.b64 w, %i0; mov.b64 %d0, w; mov.b64 {v.y, "
       "v.x}, %d0; "
       "mov.b64 %o0, v; }"},
      {"guarded",
       "b32",
       {"b32", "b32"},
       [](const Values& in) {
         const auto a = static_cast<uint32_t>(in[0]), b = static_cast<uint32_t>(in[1]);
         return uint64_t{a < b ? a ^ b : 0x3f80'0000u};
       },
       {},
       "{ .reg .pred q; .reg .v4 .f32 v; setp.lt.u32 q, %i0, %i1; "
       "mov.v4.f32 v, {0f3F800000, 0f00000000, 0f00000000, 0f00000000}; mov.b32 v.w, 0; "
       "@q mov.v4.f32 v, {0f00000000, v.y, v.z, v.w}; mov.b32 %o0, v.x; @q xor.b32 %o0, %i0, %i1; }"},
  });
}

TEST(MoveForms, Bytes) {
  // 8-bit registers are loaded and stored; here they come from a 32-bit one.
  for (unsigned i = 0; i < 4; ++i) {
    check_form(
        {"mov.b32.unpack4",
         "b32",
         {"b32"},
         [=](const Values& in) { return in[0] >> (8 * i) & 0xff; },
         {},
         "{ .reg .b8 q<4>; mov.b32 {q0, q1, q2, q3}, %i0; cvt.u32.u8 %o0, q" + std::to_string(i) + "; }"});
  }
  check_form({"mov.b32.pack4",
              "b32",
              {"b32"},
              [](const Values& in) {
                return (in[0] & 0xff) << 24 | (in[0] & 0xff00) << 8 | (in[0] >> 8 & 0xff00) |
                       (in[0] >> 24 & 0xff);
              },
              {},
              "{ .reg .b8 q<4>; mov.b32 {q0, q1, q2, q3}, %i0; mov.b32 %o0, {q3, q2, q1, q0}; }"});
  check_form({"mov.b16 bytes",
              "b16",
              {"b16"},
              [](const Values& in) { return (in[0] & 0xff) << 8 | in[0] >> 8; },
              {},
              "{ .reg .b8 q<2>; mov.b16 {q0, q1}, %i0; mov.b16 %o0, {q1, q0}; }"});
}

TEST(MoveForms, Quads) {
  check_form({"mov.b128",
              "b64",
              {"b64", "b64"},
              [](const Values& in) { return in[1] ^ (in[0] << 1); },
              {},
              "{ .reg .b128 q, r; mov.b128 q, {%i0, %i1}; mov.b128 r, q; mov.b128 {%d0, %d1}, r; shl.b64 "
              "%d0, %d0, 1; xor.b64 %o0, %d0, %d1; }"});
  check_form({"mov.b128 words",
              "b32",
              {"b32", "b32", "b32", "b32"},
              [](const Values& in) { return in[0] + 3 * in[1] + 5 * in[2] + 7 * in[3]; },
              {},
              "{ .reg .b128 q; mov.b128 q, {%i0, %i1, %i2, %i3}; mov.b128 {%s0, %s1, %s2, %s3}, q; "
              "mad.lo.u32 %s0, %s1, 3, %s0; mad.lo.u32 %s0, %s2, 5, %s0; "
              "mad.lo.u32 %o0, %s3, 7, %s0; }"});
}

TEST(MoveForms, AddressSpaces) {
  // To generic and back; a generic address is in its own space and in no other.
  for (std::string space : {"shared", "shared::cta", "local", "global", "const", "param"}) {
    check_form({"cvta",
                "b64",
                {"b64"},
                same,
                {},
                "cvta." + space + ".u64 %d0, %i0; cvta.to." + space + ".u64 %o0, %d0;"});
  }
  static const Values kOffsets{0, 1, 64, 4096, 0xffff};
  for (std::string made : {"shared", "local", "global", "param"}) {
    for (std::string asked :
         {"shared", "shared::cta", "shared::cluster", "local", "global", "const", "param", "param::entry"}) {
      bool expected = made == asked || (made == "shared" && asked.starts_with("shared")) ||
                      (made == "param" && asked == "param::entry");
      check_form({"isspacep",
                  "pred",
                  {"b64"},
                  [=](const Values&) { return uint64_t{expected}; },
                  {&kOffsets},
                  "cvta." + made + ".u64 %d0, %i0; isspacep." + asked + " %o0, %d0;"});
    }
  }
  check_form({"mapa.u64", "b64", {"b64"}, same, {}, "mapa.u64 %o0, %i0, 0;"});
  check_form({"mapa.shared::cluster.u32", "b32", {"b32"}, same, {}, "mapa.shared::cluster.u32 %o0, %i0, 0;"});
}

TEST(MoveForms, SpecialRegisters) {
  auto lane = [](uint32_t x) { return x; };
  FormCase test;
  test.outputs = {"b32", "b32", "b32", "b32", "b32", "b32", "b32", "b32"};
  test.code =
      "mov.u32 %o0, %tid.x; mov.u32 %o1, %laneid; mov.u32 %o2, %ntid.x; mov.u32 %o3, %nctaid.y; mov.u32 %o4, "
      "%lanemask_lt; mov.u32 %o5, %lanemask_ge; "
      "mov.u32 %o6, %warpid; mov.u32 %o7, %ctaid.x;";
  for (Isa isa : available_isas()) {
    FormResult result = run_form(test, isa);
    ASSERT_EQ(result.code, 0) << result.message;
    for (uint32_t i = 0; i < 32; ++i) {
      EXPECT_EQ(result.outputs[0][i], lane(i));
      EXPECT_EQ(result.outputs[1][i], lane(i));
      EXPECT_EQ(result.outputs[2][i], 32u);
      EXPECT_EQ(result.outputs[3][i], 1u);
      EXPECT_EQ(result.outputs[4][i], (1u << i) - 1);
      EXPECT_EQ(result.outputs[5][i], 0xffff'ffffu << i);
      EXPECT_EQ(result.outputs[6][i], 0u);
      EXPECT_EQ(result.outputs[7][i], 0u);
    }
  }
}

TEST(MoveForms, ClocksAdvance) {
  FormCase test;
  test.outputs = {"pred", "pred"};
  test.code =
      "mov.u64 %d0, %clock64; mov.u64 %d1, %clock64; setp.lt.u64 %o0, %d0, %d1; mov.u64 %d0, %globaltimer; "
      "mov.u64 %d1, %globaltimer; setp.lt.u64 %o1, %d0, %d1;";
  FormResult result = run_form(test, Isa::kBest);
  ASSERT_EQ(result.code, 0) << result.message;
  EXPECT_EQ(result.outputs[0][0], 1u);
  EXPECT_EQ(result.outputs[1][0], 1u);
}

// Packing forms are written as mov with a vector operand, which the list of used forms cannot see.
TEST(MoveForms, NoFormIsWithoutTest) {
  std::string missing = forms_without_test("move"), written;
  for (size_t at = 0; at < missing.size();) {
    size_t end = missing.find('\n', at);
    std::string form = missing.substr(at, end - at);
    if (form.find("pack") == std::string::npos) written += form + "\n";
    at = end + 1;
  }
  EXPECT_EQ(written, "");
}

}  // namespace
}  // namespace outboard::softgpu::exec
