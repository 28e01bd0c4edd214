#include "server/worker/host_callbacks.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <thread>

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

}  // namespace
}  // namespace outboard::server
