// The front end: what it accepts, and what it says about what it does not.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <string>

#include "server/softgpu/ptx/image.h"
#include "server/softgpu/ptx/module.h"

namespace outboard::softgpu::ptx {
namespace {

const std::string kHead = ".version 8.0\n.target sm_90\n.address_size 64\n";

// The first error's text, "" if the text compiles.
std::string error_of(const std::string& text, const CompileOptions& options = {}) {
  JitLog log;
  auto program = compile(text, log, options);
  if (program) return "";
  EXPECT_EQ(log.error.substr(0, log.error.find('\n')), program.error().message);
  return program.error().message;
}

std::string kernel_error(const std::string& body) {
  return error_of(kHead + ".entry k(.param .u64 p)\n{\n" + body + "\n}\n");
}

TEST(PtxCompile, ErrorsHaveLineAndColumn) {
  EXPECT_EQ(kernel_error("  .reg .b32 %r<4>;\n  add.s32 %r1, %r2 %r3;"),
            "ptx 7:20: error: expected ';', found '%r3'");
  EXPECT_EQ(kernel_error(".reg .b32 %r<4>;\n  add.s32 %r1, %r2, %r4;"),
            "ptx 7:21: error: '%r4' is not declared");
  EXPECT_EQ(kernel_error(".reg .b32 %r<4>;\n  add.s32 %r1, %r2;"),
            "ptx 7:3: error: 'add.s32' has 2 operands, which is too few");
  EXPECT_EQ(kernel_error(".reg .b32 %r<4>;\nadd.s32 %r1, %r2, %r3, %r3;"),
            "ptx 7:24: error: 'add.s32' has 4 operands, which is too many");
  EXPECT_EQ(kernel_error("bra NOWHERE;"), "ptx 6:5: error: label 'NOWHERE' is not defined in function 'k'");
}

TEST(PtxCompile, UnsupportedInstructionsAreNamed) {
  EXPECT_EQ(
      kernel_error("  frobnicate.s32 1;"),
      "ptx 6:3: error: instruction 'frobnicate.s32' is unknown or not supported by the software device");
  EXPECT_EQ(kernel_error(".reg .b32 %r<4>;\nadd.s77 %r1, %r2, %r3;"),
            "ptx 7:1: error: 'add.s77': this form of 'add' is not supported by the software device");
  JitLog log;
  auto program = compile(kHead + ".entry k() { wgmma.fence.sync.aligned; }", log);
  ASSERT_FALSE(program);
  EXPECT_EQ(program.error().kind, ErrorKind::kUnsupported);
}

TEST(PtxCompile, UnsupportedKernelsAloneCanBeRefused) {
  CompileOptions options;
  options.refuse_module = false;
  JitLog log;
  auto program =
      compile(kHead + ".entry good() { ret; } .entry bad() { wgmma.fence.sync.aligned; }", log, options);
  ASSERT_TRUE(program) << log.error;
  EXPECT_EQ((*program)->find_kernel("good")->refusal, "");
  EXPECT_NE((*program)->find_kernel("bad")->refusal.find("wgmma"), std::string::npos);
  EXPECT_NE(log.info.find("wgmma"), std::string::npos);
  // A syntax error is one of the whole text all the same.
  EXPECT_FALSE(compile(kHead + ".entry good() { ret; } .entry bad() { ret }", log, options));
}

TEST(PtxCompile, WidthsAreChecked) {
  EXPECT_EQ(kernel_error(".reg .b32 %r<4>; .reg .b64 %rd<4>;\nadd.s32 %r1, %r2, %rd3;"),
            "ptx 7:19: error: the operand is 64 bits wide, but 'add.s32' takes one that is 32 bits wide");
  EXPECT_EQ(
      kernel_error(".reg .b32 %r<4>; .reg .b64 %rd<4>;\nadd.s64 %r1, %rd2, %rd3;"),
      "ptx 7:9: error: register '%r1' is 32 bits wide, but 'add.s64' gives a result that is 64 bits wide");
  EXPECT_EQ(kernel_error(".reg .b32 %r<4>;\n@%r1 ret;"),
            "ptx 7:6: error: guard '%r1' is not a predicate register");
}

TEST(PtxCompile, SyntaxErrors) {
  EXPECT_EQ(error_of("garbage"), "ptx 1:1: error: expected .version as the first statement, found 'garbage'");
  EXPECT_EQ(error_of(""),
            "ptx 1:1: error: expected .version as the first statement, found the end of the text");
  EXPECT_EQ(error_of(".version 99.0\n.target sm_90\n"),
            "ptx 1:10: error: PTX ISA version 99.0 is newer than 9.x, the newest that is understood");
  EXPECT_EQ(kernel_error(".reg .b32 %r1; mov.u32 %r1, 0x;"), "ptx 6:29: error: malformed number '0x'");
  EXPECT_EQ(kernel_error(".reg .b32 %r1; mov.u32 %r1, 99999999999999999999;"),
            "ptx 6:29: error: integer '99999999999999999999' does not fit in 64 bits");
  EXPECT_EQ(kernel_error("\x01"), "ptx 6:1: error: unexpected byte 1");
  EXPECT_EQ(error_of(kHead + ".entry k() {\n"), "ptx 5:1: error: the text ends inside function 'k'");
  EXPECT_EQ(error_of(kHead + ".global .u32 x[2] = {1, 2, 3};"),
            "ptx 4:28: error: more initial values than elements in 'x'");
  EXPECT_EQ(kernel_error(".reg .b32 %r1; mov.u32 %r1, 1/0;"),
            "ptx 6:30: error: division by zero in a constant expression");
  // Found by fuzz_ptx: a predicate has no bytes to put a value into.
  EXPECT_EQ(error_of(kHead + ".func (.reg .pred %o = 1) f() { ret; }"),
            "ptx 4:24: error: '%o' cannot have an initial value; only variables of .global and .const can");
  EXPECT_NE(error_of(kHead + ".shared .b32 x = 1;").find("cannot have an initial value"), std::string::npos);
  // Found by fuzz_ptx: 16 bytes were copied from a number of 8.
  for (const char* value : {"t", "0xff(t)"}) {
    EXPECT_NE(error_of(kHead + ".global .u32 t; .global .b128 x[1] = {" + value + "};")
                  .find("cannot be a value of 16 bytes"),
              std::string::npos);
  }
}

TEST(PtxCompile, GivesUpAfterManyErrors) {
  std::string body;
  for (int i = 0; i < 100; ++i) body += "frobnicate;\n";
  JitLog log;
  CompileOptions options;
  options.max_errors = 5;
  ASSERT_FALSE(compile(kHead + ".entry k() {" + body + "}", log, options));
  EXPECT_EQ(std::count(log.error.begin(), log.error.end(), '\n'), 6);
  EXPECT_NE(log.error.find("giving up after 5 errors"), std::string::npos);
}

TEST(PtxCompile, NestingIsLimited) {
  EXPECT_NE(kernel_error(std::string(1000, '{')).find("blocks nested deeper than 64"), std::string::npos);
  EXPECT_NE(
      kernel_error(".reg .b32 %r1; mov.u32 %r1, " + std::string(1000, '-') + "1;").find("nested deeper"),
      std::string::npos);
  EXPECT_NE(kernel_error(".reg .b32 %r1; mov.b32 %r1, " + std::string(1000, '{') + ";").find("nested deeper"),
            std::string::npos);
}

TEST(PtxCompile, SizesAreLimited) {
  EXPECT_NE(kernel_error(".reg .b32 %r<2000000>;").find("register count"), std::string::npos);
  EXPECT_NE(error_of(kHead + ".global .b8 x[99999999999];").find("at most"), std::string::npos);
  CompileOptions options;
  options.max_text_bytes = 10;
  EXPECT_NE(error_of(kHead, options).find("the limit is 10"), std::string::npos);
}

TEST(PtxCompile, KernelFacts) {
  JitLog log;
  auto program = compile(kHead +
                             ".visible .entry k(.param .u32 a, .param .u64 b, .param .align 16 .b8 c[20], "
                             ".param .u8 d) .reqntid 8, 4, 2 {\n"
                             ".shared .align 8 .b8 s[100]; .shared .f32 t[3]; .local .align 4 .b8 l[24]; "
                             ".reg .b64 %rd<3>; .reg .b32 %r<3>;\n"
                             "mov.u64 %rd1, s; mov.u64 %rd2, l; mov.u32 %r1, t; ret; }",
                         log);
  ASSERT_TRUE(program) << log.error;
  const Kernel& kernel = *(*program)->find_kernel("k");
  ASSERT_EQ(kernel.params.size(), 4u);
  EXPECT_EQ(kernel.params[1].offset, 8u);
  EXPECT_EQ(kernel.params[2].offset, 16u);
  EXPECT_EQ(kernel.params[2].size, 20u);
  EXPECT_EQ(kernel.params[3].offset, 36u);
  EXPECT_EQ(kernel.param_bytes, 37u);
  EXPECT_EQ(kernel.static_shared_bytes, 112u);
  EXPECT_EQ(kernel.local_bytes, 32u);
  EXPECT_EQ(kernel.max_threads, 64u);
  EXPECT_EQ(kernel.required_block[1], 4u);
  EXPECT_EQ(kernel.ptx_version, 80u);
  EXPECT_EQ(kernel.target, 90u);
}

TEST(PtxCompile, InitialValues) {
  JitLog log;
  auto program = compile(kHead +
                             ".global .align 4 .u32 a[4] = {1, 0x10, -1}; .const .f32 f = 1.5; .global .f64 "
                             "d[2] = {0d3FF0000000000000, 2.0};\n"
                             ".visible .global .b8 bytes[3] = {1, 2, 255}; .global .u64 p[2] = {a + 8, "
                             "generic(bytes)}; .global .s16 m[2][2] = {{1, 2}, {3, 4}};",
                         log);
  ASSERT_TRUE(program) << log.error;
  const Program& p = **program;
  auto word = [&](const char* name, size_t at) {
    uint32_t value = 0;
    const auto& bytes = p.find_variable(name)->initial;
    std::memcpy(&value, bytes.data() + at, std::min<size_t>(4, bytes.size() - at));
    return value;
  };
  EXPECT_EQ(p.find_variable("a")->bytes, 16u);
  EXPECT_EQ(word("a", 4), 0x10u);
  EXPECT_EQ(word("a", 8), 0xffff'ffffu);
  EXPECT_EQ(word("f", 0), 0x3fc0'0000u);
  EXPECT_EQ(word("d", 12), 0x4000'0000u);
  EXPECT_EQ(word("bytes", 0), 0xff0201u);
  EXPECT_EQ(word("m", 4), 0x0004'0003u);
  ASSERT_EQ(p.find_variable("p")->relocations.size(), 2u);
  EXPECT_EQ(p.find_variable("p")->relocations[0].addend, 8);
  EXPECT_EQ(p.find_variable("p")->relocations[1].symbol, "bytes");
  EXPECT_EQ(p.find_variable("f")->space, Space::kConstant);
}

TEST(PtxCompile, OneStatementDeclaresSeveralVariables) {
  JitLog log;
  auto program = compile(kHead +
                             ".global .v2 .u32 a, b[3], c<2>; .global .u32 d = 5, e = 6, f[2] = {7, 8};\n"
                             ".visible .entry k(.param .u64 p) {\n"
                             ".shared .f32 s, t[2]; .shared .align 16 .b8 u<3>; .local .u64 l<2>;\n"
                             ".reg .b64 %rd<3>; .reg .b32 %r<3>; mov.u32 %r1, t; mov.u32 %r1, u2; "
                             "st.local.u64 [l0], %rd1; ld.local.u64 %rd2, [l1]; ret; }",
                         log);
  ASSERT_TRUE(program) << log.error;
  const Program& p = **program;
  const std::pair<const char*, uint64_t> sizes[] = {{"a", 8}, {"b", 24}, {"c0", 8}, {"c1", 8},
                                                    {"d", 4}, {"e", 4},  {"f", 8}};
  for (const auto& [name, bytes] : sizes) {
    ASSERT_NE(p.find_variable(name), nullptr) << name;
    EXPECT_EQ(p.find_variable(name)->bytes, bytes) << name;
  }
  EXPECT_EQ(p.find_variable("b")->align, 8u);
  EXPECT_EQ(p.find_variable("e")->initial[0], std::byte{6});
  EXPECT_EQ(p.find_variable("f")->initial[4], std::byte{8});
  EXPECT_EQ(p.find_variable("c"), nullptr);
  EXPECT_EQ(p.find_variable("c2"), nullptr);
  EXPECT_EQ(p.find_kernel("k")->static_shared_bytes, 17u);  // t's eight bytes, and u2 at 16
  EXPECT_EQ(p.find_kernel("k")->local_bytes, 16u);
}

// As GCC's compiler for nvptx passes arguments.
TEST(PtxCompile, NumberedParameters) {
  const std::string callee =
      ".func f(.param .u64 a, .param .u64 b) { .reg .u64 %rd<2>; ld.param.u64 %rd0, [b]; ret; }\n";
  EXPECT_EQ(
      error_of(kHead + callee +
               ".entry k() { .reg .u64 %R<2>; mov.u64 %R0, 1; { .param .u64 %P<2>; st.param.u64 [%P0], %R0; "
               "st.param.u64 [%P1], %R0; call.uni f, (%P0, %P1); } ret; }"),
      "");
  EXPECT_EQ(kernel_error(".reg .u64 %R0; { .param .u64 %P<2>; } ld.param.u64 %R0, [%P0];"),
            "ptx 6:57: error: '%P0' is not declared");
  EXPECT_EQ(
      kernel_error(".param .u64 %P<2>; .param .u64 %P<65535>;"),
      "ptx 6:35: error: expected a number of variables up to 65534 (a text may have 65536 of this kind), "
      "found '65535'");
}

TEST(PtxLink, TextsSeeOneAnother) {
  std::string one = kHead +
                    ".extern .func (.param .b32 r) f(.param .b32 x); .extern .global .u32 g;\n"
                    ".visible .entry k(.param .u64 p) { .reg .b32 %r<3>; mov.u32 %r1, 1; { .param .b32 a; "
                    "st.param.b32 [a], %r1; .param .b32 r; call (r), f, (a); ld.param.b32 %r2, [r]; } "
                    "ld.global.u32 %r1, [g]; ret; }";
  std::string two = kHead +
                    ".visible .global .u32 g = 7; .visible .func (.param .b32 r) f(.param .b32 x) { .reg "
                    ".b32 %r<2>; ld.param.b32 %r1, [x]; st.param.b32 [r], %r1; ret; }";
  JitLog log;
  std::string_view both[] = {one, two};
  EXPECT_TRUE(compile(std::span<const std::string_view>(both), log)) << log.error;
  auto alone = compile(one, log);
  ASSERT_FALSE(alone);
  EXPECT_EQ(alone.error().kind, ErrorKind::kNotFound);
  std::string_view twice[] = {two, two};
  auto doubled = compile(std::span<const std::string_view>(twice), log);
  ASSERT_FALSE(doubled);
  EXPECT_NE(doubled.error().message.find("ptx#2"), std::string::npos) << doubled.error().message;
}

TEST(PtxCompile, RowsAreSharedOverTime) {
  std::string body =
      ".reg .b32 %r<2000>; .reg .b64 %rd<2>; ld.param.u64 %rd1, [p]; ld.global.u32 %r0, [%rd1];\n";
  for (int i = 1; i < 2000; ++i)
    body += "add.u32 %r" + std::to_string(i) + ", %r" + std::to_string(i - 1) + ", 1;\n";
  body += "st.global.u32 [%rd1], %r1999;";
  JitLog log;
  auto program = compile(kHead + ".entry k(.param .u64 p) {" + body + "}", log);
  ASSERT_TRUE(program) << log.error;
  EXPECT_LE((*program)->find_kernel("k")->registers, 4u);
}

// Damaged copies of a real text: any answer is right except a crash.
TEST(PtxCompile, DamagedTextsNeverCrash) {
  std::string text = kHead +
                     ".visible .entry k(.param .u64 p)\n{ .reg .pred %p<2>; .reg .b32 %r<4>; .reg .b64 "
                     "%rd<2>; ld.param.u64 %rd1, [p]; L: add.s32 %r1, %r2, 0x7; setp.lt.s32 %p1, %r1, 5;\n"
                     "@%p1 bra L; st.global.v2.u32 [%rd1+8], {%r1, %r2}; bar.sync 0; ret; }\n.global .u32 "
                     "x[3] = {1, 2, 3};\n";
  uint64_t random = 88172645463325252ull;
  auto next = [&] {
    random ^= random << 13, random ^= random >> 7, random ^= random << 17;
    return random;
  };
  for (int i = 0; i < 3000; ++i) {
    std::string damaged = text;
    for (uint64_t n = next() % 4 + 1; n > 0 && !damaged.empty(); --n) {
      size_t at = next() % damaged.size();
      switch (next() % 4) {
        case 0: damaged[at] = static_cast<char>(next()); break;
        case 1: damaged.erase(at, next() % 8 + 1); break;
        case 2: damaged.insert(at, damaged.substr(next() % damaged.size(), next() % 16)); break;
        default: damaged.resize(at + 1); break;
      }
    }
    JitLog log;
    auto program = compile(damaged, log);
    EXPECT_EQ(!program, !log.error.empty());
  }
}

}  // namespace
}  // namespace outboard::softgpu::ptx
