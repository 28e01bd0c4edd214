#include <gtest/gtest.h>

#include "protocol/base/clock.h"
#include "protocol/base/result.h"

namespace outboard {
namespace {

TEST(ManualClock, StandsStillUntilItIsAdvanced) {
  ManualClock clock;
  const auto steady = clock.now();
  const auto wall = clock.wall_now();
  EXPECT_EQ(clock.now(), steady);
  clock.advance(std::chrono::seconds(3));
  EXPECT_EQ(clock.now() - steady, std::chrono::seconds(3));
  EXPECT_EQ(clock.wall_now() - wall, std::chrono::seconds(3));
}

TEST(ErrorKind, EveryKindHasAName) {
  for (int kind = 0; kind <= static_cast<int>(ErrorKind::kInternal); ++kind) {
    EXPECT_NE(error_kind_name(static_cast<ErrorKind>(kind)), "unknown error") << kind;
  }
}

TEST(Result, PassesErrorsOn) {
  const Result<int> bad = fail(ErrorKind::kNotFound, "It is not there.");
  const Status passed = fail(bad);
  ASSERT_FALSE(passed);
  EXPECT_EQ(passed.error().kind, ErrorKind::kNotFound);
  EXPECT_EQ(passed.error().message, "It is not there.");
}

}  // namespace
}  // namespace outboard
