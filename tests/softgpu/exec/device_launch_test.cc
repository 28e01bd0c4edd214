// Kernels that launch kernels, through the system calls that the device runtime's PTX makes.
#include <gtest/gtest.h>

#include <regex>

#include "server/softgpu/exec/device_launch.h"
#include "tests/softgpu/exec/test_device.h"

namespace outboard::softgpu::exec {
namespace {

// launch(kernel, threads, stream) as a macro would be: the parameters are one address and one word.
std::string launch_code(const std::string& kernel, int threads, int stream, const char* word) {
  return "{ .param .b64 f; st.param.b64 [f], " + kernel +
         ";\n  .param .align 4 .b8 g[12]; st.param.b32 [g], 1; st.param.b32 [g+4], 1; st.param.b32 [g+8], "
         "1;\n"
         "  .param .align 4 .b8 b[12]; st.param.b32 [b], " +
         std::to_string(threads) +
         "; st.param.b32 [b+4], 1; st.param.b32 [b+8], 1;\n"
         "  .param .b32 s; st.param.b32 [s], 0;\n  .param .b64 r;\n"
         "  call.uni (r), __cuda_syscall_cnpv2GetParameterBufferV2, (f, g, b, s);\n"
         "  ld.param.b64 %buffer, [r]; }\n"
         "  st.u64 [%buffer], %out; st.u32 [%buffer+8], " +
         word + ";\n{ .param .b64 p; st.param.b64 [p], %buffer; .param .b64 t; st.param.b64 [t], " +
         std::to_string(stream) +
         ";\n  .param .b32 r; call.uni (r), __cuda_syscall_cnpv2LaunchDeviceV2, (p, t); ld.param.b32 "
         "%result, [r]; }\n";
}

std::string kernel(const std::string& name, const std::string& body) {
  return ".visible .entry " + name +
         "(.param .u64 out, .param .u32 word) {\n"
         ".reg .b64 %out, %buffer, %at, %function; .reg .b32 %word, %n, %result; .reg .pred %p;\n"
         "ld.param.u64 %out, [out]; ld.param.u32 %word, [word];\n" +
         body + "ret; }\n";
}

// Appends a word to the list at %out, whose first word is its length.
std::string append(const std::string& word) {
  return "atom.add.u32 %n, [%out], 1; mul.wide.u32 %at, %n, 4; add.u64 %at, %at, %out; st.u32 [%at+4], " +
         word + ";\n";
}

std::string program() {
  const std::string externs =
      ".extern .func (.param .b64 r) __cuda_syscall_cnpv2GetParameterBufferV2(.param .b64 f, .param .align 4 "
      ".b8 g[12], "
      ".param .align 4 .b8 b[12], .param .b32 s);\n"
      ".extern .func (.param .b32 r) __cuda_syscall_cnpv2LaunchDeviceV2(.param .b64 p, .param .b64 t);\n"
      ".extern .func (.param .b32 r) __cuda_syscall_cnpv2GetLastError();\n"
      ".extern .func (.param .b32 r) __cuda_syscall_cnpv2SetLastError(.param .b32 e);\n"
      ".extern .func (.param .b32 r) __cuda_syscall_cnpv2StreamCreate(.param .b64 s, .param .b32 f);\n";
  return ".version 8.0\n.target sm_90\n.address_size 64\n" + externs + kernel("note", append("%word")) +
         kernel("fail", "trap;\n") +
         // Every thread counts itself at its level and launches two below it.
         kernel(
             "tree",
             "mul.wide.u32 %at, %word, 4; add.u64 %at, %at, %out; atom.add.u32 %n, [%at], 1;\n"
             "setp.ge.u32 %p, %word, 3; @%p bra DONE; add.u32 %word, %word, 1; mov.u64 %function, tree;\n" +
                 launch_code("%function", 2, 0, "%word") + "DONE:\n") +
         kernel("order", "mov.u64 %function, note;\n" + launch_code("%function", 1, 3, "90") +
                             launch_code("%function", 1, 0, "1") + launch_code("%function", 1, 4, "2") +
                             append("7")) +
         kernel("chain", "add.u32 %word, %word, 1; mov.u64 %function, chain; st.u32 [%out], %word;\n" +
                             launch_code("%function", 1, 0, "%word")) +
         kernel("broken_child", "mov.u64 %function, fail;\n" + launch_code("%function", 1, 0, "0")) +
         kernel(
             "mistakes",
             "{ .param .b64 p; st.param.b64 [p], %out; .param .b64 t; st.param.b64 [t], 0; .param .b32 r;\n"
             "  call.uni (r), __cuda_syscall_cnpv2LaunchDeviceV2, (p, t); ld.param.b32 %result, [r]; }\n"
             "st.u32 [%out], %result;\n"
             "{ .param .b32 e; st.param.b32 [e], 77; .param .b32 r;\n"
             "  call.uni (r), __cuda_syscall_cnpv2SetLastError, (e); ld.param.b32 %result, [r]; }\n"
             "st.u32 [%out+4], %result;\n"
             "{ .param .b32 r; call.uni (r), __cuda_syscall_cnpv2GetLastError, (); ld.param.b32 %result, "
             "[r]; }\n"
             "st.u32 [%out+8], %result;\n"
             "{ .param .b32 r; call.uni (r), __cuda_syscall_cnpv2GetLastError, (); ld.param.b32 %result, "
             "[r]; }\n"
             "st.u32 [%out+12], %result;\n"
             "{ .param .b64 s; st.param.b64 [s], %out; .param .b32 f; st.param.b32 [f], 1; .param .b32 r;\n"
             "  add.u64 %at, %out, 16; st.param.b64 [s], %at;\n"
             "  call.uni (r), __cuda_syscall_cnpv2StreamCreate, (s, f); ld.param.b32 %result, [r]; }\n");
}

// Its parameter is how the names of the system calls begin.
class DeviceLaunch : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    ptx::JitLog log;
    const std::string text = std::regex_replace(program(), std::regex("__cuda_syscall_cnpv2"), GetParam());
    auto compiled = ptx::compile(text, log, ptx::CompileOptions());
    ASSERT_TRUE(compiled) << log.error;
    auto loaded = instantiate(*compiled, [&](const ptx::Variable& variable) -> Result<uint64_t> {
      return device_.allocate(variable.bytes);
    });
    ASSERT_TRUE(loaded) << loaded.error().message;
    module_ = *loaded;
    out_ = device_.upload(std::vector<uint32_t>(64));
  }
  LaunchResult launch(const char* name, uint32_t threads) {
    LaunchRequest request;
    request.module = module_.get();
    request.kernel = module_->program().find_kernel(name);
    request.block = {threads};
    request.params = Params().add(out_).add(uint32_t{0}).take();
    return run(request, device_);
  }
  std::vector<uint32_t> out() { return device_.download<uint32_t>(out_, 64); }

