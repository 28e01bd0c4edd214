#include "server/metrics/session_counters.h"

#include <gtest/gtest.h>

namespace outboard::server {
namespace {

TEST(SessionCounters, CountsPerCallAndInTotal) {
  SessionCounters counters;
  counters.count_command(3, false);
  counters.count_command(3, true);
  counters.count_command(9, false);
  counters.count_reply();
  counters.count_launch();
  const SessionTotals totals = counters.totals();
  EXPECT_EQ(totals.commands, 3u);
  EXPECT_EQ(totals.failures, 1u);
  EXPECT_EQ(totals.replies, 1u);
  EXPECT_EQ(totals.launches, 1u);
  const auto calls = counters.calls();
  ASSERT_EQ(calls.size(), 2u);
  EXPECT_EQ(calls[0].opcode, 3);
  EXPECT_EQ(calls[0].calls, 2u);
  EXPECT_EQ(calls[0].failures, 1u);
}

TEST(SessionCounters, AnOpcodeBeyondTheTableIsStillCounted) {
  SessionCounters counters;
  counters.count_command(UINT16_MAX, true);
  EXPECT_EQ(counters.totals().commands, 1u);
  ASSERT_EQ(counters.calls().size(), 1u);
  EXPECT_EQ(counters.calls()[0].opcode, SessionCounters::kMaxOpcode);
}

}  // namespace
}  // namespace outboard::server
