#include "server/softgpu/device/shared_state.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

namespace outboard::softgpu {
namespace {

class SharedStateTest : public testing::Test {
 protected:
  SharedStateTest() {
    char name[] = "/tmp/softgpu-state-XXXXXX";
    folder_ = mkdtemp(name);
  }
  ~SharedStateTest() override { std::filesystem::remove_all(folder_); }

  // Runs `body` in a child that uses the device as another process, and gives its exit status.
  template <typename F>
  int in_child(F body) {
    const pid_t pid = fork();
    if (pid == 0) {
      const auto state = SharedState::open(folder_, 0);
      _exit(state->attach() && body(*state) ? 0 : 1);
    }
    int status = 0;
    waitpid(pid, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

  std::string folder_;
};

TEST_F(SharedStateTest, TheLimitHoldsOverAllProcesses) {
  const auto state = SharedState::open(folder_, 0);
  ASSERT_TRUE(state->shared());
  ASSERT_TRUE(state->attach());
  ASSERT_TRUE(state->reserve(700, 1000));
  EXPECT_EQ(in_child([](SharedState& other) {
              return other.used_bytes() == 700 && !other.reserve(301, 1000) && other.reserve(300, 1000);
            }),
            0);
}

TEST_F(SharedStateTest, WhatADeadProcessHeldIsFreeAgain) {
  const auto state = SharedState::open(folder_, 0);
  ASSERT_TRUE(state->attach());
  // _exit runs no destructor: the child leaves its place taken.
  EXPECT_EQ(in_child([](SharedState& other) { return other.reserve(900, 1000); }), 0);
  EXPECT_TRUE(state->reserve(1000, 1000));
  EXPECT_EQ(state->processes().size(), 1u);
}

TEST_F(SharedStateTest, ReleaseGivesBack) {
  const auto state = SharedState::open(folder_, 0);
  ASSERT_TRUE(state->attach());
  EXPECT_TRUE(state->reserve(600, 1000));
  EXPECT_FALSE(state->reserve(500, 1000));
  EXPECT_EQ(state->used_bytes(), 600u);
  state->release(600);
  EXPECT_TRUE(state->reserve(1000, 1000));
}

TEST_F(SharedStateTest, DevicesAreSeparate) {
  const auto first = SharedState::open(folder_, 0);
  const auto second = SharedState::open(folder_, 1);
  ASSERT_TRUE(first->attach() && second->attach());
  EXPECT_TRUE(first->reserve(1000, 1000));
  EXPECT_TRUE(second->reserve(1000, 1000));
}

TEST_F(SharedStateTest, UtilisationOfTheLastSecond) {
  constexpr uint64_t kSecond = 1'000'000'000;
  const auto state = SharedState::open(folder_, 0);
  const auto observer = SharedState::open(folder_, 0);
  ASSERT_TRUE(state->attach());
  const uint64_t start = 100 * kSecond;
  EXPECT_EQ(observer->utilisation_percent(start), 0u);
  state->begin_busy(start);
  EXPECT_NEAR(observer->utilisation_percent(start + kSecond / 2), 50, 1);  // still running
  state->end_busy(start + kSecond / 2);
  EXPECT_NEAR(observer->utilisation_percent(start + kSecond), 50, 1);
  EXPECT_EQ(observer->utilisation_percent(start + 3 * kSecond), 0u);
}

TEST_F(SharedStateTest, WithoutAFolderItIsPrivate) {
  const auto state = SharedState::open("", 0);
  EXPECT_FALSE(state->shared());
  ASSERT_TRUE(state->attach());
  EXPECT_TRUE(state->reserve(10, 10));
  const auto nowhere = SharedState::open("/nonexistent-folder", 0);
  EXPECT_FALSE(nowhere->shared());
}

}  // namespace
}  // namespace outboard::softgpu