  TestDevice device_;
  std::shared_ptr<const LoadedModule> module_;
  uint64_t out_ = 0;
};

TEST_P(DeviceLaunch, ChildrenLaunchChildren) {
  const LaunchResult result = launch("tree", 2);
  ASSERT_TRUE(result.ok()) << result.message;
  const std::vector<uint32_t> counts = out();
  for (uint32_t level = 0; level < 4; ++level) EXPECT_EQ(counts[level], 2u << level);
}

TEST_P(DeviceLaunch, ChildrenRunInOrderAndTailLaunchesLast) {
  const LaunchResult result = launch("order", 1);
  ASSERT_TRUE(result.ok()) << result.message;
  const std::vector<uint32_t> list = out();
  EXPECT_EQ(std::vector<uint32_t>(list.begin(), list.begin() + 5), (std::vector<uint32_t>{4, 7, 1, 2, 90}));
}

// No buffer is given beyond the deepest level, so the last grid's store goes to address 0.
TEST_P(DeviceLaunch, DepthIsLimited) {
  EXPECT_EQ(launch("chain", 1).code, 700);
  EXPECT_EQ(out()[0], kMaxLaunchDepth + 1);
}

TEST_P(DeviceLaunch, AChildsFailureIsTheLaunchs) {
  const LaunchResult result = launch("broken_child", 1);
  EXPECT_FALSE(result.ok());
  EXPECT_NE(result.message.find("kernel fail"), std::string::npos) << result.message;
}

TEST_P(DeviceLaunch, MistakesAndNames) {
  const LaunchResult result = launch("mistakes", 1);
  ASSERT_TRUE(result.ok()) << result.message;
  const std::vector<uint32_t> got = out();
  EXPECT_EQ(got[0], 1u) << "launched without a parameter buffer";
  EXPECT_EQ(got[1], 77u);
  EXPECT_EQ(got[2], 77u);
  EXPECT_EQ(got[3], 0u) << "an error is told once";
  EXPECT_GT(got[4], 4u) << "a stream's name is none of the special ones";
}

INSTANTIATE_TEST_SUITE_P(BothRuntimes, DeviceLaunch, testing::Values("__cuda_syscall_cnpv2", "cnp"));

}  // namespace
}  // namespace outboard::softgpu::exec
