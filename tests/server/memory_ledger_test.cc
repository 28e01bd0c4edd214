#include "server/quota/memory_ledger.h"

#include <gtest/gtest.h>

#include <random>
#include <thread>
#include <vector>

namespace outboard::server {
namespace {

AllocationKey address(uint64_t id) { return {AllocationKind::kDeviceMemory, id}; }

TEST(MemoryLedger, ReservesCommitsAndReleases) {
  MemoryLedger ledger({1000});
  auto reservation = ledger.reserve(0, 600);
  ASSERT_TRUE(reservation);
  EXPECT_EQ(ledger.account(0).reserved_bytes, 600u);
  EXPECT_EQ(ledger.account(0).free_bytes(), 400u);
  reservation->commit(address(0x1000));
  EXPECT_EQ(ledger.account(0).reserved_bytes, 0u);
  EXPECT_EQ(ledger.account(0).committed_bytes, 600u);
  EXPECT_EQ(ledger.release(address(0x1000)), 600u);
  EXPECT_EQ(ledger.account(0).free_bytes(), 1000u);
  EXPECT_EQ(ledger.account(0).peak_bytes, 600u);
  EXPECT_EQ(ledger.allocations(), 0u);
}

TEST(MemoryLedger, RefusesOneByteOverTheLimitAndSaysWhatIsLeft) {
  MemoryLedger ledger({1000});
  auto first = ledger.reserve(0, 999);
  ASSERT_TRUE(first);
  auto second = ledger.reserve(0, 2);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().kind, ErrorKind::kQuotaExceeded);
  EXPECT_NE(second.error().message.find("1 of 1000 bytes are left"), std::string::npos)
      << second.error().message;
  EXPECT_TRUE(ledger.reserve(0, 1));
}

TEST(MemoryLedger, AFailedCallGivesItsReservationBack) {
  MemoryLedger ledger({1000});
  {
    auto dropped = ledger.reserve(0, 1000);
  }
  EXPECT_EQ(ledger.account(0).free_bytes(), 1000u);
  auto moved_from = ledger.reserve(0, 400);
  MemoryLedger::Reservation target = std::move(*moved_from);
  target.roll_back();
  target.roll_back();
  EXPECT_EQ(ledger.account(0).free_bytes(), 1000u);
}

TEST(MemoryLedger, ASizeNearTheLargestIntegerDoesNotWrapAround) {
  MemoryLedger ledger({1000, MemoryLedger::kUnlimited});
  EXPECT_FALSE(ledger.reserve(0, UINT64_MAX));
  auto everything = ledger.reserve(1, UINT64_MAX);
  ASSERT_TRUE(everything);
  EXPECT_FALSE(ledger.reserve(1, 1));
}

TEST(MemoryLedger, KindsDoNotMixAndUnknownKeysAreNothing) {
  MemoryLedger ledger({1000});
  ledger.reserve(0, 10)->commit({AllocationKind::kArray, 7});
  EXPECT_EQ(ledger.release(address(7)), std::nullopt);
  EXPECT_EQ(ledger.release({AllocationKind::kArray, 7}), 10u);
  EXPECT_EQ(ledger.release({AllocationKind::kArray, 7}), std::nullopt);
}

TEST(MemoryLedger, AReusedKeyReplacesTheOldEntry) {
  MemoryLedger ledger({1000});
  ledger.reserve(0, 10)->commit(address(7));
  ledger.reserve(0, 30)->commit(address(7));
  EXPECT_EQ(ledger.account(0).committed_bytes, 30u);
}

TEST(MemoryLedger, AnUnknownDeviceIsAnError) {
  MemoryLedger ledger({1000});
  auto reservation = ledger.reserve(1, 1);
  ASSERT_FALSE(reservation);
  EXPECT_EQ(reservation.error().kind, ErrorKind::kInvalidArgument);
}

TEST(MemoryLedger, ShrinkingBelowUseRefusesOnlyNewAllocations) {
  MemoryLedger ledger({1000});
  ledger.reserve(0, 800)->commit(address(1));
  ledger.set_limit(0, 500);
  EXPECT_FALSE(ledger.reserve(0, 1));
  EXPECT_EQ(ledger.account(0).committed_bytes, 800u);
  ledger.release(address(1));
  EXPECT_TRUE(ledger.reserve(0, 500));
}

TEST(MemoryLedger, WhatGrowsIsSettledAtWhatItHas) {
  MemoryLedger ledger({1000});
  EXPECT_TRUE(ledger.reserve(0, 100)->settle(address(1), 600));
  EXPECT_EQ(ledger.account(0).committed_bytes, 600u);
  EXPECT_FALSE(ledger.reserve(0, 400)->settle(address(1), 1200)) << "overdrawn, and still recorded";
  EXPECT_EQ(ledger.account(0).committed_bytes, 1200u);
  EXPECT_EQ(ledger.account(0).free_bytes(), 0u);
  EXPECT_FALSE(ledger.measure(address(2), 0, 1));
  EXPECT_TRUE(ledger.measure(address(1), 0, 200));
  EXPECT_TRUE(ledger.measure(address(2), 0, 0));
  EXPECT_EQ(ledger.account(0).committed_bytes, 200u);
  EXPECT_TRUE(ledger.measure(address(1), 7, 5)) << "a device that there is not";
  EXPECT_EQ(ledger.find(address(1))->bytes, 200u);
}

TEST(MemoryLedger, OwnersTakeWhatIsTheirsAlong) {
  MemoryLedger ledger({1000, 1000});
  ledger.reserve(0, 10)->commit(address(1), 5);
  ledger.reserve(1, 20)->commit(address(2), 5);
  ledger.reserve(0, 30)->commit(address(3), 6);
  ledger.reserve(0, 40)->commit(address(4));
  ledger.release_owned(5);
  EXPECT_EQ(ledger.account(0).committed_bytes, 70u);
  EXPECT_EQ(ledger.account(1).committed_bytes, 0u);
  EXPECT_EQ(ledger.release(address(1)), std::nullopt);
}

TEST(MemoryLedger, PartsAndNamesAreDistinct) {
  MemoryLedger ledger({1000});
  ledger.reserve(0, 10)->commit({AllocationKind::kModule, 7, 0});
  ledger.reserve(0, 20)->commit({AllocationKind::kModule, 7, 1});
  EXPECT_EQ(ledger.account(0).committed_bytes, 30u);
  ledger.rename({AllocationKind::kModule, 7, 1}, {AllocationKind::kModule, 8, 0});
  ledger.rename({AllocationKind::kModule, 9, 1}, {AllocationKind::kModule, 8, 0});
  EXPECT_EQ(ledger.release({AllocationKind::kModule, 7, 1}), std::nullopt);
  EXPECT_EQ(ledger.release({AllocationKind::kModule, 8, 0}), 20u);
  EXPECT_EQ(ledger.account(0).committed_bytes, 10u);
}

// Property: whatever happens in whatever order, the account equals the sum of what is alive.
TEST(MemoryLedger, RandomOperationsNeverDrift) {
  constexpr uint64_t kLimit = 1 << 20;
  MemoryLedger ledger({kLimit});
  std::mt19937_64 random(20261124);
  std::vector<std::pair<uint64_t, uint64_t>> alive;
  uint64_t sum = 0;
  uint64_t refused = 0;
  for (uint64_t step = 1; step <= 200'000; ++step) {
    const uint64_t choice = random() % 8;
    if (choice < 5) {
      const uint64_t bytes = random() % 20'000;
      auto reservation = ledger.reserve(0, bytes);
      ASSERT_EQ(bool(reservation), bytes <= kLimit - sum);
      if (!reservation) {
        ++refused;
      } else if (choice != 0) {
        reservation->commit(address(step));
        alive.emplace_back(step, bytes);
        sum += bytes;
      }
    } else if (!alive.empty()) {
      std::swap(alive[random() % alive.size()], alive.back());
      ASSERT_EQ(ledger.release(address(alive.back().first)), alive.back().second);
      sum -= alive.back().second;
      alive.pop_back();
    }
    ASSERT_EQ(ledger.account(0).committed_bytes, sum);
    ASSERT_EQ(ledger.account(0).reserved_bytes, 0u);
  }
  EXPECT_EQ(ledger.allocations(), alive.size());
  EXPECT_GT(refused, 0u);
}

TEST(MemoryLedger, RacingThreadsNeverExceedTheLimit) {
  constexpr uint64_t kLimit = 1000;
  MemoryLedger ledger({kLimit});
  std::vector<std::thread> threads;
  for (uint64_t thread = 0; thread < 8; ++thread) {
    threads.emplace_back([&ledger, thread] {
      for (uint64_t i = 0; i < 2000; ++i) {
        auto reservation = ledger.reserve(0, 137);
        if (!reservation) continue;
        const AllocationKey key = address(thread * 10'000 + i + 1);
        reservation->commit(key);
        ledger.release(key);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(ledger.account(0).peak_bytes, kLimit);
  EXPECT_EQ(ledger.account(0).committed_bytes, 0u);
}

}  // namespace
}  // namespace outboard::server
