// Whole kernels as nvcc compiles them (tests/softgpu/kernels).
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "tests/softgpu/exec/kernel_fixture.h"

namespace outboard::softgpu::exec {
namespace {

using KernelsTest = KernelFixture;

TEST_P(KernelsTest, VectorAdd) {
  constexpr int kCount = 50'003;  // the last block is partial, and so is its last warp
  std::vector<float> a(kCount), b(kCount);
  for (int i = 0; i < kCount; ++i) {
    a[i] = static_cast<float>(i) * 0.5f;
    b[i] = 7.0f - static_cast<float>(i);
  }
  uint64_t da = device_.upload(a), db = device_.upload(b), dc = device_.allocate(kCount * sizeof(float));
  LaunchResult result =
      launch("vec_add", {(kCount + 255) / 256}, {256}, Params().add(da).add(db).add(dc).add(kCount));
  ASSERT_TRUE(result.ok()) << result.message;
  std::vector<float> c = device_.download<float>(dc, kCount);
  for (int i = 0; i < kCount; ++i) ASSERT_EQ(c[i], a[i] + b[i]) << i;
}

void check_product(const std::vector<float>& a, const std::vector<float>& b, const std::vector<float>& c,
                   int n) {
  for (int row = 0; row < n; ++row) {
    for (int column = 0; column < n; ++column) {
      float sum = 0;
      for (int k = 0; k < n; ++k) sum = std::fma(a[row * n + k], b[k * n + column], sum);
      ASSERT_EQ(c[row * n + column], sum) << row << "," << column;
    }
  }
}

TEST_P(KernelsTest, MatrixMultiply) {
  constexpr int kSize = 96;
  std::vector<float> a(kSize * kSize), b(kSize * kSize);
  for (size_t i = 0; i < a.size(); ++i) {
    a[i] = static_cast<float>(i % 17) * 0.25f - 1;
    b[i] = static_cast<float>(i % 23) * 0.125f - 1;
  }
  uint64_t da = device_.upload(a), db = device_.upload(b), dc = device_.allocate(a.size() * sizeof(float));
  for (uint32_t tile : {16u, 32u}) {
    LaunchResult result = launch(tile == 16 ? "matmul16" : "matmul32", {kSize / tile, kSize / tile},
                                 {tile, tile}, Params().add(dc).add(da).add(db).add(kSize).add(kSize));
    ASSERT_TRUE(result.ok()) << result.message;
    check_product(a, b, device_.download<float>(dc, a.size()), kSize);
  }
}

TEST_P(KernelsTest, ReductionWithShuffles) {
  std::vector<int> values(100'000);
  std::iota(values.begin(), values.end(), -5000);
  uint64_t in = device_.upload(values), out = device_.allocate(4);
  LaunchResult result =
      launch("reduce_sum", {7}, {256}, Params().add(in).add(out).add(static_cast<int>(values.size())), 8 * 4);
  ASSERT_TRUE(result.ok()) << result.message;
  EXPECT_EQ(device_.download<int>(out, 1)[0],
            static_cast<int>(std::accumulate(values.begin(), values.end(), int64_t{0})));
}

TEST_P(KernelsTest, HistogramWithAtomics) {
  std::vector<unsigned char> values(77'777);
  std::vector<unsigned> expected(256);
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<unsigned char>(i * i >> 3);
    ++expected[values[i]];
  }
  uint64_t in = device_.upload(values), bins = device_.allocate(256 * 4);
  LaunchResult result =
      launch("histogram", {13}, {192}, Params().add(in).add(bins).add(static_cast<int>(values.size())));
  ASSERT_TRUE(result.ok()) << result.message;
  EXPECT_EQ(device_.download<unsigned>(bins, 256), expected);
}

// Lanes of one warp wait for one another, which lockstep execution would never end.
TEST_P(KernelsTest, SpinLockBetweenLanesEnds) {
  uint64_t counter = device_.allocate(4);
  LaunchResult result = launch("spin_lock", {4}, {96}, Params().add(counter));
  ASSERT_TRUE(result.ok()) << result.message;
  EXPECT_EQ(device_.download<int>(counter, 1)[0], 4 * 96);
}

TEST_P(KernelsTest, PrintfReachesTheDevice) {
  LaunchResult result = launch("print_it", {1}, {2}, Params().add(42));
  ASSERT_TRUE(result.ok()) << result.message;
  EXPECT_EQ(device_.output, "hello 42 w 1.500000\nhello 42 w 1.500000\n");
}

TEST_P(KernelsTest, IllegalAddressIsReportedWithItsPlace) {
  uint64_t a = device_.allocate(64 * 4);
  LaunchResult result = launch("vec_add", {1}, {64}, Params().add(a).add(a).add(uint64_t{0x1000}).add(64));
  EXPECT_EQ(result.code, 700);
  EXPECT_NE(result.message.find("kernel vec_add, block (0,0,0), thread (0,0,0)"), std::string::npos)
      << result.message;
  EXPECT_NE(result.message.find("0x1000"), std::string::npos) << result.message;
}

TEST_P(KernelsTest, AccessBehindAnAllocationIsIllegal) {
  uint64_t a = device_.allocate(64 * 4);
  LaunchResult result = launch("vec_add", {1}, {96}, Params().add(a).add(a).add(a).add(65));
  EXPECT_EQ(result.code, 700);
  EXPECT_NE(result.message.find("thread (64,0,0)"), std::string::npos) << result.message;
}

TEST_P(KernelsTest, MisalignedAddressIsReported) {
  uint64_t a = device_.allocate(64 * 4 + 4);
  LaunchResult result = launch("vec_add", {1}, {64}, Params().add(a + 2).add(a).add(a).add(64));
  EXPECT_EQ(result.code, 716) << result.message;
}

TEST_P(KernelsTest, AccessThatWrapsAroundTheAddressSpaceIsIllegal) {
  uint64_t a = device_.allocate(64 * 4);
  for (uint32_t threads : {1u, 32u}) {
    const uint64_t last = ~uint64_t{0} - (4 * threads - 1);  // the access ends at 2^64
    LaunchResult result = launch("vec_add", {1}, {threads}, Params().add(last).add(a).add(a).add(64));
    EXPECT_EQ(result.code, 700) << result.message;
  }
}

INSTANTIATE_TEST_SUITE_P(Files, KernelsTest,
                         testing::Values(KernelFile{"basics_sm75.ptx", Isa::kAvx2},
                                         KernelFile{"basics_sm75.ptx", Isa::kAvx512},
                                         KernelFile{"basics_sm75.ptx", Isa::kAvx512, true},
                                         KernelFile{"basics_sm90.ptx", Isa::kAvx2},
                                         KernelFile{"basics_sm90.ptx", Isa::kAvx512},
                                         KernelFile{"basics_sm90.ptx", Isa::kAvx512, true}),
                         kernel_file_name);

}  // namespace
}  // namespace outboard::softgpu::exec
