#include "client-lib/state/stream_activity.h"

#include <gtest/gtest.h>

namespace outboard::client {
namespace {

using Need = StreamActivity::Need;
using wire::Handle;

constexpr Handle kContext{1, 1};
constexpr Handle kOtherContext{2, 1};
constexpr Handle kStream{3, 1};
constexpr Handle kOtherStream{4, 1};
constexpr Handle kLegacy{0, 0};

struct Activity : StreamActivity {
  Need ask(Handle stream, Handle context = kContext) { return need(stream, context, mark(stream)); }
  void wait(Handle stream, Handle context = kContext) { settled(stream, context, mark(stream)); }
  Need ask_context(Handle context = kContext) { return need_of_context(context, mark_of_all()); }
  void wait_context(Handle context = kContext) { context_settled(context, mark_of_all()); }
};

TEST(StreamActivity, TheFirstWaitAsksTheServer) {
  Activity activity;
  EXPECT_EQ(activity.ask(kStream), Need::kServer);
  activity.wait(kStream);
  EXPECT_EQ(activity.ask(kStream), Need::kNothing);
}

TEST(StreamActivity, QuietWorkNeedsAnOrderAndVisibleWorkTheServer) {
  Activity activity;
  activity.wait(kStream);
  activity.note_quiet(kStream);
  EXPECT_EQ(activity.ask(kStream), Need::kOrder);
  activity.wait(kStream);
  EXPECT_EQ(activity.ask(kStream), Need::kNothing);
  activity.note_visible(kStream);
  activity.note_quiet(kStream);
  EXPECT_EQ(activity.ask(kStream), Need::kServer);
}

TEST(StreamActivity, OtherStreamsDoNotMatterButTheLegacyOneDoes) {
  Activity activity;
  activity.wait(kStream);
  activity.note_visible(kOtherStream);
  EXPECT_EQ(activity.ask(kStream), Need::kNothing);
  activity.note_quiet(kLegacy);
  EXPECT_EQ(activity.ask(kStream), Need::kOrder);
  activity.note_visible(kLegacy);
  EXPECT_EQ(activity.ask(kStream), Need::kServer);
}

TEST(StreamActivity, TheLegacyStreamWaitsForAllAndIsOneForEachContext) {
  Activity activity;
  activity.wait(kLegacy);
  EXPECT_EQ(activity.ask(kLegacy), Need::kNothing);
  EXPECT_EQ(activity.ask(kLegacy, kOtherContext), Need::kServer);
  activity.note_visible(kStream);
  EXPECT_EQ(activity.ask(kLegacy), Need::kServer);
}

TEST(StreamActivity, AContextIsItsOwnMatter) {
  Activity activity;
  activity.wait_context();
  EXPECT_EQ(activity.ask_context(), Need::kNothing);
  EXPECT_EQ(activity.ask_context(kOtherContext), Need::kServer);
  EXPECT_EQ(activity.ask(kLegacy), Need::kServer);
  activity.note_visible(kStream);
  EXPECT_EQ(activity.ask_context(), Need::kServer);
}

TEST(StreamActivity, WorkOfUnknownStreamsConcernsAll) {
  Activity activity;
  activity.wait(kStream);
  activity.wait_context();
  activity.note_anywhere();
  EXPECT_EQ(activity.ask(kStream), Need::kServer);
  EXPECT_EQ(activity.ask_context(), Need::kServer);
}

// What is launched while a thread waits is not done when that thread returns.
TEST(StreamActivity, AMarkCountsOnlyWhatWasBeforeIt) {
  Activity activity;
  const auto mark = activity.mark(kStream);
  activity.note_visible(kStream);
  activity.settled(kStream, kContext, mark);
  EXPECT_EQ(activity.ask(kStream), Need::kServer);
}

TEST(StreamActivity, ANewStreamWithAnOldIndexIsUnknown) {
  Activity activity;
  activity.wait(kStream);
  EXPECT_EQ(activity.ask(Handle{kStream.index, kStream.generation + 1}), Need::kServer);
}

TEST(StreamActivity, ManyStreamsCostRoundTripsOnly) {
  Activity activity;
  for (uint32_t index = 1; index <= 10'000; ++index) {
    const Handle stream{index, 1};
    activity.wait(stream);
    ASSERT_EQ(activity.ask(stream), Need::kNothing);
    activity.note_visible(stream);
    ASSERT_EQ(activity.ask(stream), Need::kServer);
  }
}

}  // namespace
}  // namespace outboard::client
