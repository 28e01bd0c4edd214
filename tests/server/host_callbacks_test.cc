#include "server/worker/host_callbacks.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <thread>
#include <vector>

namespace outboard::server {
namespace {

TEST(HostCallbacks, TheDriversThreadWaitsUntilTheClientIsDone) {
  std::promise<uint64_t> told;
  HostCallbacks callbacks([&](uint64_t id) { told.set_value(id); });
  auto* ticket = callbacks.issue(7, false);
  ASSERT_NE(ticket, nullptr);
  EXPECT_FALSE(callbacks.done(7));  // not running yet
  std::atomic<bool> returned{false};
  std::thread driver([&] {
    HostCallbacks::run(ticket);
    returned = true;
  });
  EXPECT_EQ(told.get_future().get(), 7u);
  EXPECT_FALSE(returned);
  EXPECT_FALSE(callbacks.done(8));
  EXPECT_TRUE(callbacks.done(7));
  driver.join();
  EXPECT_TRUE(returned);
  EXPECT_FALSE(callbacks.done(7));
  EXPECT_EQ(callbacks.tickets(), 0u);
}

TEST(HostCallbacks, ARecordedCallbackRunsAgainAndAgain) {
  HostCallbacks* self = nullptr;
  int runs = 0;
  // A client that answers at once.
  HostCallbacks callbacks([&](uint64_t id) {
    ++runs;
    EXPECT_TRUE(self->done(id));
  });
  self = &callbacks;
  auto* ticket = callbacks.issue(7, true);
  for (int i = 0; i < 3; ++i) HostCallbacks::run(ticket);
  EXPECT_EQ(runs, 3);
  EXPECT_EQ(callbacks.tickets(), 1u);
}

TEST(HostCallbacks, TheSameCallbackMayRunTwiceAtOnce) {
  std::atomic<int> told{0};
  HostCallbacks callbacks([&](uint64_t) { ++told; });
  auto* ticket = callbacks.issue(7, true);
  std::thread one([&] { HostCallbacks::run(ticket); });
  std::thread two([&] { HostCallbacks::run(ticket); });
  while (told < 2) std::this_thread::yield();
  EXPECT_TRUE(callbacks.done(7));
  EXPECT_TRUE(callbacks.done(7));
  EXPECT_FALSE(callbacks.done(7));
  one.join();
  two.join();
}

TEST(HostCallbacks, TheEndOfTheSessionReleasesEverybody) {
  std::promise<void> told;
  HostCallbacks callbacks([&](uint64_t) { told.set_value(); });
  auto* ticket = callbacks.issue(7, false);
  std::thread driver([&] { HostCallbacks::run(ticket); });
  told.get_future().wait();
  callbacks.close();
  driver.join();
  HostCallbacks::run(callbacks.issue(8, false));  // returns at once, and tells nobody
}

TEST(HostCallbacks, IdsAreUniqueUntilTheyHaveRunOrAreWithdrawn) {
  HostCallbacks callbacks([](uint64_t) {});
  auto* ticket = callbacks.issue(7, false);
  EXPECT_EQ(callbacks.issue(7, false), nullptr);
  callbacks.withdraw(ticket);
  EXPECT_NE(callbacks.issue(7, false), nullptr);
}

TEST(HostCallbacks, DataOfACopyMovesOnlyWhileTheDeviceWaits) {
  std::atomic<int> told{0};
  HostCallbacks callbacks([&](uint64_t) { ++told; });
  auto* ticket = callbacks.issue(7, true, 100);
  ASSERT_NE(ticket, nullptr);
  EXPECT_EQ(ticket->bytes().size(), 100u);
  EXPECT_TRUE(callbacks.staging(7).empty());
  std::thread driver([&] { HostCallbacks::run(ticket); });
  while (told == 0) std::this_thread::yield();
  EXPECT_EQ(callbacks.staging(7).data(), ticket->staging.get());
  EXPECT_TRUE(callbacks.staging(8).empty());
  EXPECT_TRUE(callbacks.done(7));
  EXPECT_TRUE(callbacks.staging(7).empty());
  driver.join();
}

TEST(HostCallbacks, StagingMemoryHasALimit) {
  HostCallbacks callbacks([](uint64_t) {});
  EXPECT_EQ(callbacks.issue(1, true, HostCallbacks::kMaxStagingBytes + 1), nullptr);
  auto* ticket = callbacks.issue(1, true, 4096);
  ASSERT_NE(ticket, nullptr);
  EXPECT_EQ(callbacks.issue(2, true, HostCallbacks::kMaxStagingBytes - 4095), nullptr);
  callbacks.withdraw(ticket);
  EXPECT_EQ(callbacks.issue(2, true, HostCallbacks::kMaxStagingBytes + 1), nullptr);
}

TEST(HostCallbacks, RecordedOnesBlockNobodyUntilAGraphIsLaunched) {
  HostCallbacks callbacks([](uint64_t) {});
  auto* once = callbacks.issue(1, false);
  EXPECT_TRUE(callbacks.in_flight());
  callbacks.withdraw(once);
  EXPECT_FALSE(callbacks.any_repeats());
  callbacks.issue(2, true);
  EXPECT_TRUE(callbacks.any_repeats());
  EXPECT_FALSE(callbacks.in_flight());
  callbacks.begin_launch();
  EXPECT_TRUE(callbacks.in_flight());
  HostCallbacks::launch_done(&callbacks);
  EXPECT_FALSE(callbacks.in_flight());
}

TEST(HostCallbacks, WhatIsRetiredWaitsForLaunchesThatMayReachIt) {
  std::vector<uint64_t> gone;
  HostCallbacks callbacks([](uint64_t) {}, [&](uint64_t id) { gone.push_back(id); });
  auto* first = callbacks.issue(1, true);
  auto* second = callbacks.issue(2, true);
  callbacks.begin_launch();
  callbacks.begin_launch();
  callbacks.retire_later(first);
  HostCallbacks::launch_done(&callbacks);
  EXPECT_TRUE(gone.empty());
  EXPECT_EQ(callbacks.tickets(), 2u);
  HostCallbacks::launch_done(&callbacks);
  EXPECT_EQ(gone, (std::vector<uint64_t>{1}));
  callbacks.retire_later(second);
  EXPECT_EQ(gone, (std::vector<uint64_t>{1, 2}));
  EXPECT_EQ(callbacks.tickets(), 0u);
}

}  // namespace
}  // namespace outboard::server
