// CTAs that wait for one another.
#include <gtest/gtest.h>

#include <chrono>

#include "tests/softgpu/exec/test_device.h"

namespace outboard::softgpu::exec {
namespace {

// Every CTA waits for its predecessor. The first one works for so long that the others are started meanwhile,
// by turns on the other threads.
constexpr const char* kChain = R"(
.version 8.0
.target sm_90
.address_size 64
.visible .entry chain(.param .u64 turn, .param .u32 work)
{
  .reg .b64 %p; .reg .b32 %r<6>; .reg .pred %q;
  ld.param.u64 %p, [turn];
  ld.param.u32 %r0, [work];
  mov.u32 %r1, %ctaid.x;
  setp.ne.u32 %q, %r1, 0;
  @%q bra WAIT;
WORK:
  sub.u32 %r0, %r0, 1;
  setp.ne.u32 %q, %r0, 0;
  @%q bra WORK;
WAIT:
  ld.acquire.gpu.global.u32 %r2, [%p];
  setp.ne.u32 %q, %r2, %r1;
  @%q bra WAIT;
  bar.sync 0;
  mov.u32 %r3, %tid.x;
  setp.ne.u32 %q, %r3, 0;
  @%q bra DONE;
  add.u32 %r4, %r1, 1;
  st.release.gpu.global.u32 [%p], %r4;
DONE:
  ret;
}
)";

// Seconds that the chain takes on so many threads.
double seconds_on(unsigned threads) {
  TestDevice device(threads);
  ptx::JitLog log;
  auto compiled = ptx::compile(kChain, log, ptx::CompileOptions());
  EXPECT_TRUE(compiled) << log.error;
  auto loaded = instantiate(*compiled, [&](const ptx::Variable& variable) -> Result<uint64_t> {
    return device.allocate(variable.bytes);
  });
  const uint64_t turn = device.upload(std::vector<uint32_t>(1));
  LaunchRequest request;
  request.module = loaded->get();
  request.kernel = (*loaded)->program().find_kernel("chain");
  request.grid = {4000};
  request.block = {128};
  request.params = Params().add(turn).add(uint32_t{16'000'000}).take();
  const auto begin = std::chrono::steady_clock::now();
  const LaunchResult result = run(request, device);
  EXPECT_TRUE(result.ok()) << result.message;
  EXPECT_EQ(device.download<uint32_t>(turn, 1)[0], 4000u);
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

// On one thread nobody ever waits. On several, those that wait must not take the time of those that work.
TEST(Waiting, AChainOfCtasIsNotMuchSlowerOnSeveralThreads) {
  const double alone = seconds_on(1);
  EXPECT_LT(seconds_on(3), 10 * alone);
}

}  // namespace
}  // namespace outboard::softgpu::exec
