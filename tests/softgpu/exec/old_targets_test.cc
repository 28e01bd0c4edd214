// PTX of CUDA 4 and before, which NVIDIA's driver still compiles for new devices: it does not say how wide
// addresses are, and its arithmetic flushes subnormal numbers.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/softgpu/exec/test_device.h"

namespace outboard::softgpu::exec {
namespace {

std::string text(const std::string& target, const std::string& body) {
  return ".version 1.4\n.target " + target +
         "\n.entry k (.param .u64 in, .param .u64 out)\n{\n.reg .u64 %rd<4>;\n.reg .u32 %r<4>;\n.reg .f32 "
         "%f<8>;\n"
         ".reg .f64 %d<4>;\n.reg .pred %p<2>;\n"
         "ld.param.u64 %rd1, [in];\nld.param.u64 %rd2, [out];\n"
         "ld.global.f32 %f1, [%rd1+0];\nld.global.f32 %f2, [%rd1+4];\nld.global.f32 %f3, [%rd1+8];\n" +
         body + "st.global.f32 [%rd2+0], %f4;\nexit;\n}\n";
}

class OldTargets : public testing::Test {
 protected:
  // What the kernel makes of three numbers.
  float run_on(const std::string& target, const std::string& body, float a, float b, float c) {
    ptx::JitLog log;
    auto compiled = ptx::compile(text(target, body), log, ptx::CompileOptions());
    EXPECT_TRUE(compiled) << log.error;
    if (!compiled) return NAN;
    auto loaded = instantiate(*compiled, [&](const ptx::Variable& variable) -> Result<uint64_t> {
      return device_.allocate(variable.bytes);
    });
    const uint64_t in = device_.upload(std::vector<float>{a, b, c}),
                   out = device_.upload(std::vector<float>(1));
    LaunchRequest request;
    request.module = loaded->get();
    request.kernel = (*loaded)->program().find_kernel("k");
    request.params = Params().add(in).add(out).take();
    const LaunchResult result = run(request, device_);
    EXPECT_TRUE(result.ok()) << result.message;
    return device_.download<float>(out, 1)[0];
  }
  // Why a text of its own is refused; empty if it is not.
  static std::string refusal(const std::string& whole) {
    ptx::JitLog log;
    ptx::CompileOptions options;
    options.refuse_module = true;
    const auto compiled = ptx::compile(whole, log, options);
    return compiled ? "" : compiled.error().message;
  }

  TestDevice device_;
};

constexpr float kTiny = std::numeric_limits<float>::denorm_min();
constexpr float kSmallest = std::numeric_limits<float>::min();

TEST_F(OldTargets, MadIsFused) {
  // The square is 1 + 2^-11 + 2^-24, of which a rounded product loses the last bit.
  const float a = 1 + 0x1p-12f;
  EXPECT_EQ(run_on("sm_10, map_f64_to_f32", "mad.f32 %f4, %f1, %f2, %f3;\n", a, a, -(1 + 0x1p-11f)),
            0x1p-24f);
  EXPECT_EQ(run_on("sm_13", "mad.sat.f32 %f4, %f1, %f2, %f3;\n", 3, 2, 1), 1.0f);
  EXPECT_EQ(run_on("sm_10", "mad.f32 %f4, %f1, %f2, %f3;\n", kTiny, 1e30f, 2), 2.0f);  // kTiny counts as zero
}

TEST_F(OldTargets, SubnormalNumbersAreZero) {
  const struct {
    const char* body;
    float a, b, flushed, kept;
  } cases[] = {
      {"add.f32 %f4, %f1, %f2;\n", kTiny, kTiny, 0, 2 * kTiny},
      {"sub.f32 %f4, %f1, %f2;\n", 1.5f * kSmallest, kSmallest, 0, 0.5f * kSmallest},
      {"mul.f32 %f4, %f1, %f2;\n", kSmallest, 0.5f, 0, 0.5f * kSmallest},
      {"max.f32 %f4, %f1, %f2;\n", kTiny, -1, 0, kTiny},
      {"neg.f32 %f4, %f1;\n", -kTiny, 0, 0, kTiny},
      {"cvt.f32.f32 %f4, %f1;\n", kTiny, 0, 0, kTiny},
      {"mov.f32 %f4, %f1;\n", kTiny, 0, kTiny, kTiny},  // no arithmetic
      {"setp.gt.f32 %p1, %f1, %f2;\nselp.f32 %f4, 0f3f800000, 0f40000000, %p1;\n", kTiny, 0, 2, 1},
  };
  for (const auto& one : cases) {
    EXPECT_EQ(run_on("sm_10", one.body, one.a, one.b, 0), one.flushed) << one.body;
    EXPECT_EQ(run_on("sm_20", one.body, one.a, one.b, 0), one.kept) << one.body;
  }
}

TEST_F(OldTargets, WhatWouldMeanSomethingElseIsRefused) {
  EXPECT_EQ(refusal(text("sm_13", "add.f64 %d1, %d2, %d3;\ncvt.rn.f32.f64 %f4, %d1;\n")), "");
  EXPECT_NE(refusal(text("sm_10, map_f64_to_f32", "add.f64 %d1, %d2, %d3;\ncvt.rn.f32.f64 %f4, %d1;\n")), "");
  // Compiled for a host of 32 bits, although it does not say so.
  EXPECT_NE(refusal(".version 1.4\n.target sm_10\n.entry k (.param .u32 p)\n{\n.reg .u32 %r<3>;\n"
                    "ld.param.u32 %r1, [p];\nst.global.u32 [%r1+0], %r1;\nexit;\n}\n"),
            "");
  EXPECT_NE(refusal(".version 2.3\n.target sm_20\n.address_size 32\n.entry k ()\n{\nexit;\n}\n"), "");
}

}  // namespace
}  // namespace outboard::softgpu::exec
