#include "protocol/abi/launch_parts.h"

#include <gtest/gtest.h>

#include <array>
#include <climits>

namespace outboard::abi {
namespace {

TEST(LaunchParts, NothingIsLaunchedBeforeTheBlockHasAShape) {
  LaunchParts parts;
  AssembledLaunch launch;
  EXPECT_EQ(parts.assemble(&launch), CUDA_ERROR_INVALID_VALUE);
  for (const auto& [x, y, z] : {std::array{0, 1, 1}, std::array{1, -1, 1}, std::array{1, 1, INT_MIN}})
    EXPECT_EQ(parts.set_block(x, y, z), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(parts.assemble(&launch), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(parts.set_block(INT_MAX, 1, 2), CUDA_SUCCESS);  // the launch checks the device's limits
  ASSERT_EQ(parts.assemble(&launch), CUDA_SUCCESS);
  EXPECT_EQ(launch.block_x, static_cast<unsigned>(INT_MAX));
  EXPECT_EQ(launch.block_z, 2u);
  EXPECT_TRUE(launch.parameters.empty());
}

TEST(LaunchParts, ParametersStayUntilTheyAreSetAgain) {
  LaunchParts parts;
  ASSERT_EQ(parts.set_block(1, 1, 1), CUDA_SUCCESS);
  const uint32_t value = 0x04030201;
  ASSERT_EQ(parts.set_parameter(4, &value, 4), CUDA_SUCCESS);
  AssembledLaunch launch;
  ASSERT_EQ(parts.assemble(&launch), CUDA_SUCCESS);
  EXPECT_TRUE(launch.parameters.empty()) << "no size was set";
  ASSERT_EQ(parts.set_parameter_bytes(10), CUDA_SUCCESS);
  for (int round = 0; round < 2; ++round) {
    ASSERT_EQ(parts.assemble(&launch), CUDA_SUCCESS);
    const std::vector<std::byte> expected{{},           {},           {},           {}, std::byte{1},
                                          std::byte{2}, std::byte{3}, std::byte{4}, {}, {}};
    EXPECT_EQ(launch.parameters, expected);
  }
  ASSERT_EQ(parts.set_parameter_bytes(5), CUDA_SUCCESS);
  ASSERT_EQ(parts.assemble(&launch), CUDA_SUCCESS);
  EXPECT_EQ(launch.parameters.size(), 5u);
}

TEST(LaunchParts, ParametersHaveALimit) {
  LaunchParts parts;
  const std::vector<std::byte> much(LaunchParts::kMaxParameterBytes + 1);
  const auto limit = static_cast<unsigned>(LaunchParts::kMaxParameterBytes);
  EXPECT_EQ(parts.set_parameter(0, much.data(), limit), CUDA_SUCCESS);
  EXPECT_EQ(parts.set_parameter(0, much.data(), limit + 1), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(parts.set_parameter(1, much.data(), limit), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(parts.set_parameter(INT_MAX, much.data(), 4), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(parts.set_parameter(INT_MIN, much.data(), 4), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(parts.set_parameter(0, much.data(), UINT_MAX), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(parts.set_parameter(0, nullptr, 4), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(parts.set_parameter_bytes(limit), CUDA_SUCCESS);
  EXPECT_EQ(parts.set_parameter_bytes(limit + 1), CUDA_ERROR_INVALID_VALUE);
}

}  // namespace
}  // namespace outboard::abi
