#include "server/daemon/compute_arbiter.h"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

namespace outboard::server {
namespace {

constexpr uint64_t kMs = 1'000'000;
constexpr uint64_t kFree = ComputeArbiter::kFreeNs;

class ComputeArbiterTest : public testing::Test {
 protected:
  using Sent = std::pair<ComputeSessionId, control::Message>;

  static Sent turn(ComputeSessionId session, uint64_t credit_ns, uint32_t device = 0) {
    return {session, control::Turn{device, credit_ns}};
  }
  static Sent yield(ComputeSessionId session, uint32_t device = 0) {
    return {session, control::Yield{device}};
  }
  static ComputeTerms cap(uint32_t percent) { return {.percent = percent, .mode = ShareMode::kHardCap}; }
  std::vector<Sent> sent() { return std::exchange(sent_, {}); }

  std::vector<Sent> sent_;
  ComputeArbiter arbiter_{[this](ComputeSessionId session, const control::Message& message) {
    sent_.emplace_back(session, message);
  }};
};

TEST_F(ComputeArbiterTest, WhoIsAloneWithoutACapIsNotMeasured) {
  arbiter_.add(1, {}, 2, 0);
  EXPECT_TRUE(sent().empty());
  arbiter_.want(1, 1, kMs);
  EXPECT_EQ(sent(), (std::vector{turn(1, kFree, 1)}));
}

TEST_F(ComputeArbiterTest, WhoIsAloneWithACapHasACredit) {
  arbiter_.add(1, cap(30), 1, 0);
  arbiter_.want(1, 0, kMs);
  EXPECT_EQ(sent(), (std::vector{turn(1, ComputeArbiter::kCreditNs)}));
}

TEST_F(ComputeArbiterTest, ANewcomerEndsTheFreedom) {
  arbiter_.add(1, {}, 1, 0);
  arbiter_.want(1, 0, kMs);
  sent();
  arbiter_.add(2, {}, 1, 2 * kMs);
  EXPECT_EQ(sent(), (std::vector{yield(1)}));
  arbiter_.over(1, 0, 0, true, 3 * kMs);
  EXPECT_EQ(sent(), (std::vector{turn(1, ComputeArbiter::kCreditNs)}));
  // And its end brings it back, with the next report.
  arbiter_.remove(2, 4 * kMs);
  EXPECT_TRUE(sent().empty());
  arbiter_.used(1, 0, kMs, false, 5 * kMs);
  EXPECT_EQ(sent(), (std::vector{turn(1, kFree)}));
}

TEST_F(ComputeArbiterTest, WhoHasNothingToDoGivesTheTurnToWhoHas) {
  arbiter_.add(1, {}, 1, 0);
  arbiter_.add(2, {}, 1, 0);
  arbiter_.want(1, 0, kMs);
  arbiter_.used(1, 0, 100, true, 2 * kMs);
  sent();
  arbiter_.want(2, 0, 3 * kMs);
  EXPECT_EQ(sent(), (std::vector{yield(1)}));
  arbiter_.want(2, 0, 3 * kMs);
  EXPECT_TRUE(sent().empty()) << "said once";
  arbiter_.over(1, 0, 0, false, 4 * kMs);
  ASSERT_EQ(sent_.size(), 1u);
  EXPECT_EQ(sent()[0].first, 2u);
}

TEST_F(ComputeArbiterTest, ReportsRenewTheCreditUntilTheTurnIsUsedUp) {
  arbiter_.add(1, {}, 1, 0);
  arbiter_.add(2, {}, 1, 0);
  arbiter_.want(1, 0, 0);
  arbiter_.want(2, 0, 0);
  arbiter_.used(1, 0, kMs, false, kMs);
  EXPECT_EQ(sent().back(), yield(1)) << "who comes back from idling need not wait for the end of a turn";
  arbiter_.over(1, 0, 0, true, kMs);
  EXPECT_EQ(sent().back().first, 2u);
  const uint64_t turn_ns = ComputeScheduler::Limits().turn_ns;
  uint64_t now_ns = kMs;
  for (uint64_t used_ns = kMs; used_ns < turn_ns; used_ns += kMs) {
    arbiter_.used(2, 0, kMs, false, now_ns += kMs);
    ASSERT_EQ(sent().back().first, 2u);
  }
  arbiter_.used(2, 0, kMs, false, now_ns += kMs);
  EXPECT_EQ(sent(), (std::vector{yield(2)}));
  // What was under way is reported before it is over, and renews nothing.
  arbiter_.used(2, 0, kMs, false, now_ns += kMs);
  EXPECT_TRUE(sent().empty());
  arbiter_.over(2, 0, 0, true, now_ns);
  EXPECT_EQ(sent().back().first, 1u);
}

TEST_F(ComputeArbiterTest, ACapIsAMatterOfTimeAlone) {
  arbiter_.add(1, cap(10), 1, 0);
  arbiter_.want(1, 0, 0);
  sent();
  arbiter_.used(1, 0, 20 * kMs, false, 20 * kMs);
  EXPECT_EQ(sent(), (std::vector{yield(1)}));
  arbiter_.over(1, 0, 0, true, 20 * kMs);
  EXPECT_TRUE(sent().empty());
  const auto next_ns = arbiter_.next_change_ns(20 * kMs);
  ASSERT_TRUE(next_ns);
  // 20 ms of a tenth take 200 ms.
  EXPECT_GT(*next_ns, 190 * kMs);
  EXPECT_LT(*next_ns, 201 * kMs);
  arbiter_.tick(*next_ns - kMs);
  EXPECT_TRUE(sent().empty());
  arbiter_.tick(*next_ns);
  EXPECT_EQ(sent().size(), 1u);
  EXPECT_EQ(arbiter_.usage(1, *next_ns).used_ns, 20 * kMs);
  EXPECT_GT(arbiter_.usage(1, *next_ns).throttled_ns, 150 * kMs);
}

TEST_F(ComputeArbiterTest, BesideThoseWhoComeAndGoTheCreditIsShort) {
  arbiter_.add(1, {}, 1, 0);
  arbiter_.add(2, {}, 1, 0);
  arbiter_.want(2, 0, kMs);
  arbiter_.over(2, 0, 0, false, 2 * kMs);
  sent();
  arbiter_.want(1, 0, 3 * kMs);
  EXPECT_EQ(sent(), (std::vector{turn(1, ComputeArbiter::kShortCreditNs)}));
  arbiter_.used(1, 0, kMs, false, 3 * kMs + ComputeArbiter::kComesAndGoesNs);
  EXPECT_EQ(sent(), (std::vector{turn(1, ComputeArbiter::kCreditNs)}));
}

TEST_F(ComputeArbiterTest, TheTurnOfWhoEndsGoesOn) {
  arbiter_.add(1, {}, 1, 0);
  arbiter_.add(2, {}, 1, 0);
  arbiter_.want(1, 0, 0);
  arbiter_.want(2, 0, 0);
  sent();
  arbiter_.remove(1, kMs);
  ASSERT_EQ(sent_.size(), 1u);
  EXPECT_EQ(sent()[0].first, 2u);
}

TEST_F(ComputeArbiterTest, NewTermsHoldAtOnce) {
  arbiter_.add(1, {}, 1, 0);
  arbiter_.want(1, 0, 0);
  sent();
  arbiter_.set_terms(1, cap(50), kMs);
  EXPECT_EQ(sent(), (std::vector{yield(1)})) << "it may no longer do as it likes";
  arbiter_.over(1, 0, 0, true, kMs);
  EXPECT_EQ(sent(), (std::vector{turn(1, ComputeArbiter::kCreditNs)}));
}

TEST_F(ComputeArbiterTest, WordsOfUnknownSessionsChangeNothing) {
  arbiter_.add(1, {}, 1, 0);
  arbiter_.want(9, 0, 0);
  arbiter_.want(1, 7, 0);
  arbiter_.used(9, 0, kMs, false, 0);
  arbiter_.over(1, 0, kMs, true, 0);
  arbiter_.set_terms(9, cap(5), 0);
  arbiter_.remove(9, 0);
  EXPECT_TRUE(sent().empty());
  EXPECT_EQ(arbiter_.usage(9, 0).used_ns, 0u);
}

}  // namespace
}  // namespace outboard::server
