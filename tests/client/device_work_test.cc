#include "client-lib/state/device_work.h"

#include <gtest/gtest.h>

#include "client-lib/state/reference_counts.h"

namespace outboard::client {
namespace {

constexpr wire::Handle kNull{0, 0};
constexpr wire::Handle kLegacy{0, 1};
constexpr wire::Handle kStream{4, 2};
constexpr wire::Handle kEvent{9, 1};

TEST(DeviceWork, EndsWithTheWaitForItsStream) {
  DeviceWork work;
  EXPECT_FALSE(work.busy());
  work.submitted(kStream);
  work.submitted(kNull);
  EXPECT_TRUE(work.busy());
  work.stream_done(kStream, work.mark());
  EXPECT_TRUE(work.busy());
  work.stream_done(kLegacy, work.mark());
  EXPECT_FALSE(work.busy()) << "the null stream has two names";
}

TEST(DeviceWork, WhatWasSubmittedAfterTheWaitBeganIsNotOver) {
  DeviceWork work;
  work.submitted(kStream);
  const uint64_t mark = work.mark();
  work.submitted(kStream);
  work.stream_done(kStream, mark);
  EXPECT_TRUE(work.busy());
  work.all_done(mark);
  EXPECT_TRUE(work.busy());
  work.all_done(work.mark());
  EXPECT_FALSE(work.busy());
}

TEST(DeviceWork, AnEventStandsForWhatWasBeforeIt) {
  DeviceWork work;
  work.submitted(kStream);
  work.recorded(kEvent, kStream);
  work.submitted(kStream);
  work.event_done(kEvent);
  EXPECT_TRUE(work.busy());
  work.recorded(kEvent, kStream);
  work.event_done(kEvent);
  EXPECT_FALSE(work.busy());
  work.event_done(kEvent);
}

TEST(ReferenceCounts, EveryReferenceIsReleasedOnce) {
  ReferenceCounts counts;
  constexpr wire::Handle kMine{5, 1};
  EXPECT_FALSE(counts.drop(kMine)) << "the first reference is the handle's own";
  counts.add(kMine);
  counts.add(kMine);
  EXPECT_TRUE(counts.drop(kMine));
  EXPECT_TRUE(counts.drop(kMine));
  EXPECT_FALSE(counts.drop(kMine));
  constexpr wire::Handle kServers{wire::kServerIndexBase + 5, 1};
  counts.add(kServers);
  EXPECT_FALSE(counts.drop(kServers)) << "what the server names is new with its first reference";
  counts.add(kServers);
  counts.add(kServers);
  EXPECT_TRUE(counts.drop(kServers));
  EXPECT_FALSE(counts.drop(kServers));
}

}  // namespace
}  // namespace outboard::client
