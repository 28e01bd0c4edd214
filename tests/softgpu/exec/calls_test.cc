// Calls, and threads that wait for one another (tests/softgpu/kernels/calls.cu).
#include <gtest/gtest.h>

#include <bit>
#include <chrono>
#include <numeric>
#include <thread>

#include "tests/softgpu/exec/kernel_fixture.h"

namespace outboard::softgpu::exec {
namespace {

class CallsTest : public KernelFixture {
 protected:
  // 32 threads with inputs 0..31 modulo `most`.
  std::vector<int> map(const char* kernel, int most) {
    inputs_.resize(32);
    for (int i = 0; i < 32; ++i) inputs_[static_cast<size_t>(i)] = i % most;
    uint64_t in = device_.upload(inputs_), out = device_.allocate(32 * 8);
    LaunchResult result = launch(kernel, {1}, {32}, Params().add(in).add(out));
    EXPECT_TRUE(result.ok()) << result.message;
    return device_.download<int>(out, 32);
  }
  std::vector<int> inputs_;
};

TEST_P(CallsTest, StructuresByValue) {
  std::vector<int> in(32);
  std::iota(in.begin(), in.end(), -7);
  uint64_t din = device_.upload(in), dout = device_.allocate(32 * 8);
  LaunchResult result = launch("call_direct", {1}, {32}, Params().add(din).add(dout));
  ASSERT_TRUE(result.ok()) << result.message;
  std::vector<double> out = device_.download<double>(dout, 32);
  for (int i = 0; i < 32; ++i) {
    int x = in[static_cast<size_t>(i)];
    int a = x + 1;
    long long b = 10LL * x;
    double c = 0.5 + x;
    if (i & 1) a = 3 + a, b = b * 3, c = c + 3;
    EXPECT_EQ(out[static_cast<size_t>(i)], static_cast<double>(a + b) + c);
  }
}

TEST_P(CallsTest, Recursion) {
  std::vector<int> out = map("call_recursive", 13);
  const int fibonacci[] = {0, 1, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89, 144};
  for (size_t i = 0; i < 32; ++i) EXPECT_EQ(out[i], fibonacci[inputs_[i]]) << i;
}

TEST_P(CallsTest, MutualRecursion) {
  std::vector<int> out = map("call_mutual", 23);
  for (size_t i = 0; i < 32; ++i) EXPECT_EQ(out[i], inputs_[i] % 2 == 0) << i;
}

TEST_P(CallsTest, PointersToFunctions) {
  std::vector<int> out = map("call_indirect", 32);
  for (int i = 0; i < 32; ++i)
    EXPECT_EQ(out[static_cast<size_t>(i)], i % 3 == 0 ? 2 * i : i % 3 == 1 ? i * i : -i);
}

TEST_P(CallsTest, VirtualFunctions) {
  std::vector<int> out = map("call_virtual", 32);
  for (int i = 0; i < 32; ++i) EXPECT_EQ(out[static_cast<size_t>(i)], i % 2 ? i * i : i);
}

TEST_P(CallsTest, LocalArrays) {
  std::vector<int> out = map("local_array", 32);
  for (int x = 0; x < 32; ++x) {
    int sum = 0;
    for (int i = 0; i < 16; ++i) sum += (x * ((x + i * 7) & 15)) << (i & 3);
    EXPECT_EQ(out[static_cast<size_t>(x)], sum);
  }
}

TEST_P(CallsTest, SwitchTable) {
  std::vector<int> out = map("switch_table", 9);
  for (size_t i = 0; i < 32; ++i) {
    int x = inputs_[i];
    const int expected[] = {17, 31, -3, std::popcount(231u), 4 ^ 1234, ~5, 48, -1, -1};
    EXPECT_EQ(out[i], expected[x]) << x;
  }
}

TEST_P(CallsTest, Heap) {
  uint64_t out = device_.allocate(32 * 4);
  LaunchResult result = launch("heap_use", {1}, {32}, Params().add(out));
  ASSERT_TRUE(result.ok()) << result.message;
  std::vector<int> sums = device_.download<int>(out, 32);
  for (int i = 0; i < 32; ++i) EXPECT_EQ(sums[static_cast<size_t>(i)], 120 + 16 * i);
}

TEST_P(CallsTest, FailedAssertionIsReported) {
  LaunchResult result = launch("assertion", {1}, {64}, Params().add(40));
  EXPECT_EQ(result.code, 710);
  EXPECT_NE(result.message.find("threadIdx.x != n"), std::string::npos) << result.message;
  EXPECT_NE(device_.output.find("thread: [40,0,0] Assertion `threadIdx.x != n` failed."), std::string::npos)
      << device_.output;
}

TEST_P(CallsTest, GridWaits) {
  constexpr int kBlocks = 37;
  uint64_t cells = device_.allocate(4 * kBlocks * 4);
  LaunchResult result = launch("grid_sync", {kBlocks}, {64}, Params().add(cells), 0, true);
  ASSERT_TRUE(result.ok()) << result.message;
  for (int value : device_.download<int>(cells + 3 * kBlocks * 4, kBlocks)) EXPECT_EQ(value, 3);
}

TEST_P(CallsTest, NamedBarriers) {
  uint64_t out = device_.allocate(10 * 4);
  LaunchResult result = launch("named_barriers", {1}, {64}, Params().add(out));
  ASSERT_TRUE(result.ok()) << result.message;
  std::vector<int> squares = device_.download<int>(out, 10);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(squares[static_cast<size_t>(i)], i * i);
}

TEST_P(CallsTest, BlocksWaitForEarlierBlocks) {
  constexpr int kBlocks = 200;
  uint64_t flags = device_.allocate(kBlocks * 4), out = device_.allocate(kBlocks * 4);
  LaunchResult result = launch("look_back", {kBlocks}, {32}, Params().add(flags).add(out));
  ASSERT_TRUE(result.ok()) << result.message;
  std::vector<int> sums = device_.download<int>(out, kBlocks);
  for (int i = 0; i < kBlocks; ++i) EXPECT_EQ(sums[static_cast<size_t>(i)], i * (i + 1) / 2);
}

TEST_P(CallsTest, BarrierReductions) {
  std::vector<int> in(96);
  std::iota(in.begin(), in.end(), 0);
  uint64_t din = device_.upload(in), out = device_.allocate(96 * 4);
  LaunchResult result = launch("count_votes", {1}, {96}, Params().add(din).add(out));
  ASSERT_TRUE(result.ok()) << result.message;
  for (int value : device_.download<int>(out, 96)) EXPECT_EQ(value, 90 * 100 + 10 + 1);
}

TEST_P(CallsTest, EndlessKernelsCanBeStopped) {
  uint64_t flags = device_.allocate(8 * 4), out = device_.allocate(8 * 4);
  device_.interrupt = true;
  LaunchResult result = launch("look_back", {8}, {32}, Params().add(flags).add(out));
  EXPECT_EQ(result.code, 702) << result.message;
}

// A kernel that never ends, on a device of its own.
struct EndlessKernel {
  explicit EndlessKernel(decltype(ptx::CompileOptions::tier) tier = nullptr) {
    ptx::JitLog log;
    ptx::CompileOptions options;
    options.tier = tier;
    auto compiled =
        ptx::compile(".version 8.0\n.target sm_90\n.address_size 64\n.entry k() { L: bra L; }", log, options);
    EXPECT_TRUE(compiled) << log.error;
    if (!compiled) return;
    auto loaded =
        instantiate(*compiled, [](const ptx::Variable&) -> Result<uint64_t> { return uint64_t{0}; });
    EXPECT_TRUE(loaded);
    if (!loaded) return;
    module = *loaded;
    request.module = module.get();
    request.kernel = module->program().find_kernel("k");
  }
  TestDevice device;
  std::shared_ptr<const LoadedModule> module;
  LaunchRequest request;
};

TEST(Interruption, EndsLoopsThatWaitForNothing) {
  EndlessKernel endless;
  ASSERT_NE(endless.module, nullptr);
  endless.request.grid = {5};
  std::thread stopper([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(30));
    endless.device.interrupt = true;
  });
  LaunchResult result = run(endless.request, endless.device);
  stopper.join();
  EXPECT_EQ(result.code, 702) << result.message;
}

TEST(Interruption, EndsLaunchesWhoseTimeIsUp) {
  // In either tier.
  for (auto tier : {decltype(ptx::CompileOptions::tier){nullptr}, &jit::make_eager_tier}) {
    EndlessKernel endless(tier);
    ASSERT_NE(endless.module, nullptr);
    endless.request.block = {64};
    endless.request.time_limit_ns = 20'000'000;
    const LaunchResult result = run(endless.request, endless.device);
    EXPECT_EQ(result.code, 702);
    EXPECT_NE(result.message.find("kernel k was stopped"), std::string::npos) << result.message;
  }
}

TEST_P(CallsTest, LaunchLimitsAreChecked) {
  uint64_t out = device_.allocate(4096);
  EXPECT_EQ(launch("heap_use", {1}, {1025}, Params().add(out)).code, 1);
  EXPECT_EQ(launch("heap_use", {0}, {1}, Params().add(out)).code, 1);
  EXPECT_EQ(launch("heap_use", {1, 70'000}, {1}, Params().add(out)).code, 1);
  EXPECT_EQ(launch("heap_use", {1}, {1}, Params().add(out), kMaxSharedBytesPerBlock + 1).code, 1);
}

INSTANTIATE_TEST_SUITE_P(Files, CallsTest,
                         testing::Values(KernelFile{"calls_sm75.ptx", Isa::kAvx2},
                                         KernelFile{"calls_sm75.ptx", Isa::kAvx512},
                                         KernelFile{"calls_sm75.ptx", Isa::kAvx512, true},
                                         KernelFile{"calls_sm90.ptx", Isa::kAvx2},
                                         KernelFile{"calls_sm90.ptx", Isa::kAvx512},
                                         KernelFile{"calls_sm90.ptx", Isa::kAvx512, true}),
                         kernel_file_name);

}  // namespace
}  // namespace outboard::softgpu::exec
