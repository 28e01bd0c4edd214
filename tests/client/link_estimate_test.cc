#include "client-lib/state/link_estimate.h"

#include <gtest/gtest.h>

namespace outboard::client {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
constexpr uint64_t kMiB = 1024 * 1024;

TEST(LinkEstimate, UnknownLinksAreWorthAQuestion) {
  LinkEstimate link;
  EXPECT_TRUE(link.worth_asking(kMiB));
}

TEST(LinkEstimate, AQuestionMayNotTakeLongerThanTheDataWould) {
  LinkEstimate link;
  link.note_wait(milliseconds(40));
  link.note_wait(milliseconds(30));
  link.note_wait(milliseconds(90));
  // As long as nothing is known, a byte takes a nanosecond.
  EXPECT_FALSE(link.worth_asking(29'000'000));
  EXPECT_TRUE(link.worth_asking(30'000'000));
  // A tenth of a byte for each nanosecond.
  link.note_send(10 * kMiB, std::chrono::nanoseconds(100 * kMiB));
  EXPECT_FALSE(link.worth_asking(2'900'000));
  EXPECT_TRUE(link.worth_asking(3'000'000));
}

TEST(LinkEstimate, FastLinksCarryTheDataSooner) {
  LinkEstimate link;
  link.note_wait(microseconds(20));
  link.note_send(64 * kMiB, milliseconds(30));
  EXPECT_FALSE(link.worth_asking(1024 * kMiB));
  // What comes later counts more.
  for (int i = 0; i < 64; ++i) link.note_send(64 * kMiB, milliseconds(600));
  EXPECT_TRUE(link.worth_asking(1024 * kMiB));
}

TEST(LinkEstimate, ShortSendsSayNothing) {
  LinkEstimate link;
  link.note_send(kMiB - 1, microseconds(1));
  EXPECT_TRUE(link.worth_asking(kMiB));
}

}  // namespace
}  // namespace outboard::client
