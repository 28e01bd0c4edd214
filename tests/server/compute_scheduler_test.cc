#include "server/quota/compute_scheduler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "tests/server/device_simulation.h"

namespace outboard::server {
namespace {

using testing::DeviceSimulation;
using testing::SimulatedClient;

constexpr uint64_t kMicrosecond = 1'000;
constexpr uint64_t kMillisecond = 1'000'000;
constexpr uint64_t kSecond = 1'000'000'000;

ComputeTerms guaranteed(uint32_t percent, int32_t priority = 0) {
  return {percent, ShareMode::kGuaranteed, priority};
}
ComputeTerms capped(uint32_t percent) { return {percent, ShareMode::kHardCap, 0}; }

struct Shares {
  const char* name;
  std::vector<uint32_t> percents;
  std::vector<uint64_t> kernels_ns;  // of each client
  ShareMode mode;
};

class SharesTest : public ::testing::TestWithParam<Shares> {};

// In percent of the device time that was given out.
TEST_P(SharesTest, AreExactOverTenSecondsAndCloseInEverySecond) {
  const Shares& shares = GetParam();
  DeviceSimulation device;
  std::vector<ComputeSessionId> ids;
  for (size_t i = 0; i < shares.percents.size(); ++i)
    ids.push_back(device.add({{shares.percents[i], shares.mode, 0}, shares.kernels_ns[i]}));
  const uint64_t longest_ns = *std::max_element(shares.kernels_ns.begin(), shares.kernels_ns.end());
  const uint64_t begin_ns = device.now_ns;
  std::vector<uint64_t> before(ids.size());
  uint64_t busy_before = 0;
  for (int second = 1; second <= 10; ++second) {
    device.run_until(begin_ns + static_cast<uint64_t>(second) * kSecond);
    const double busy = static_cast<double>(device.busy_ns - std::exchange(busy_before, device.busy_ns));
    for (size_t i = 0; i < ids.size(); ++i) {
      const uint64_t used = device.used_ns(ids[i]);
      const double percent = 100.0 * static_cast<double>(used - std::exchange(before[i], used)) / busy;
      // A kernel cannot be interrupted: a window may hold one more or one less of the longest.
      const double slack = 3.0 + 100.0 * static_cast<double>(longest_ns) / kSecond;
      EXPECT_NEAR(percent, shares.percents[i], slack) << "second " << second << ", client " << i;
    }
  }
  for (size_t i = 0; i < ids.size(); ++i) {
    const double percent =
        100.0 * static_cast<double>(device.used_ns(ids[i])) / static_cast<double>(device.busy_ns);
    EXPECT_NEAR(percent, shares.percents[i], 1.0) << "client " << i;
  }
  EXPECT_GT(static_cast<double>(device.busy_ns) / (10.0 * kSecond), 0.97) << "time lost in changes of turns";
}

constexpr auto kBoth = ShareMode::kGuaranteed;
INSTANTIATE_TEST_SUITE_P(
    Mixes, SharesTest,
    ::testing::Values(Shares{"short_30_70", {30, 70}, {50'000, 50'000}, kBoth},
                      Shares{"short_10_90", {10, 90}, {50'000, 50'000}, kBoth},
                      Shares{"short_1_99", {1, 99}, {50'000, 50'000}, kBoth},
                      Shares{"three", {25, 25, 50}, {50'000, 20'000, 300'000}, kBoth},
                      Shares{"long_has_30", {30, 70}, {50'000'000, 50'000}, kBoth},
                      Shares{"long_has_70", {30, 70}, {50'000, 50'000'000}, kBoth},
                      Shares{"long_has_10", {10, 90}, {50'000'000, 50'000}, kBoth},
                      Shares{"capped_30_70", {30, 70}, {50'000, 50'000}, ShareMode::kHardCap},
                      Shares{"capped_long", {30, 70}, {50'000'000, 50'000}, ShareMode::kHardCap}),
    [](const auto& info) { return std::string(info.param.name); });

TEST(ComputeScheduler, AHardCapHoldsOnAnIdleDevice) {
  for (const uint64_t kernel_ns : {50 * kMicrosecond, 5 * kMillisecond, 50 * kMillisecond}) {
    DeviceSimulation device;
    const auto id = device.add({capped(30), kernel_ns});
    const uint64_t begin_ns = device.now_ns;
    device.run_until(begin_ns + 10 * kSecond);
    EXPECT_NEAR(static_cast<double>(device.used_ns(id)) / (10.0 * kSecond), 0.30, 0.01) << kernel_ns;
  }
}

TEST(ComputeScheduler, AHardCapHoldsInEveryTenthOfASecond) {
  DeviceSimulation device;
  const auto id = device.add({capped(30), 50 * kMicrosecond});
  const uint64_t begin_ns = device.now_ns;
  uint64_t before = 0;
  for (int window = 1; window <= 50; ++window) {
    device.run_until(begin_ns + static_cast<uint64_t>(window) * 100 * kMillisecond);
    const uint64_t used = device.used_ns(id) - std::exchange(before, device.used_ns(id));
    EXPECT_NEAR(static_cast<double>(used) / (100.0 * kMillisecond), 0.30, 0.05) << window;
  }
}

TEST(ComputeScheduler, IdleTimeIsGivenAwayAndTakenBackWithinAKernel) {
  DeviceSimulation device;
  const auto small = device.add({guaranteed(30), 50 * kMicrosecond});
  const uint64_t begin_ns = device.now_ns;
  device.run_until(begin_ns + kSecond);
  EXPECT_GT(device.used_ns(small), 990 * kMillisecond);
  const uint64_t used_alone = device.used_ns(small);
  const auto large = device.add({guaranteed(70), 50 * kMicrosecond});
  device.run_until(begin_ns + kSecond + 200 * kMillisecond);
  const double share = static_cast<double>(device.used_ns(large)) /
                       static_cast<double>(device.used_ns(large) + device.used_ns(small) - used_alone);
  EXPECT_NEAR(share, 0.70, 0.03) << "what was used while nobody else wanted it is not held against anybody";
}

TEST(ComputeScheduler, SessionsWithoutAClaimShareWhatIsLeft) {
  DeviceSimulation device;
  const auto claimed = device.add({guaranteed(60), 50 * kMicrosecond});
  const auto first = device.add({{}, 50 * kMicrosecond});
  const auto second = device.add({{}, 100 * kMicrosecond});
  device.run_until(device.now_ns + 10 * kSecond);
  const auto percent = [&](ComputeSessionId id) {
    return 100.0 * static_cast<double>(device.used_ns(id)) / static_cast<double>(device.busy_ns);
  };
  EXPECT_NEAR(percent(claimed), 60, 1);
  EXPECT_NEAR(percent(first), 20, 1);
  EXPECT_NEAR(percent(second), 20, 1);
}

TEST(ComputeScheduler, ALightClientBesideAFlooderWaitsForOneKernel) {
  constexpr uint64_t kFlood = 500 * kMicrosecond;
  constexpr uint64_t kLight = 100 * kMicrosecond;
  DeviceSimulation device;
  device.add({{}, kFlood});
  const auto light = device.add({{}, kLight, 1, 5 * kMillisecond});
  device.run_until(device.now_ns + 10 * kSecond);
  auto latencies = device.latencies_ns(light);
  ASSERT_GT(latencies.size(), 1000u);
  std::sort(latencies.begin(), latencies.end());
  EXPECT_LE(latencies[latencies.size() * 99 / 100], kLight + kFlood + 2 * DeviceSimulation::kHandoverNs);
}

TEST(ComputeScheduler, PausesDoNotBuyMoreThanTheShare) {
  DeviceSimulation device;
  const auto honest = device.add({guaranteed(50), 50 * kMicrosecond});
  // Pretends to come back from idling all the time.
  const auto sly = device.add({guaranteed(50), 50 * kMicrosecond, 20, 1 * kMicrosecond});
  device.run_until(device.now_ns + 10 * kSecond);
  EXPECT_GE(static_cast<double>(device.used_ns(honest)), 0.98 * static_cast<double>(device.used_ns(sly)));
}

TEST(ComputeScheduler, PriorityGoesFirstWithinItsShareAndStarvesNobody) {
  DeviceSimulation device;
  const auto urgent = device.add({guaranteed(20, 10), 100 * kMicrosecond, 1, 2 * kMillisecond});
  const auto flooder = device.add({guaranteed(10, 10), 200 * kMicrosecond});
  const auto plain = device.add({guaranteed(70), 200 * kMicrosecond});
  device.run_until(device.now_ns + 10 * kSecond);
  auto latencies = device.latencies_ns(urgent);
  std::sort(latencies.begin(), latencies.end());
  EXPECT_LE(latencies[latencies.size() * 99 / 100], 600 * kMicrosecond);
  const auto percent = [&](ComputeSessionId id) {
    return 100.0 * static_cast<double>(device.used_ns(id)) / static_cast<double>(device.busy_ns);
  };
  EXPECT_GE(percent(plain), 70) << "a session that floods at high priority gets no more than its share";
  EXPECT_NEAR(percent(flooder) / percent(plain), 1.0 / 7, 0.02);
}

TEST(ComputeScheduler, NewTermsHoldWithinTwoTenthsOfASecond) {
  DeviceSimulation device;
  const auto first = device.add({guaranteed(30), 50 * kMicrosecond});
  const auto second = device.add({guaranteed(70), 50 * kMicrosecond});
  const uint64_t begin_ns = device.now_ns;
  device.run_until(begin_ns + kSecond);
  device.scheduler.set_terms(first, guaranteed(80), device.now_ns);
  device.scheduler.set_terms(second, guaranteed(20), device.now_ns);
  const uint64_t used_before = device.used_ns(first);
  const uint64_t busy_before = device.busy_ns;
  device.run_until(begin_ns + kSecond + 200 * kMillisecond);
  const double share = static_cast<double>(device.used_ns(first) - used_before) /
                       static_cast<double>(device.busy_ns - busy_before);
  EXPECT_NEAR(share, 0.80, 0.03);
}

TEST(ComputeScheduler, OneAtATimeAndOnlyThoseWhoWant) {
  ComputeScheduler scheduler;
  ASSERT_TRUE(scheduler.add(1, guaranteed(50), 0));
  ASSERT_TRUE(scheduler.add(2, guaranteed(50), 0));
  EXPECT_FALSE(scheduler.add(2, guaranteed(50), 0));
  EXPECT_FALSE(scheduler.next(0));
  EXPECT_FALSE(scheduler.next_change_ns(0));
  scheduler.want(1, 10);
  const auto turn = scheduler.next(10);
  ASSERT_TRUE(turn);
  EXPECT_EQ(turn->id, 1u);
  scheduler.want(2, 20);
  EXPECT_FALSE(scheduler.next(20)) << "a turn is under way";
  scheduler.remove(1, 30);
  const auto after = scheduler.next(30);
  ASSERT_TRUE(after) << "a session that is gone has no turn";
  EXPECT_EQ(after->id, 2u);
  scheduler.finish(2, false, 40);
  EXPECT_FALSE(scheduler.next(40));
  scheduler.want(2, 50);
  scheduler.withdraw(2, 60);
  EXPECT_FALSE(scheduler.next(60));
  EXPECT_EQ(scheduler.usage(2, 60)->waiting_ns, 10u + 10u);
}

TEST(ComputeScheduler, ACappedSessionIsTheOnlyOneThrottled) {
  DeviceSimulation device;
  const auto held = device.add({capped(20), 50 * kMicrosecond});
  device.run_until(device.now_ns + kSecond);
  const auto usage = device.scheduler.usage(held, device.now_ns);
  EXPECT_NEAR(static_cast<double>(usage->throttled_ns) / kSecond, 0.80, 0.03);
  EXPECT_LE(usage->throttled_ns, usage->waiting_ns);
  DeviceSimulation other;
  const auto free = other.add({guaranteed(20), 50 * kMicrosecond});
  other.run_until(other.now_ns + kSecond);
  EXPECT_EQ(other.scheduler.usage(free, other.now_ns)->throttled_ns, 0u);
}

// Hundreds of sessions that come, go, change their terms and work as they like; what must always hold
// is checked after every turn.
TEST(ComputeScheduler, HoldsItsPromisesWhateverHappens) {
  for (uint32_t seed = 1; seed <= 5; ++seed) {
    std::mt19937 random(seed);
    const auto pick = [&](uint64_t from, uint64_t to) {
      return std::uniform_int_distribution<uint64_t>(from, to)(random);
    };
    const auto terms = [&] {
      ComputeTerms made;
      made.percent = static_cast<uint32_t>(pick(0, 3));
      made.mode = pick(0, 2) == 0 ? ShareMode::kHardCap : ShareMode::kGuaranteed;
      made.priority = static_cast<int32_t>(pick(0, 2));
      return made;
    };
    DeviceSimulation device;
    struct Cap {
      uint64_t since_ns;
      uint64_t used_before;
      double percent;
    };
    std::map<ComputeSessionId, Cap> caps;
    const auto watch = [&](ComputeSessionId id, const ComputeTerms& made) {
      caps.erase(id);
      if (made.mode == ShareMode::kHardCap && made.percent != 0)
        caps[id] = {device.now_ns, device.used_ns(id), static_cast<double>(made.percent)};
    };
    std::vector<ComputeSessionId> ids;
    const auto join = [&] {
      const ComputeTerms made = terms();
      ids.push_back(device.add({made, pick(5, 500) * kMicrosecond, pick(1, 20), pick(0, 3) * kMillisecond}));
      watch(ids.back(), made);
    };
    for (int i = 0; i < 300; ++i) join();
    for (int step = 0; step < 300; ++step) {
      const size_t at = pick(0, ids.size() - 1);
      switch (pick(0, 3)) {
        case 0:
          device.remove(ids[at]);
          caps.erase(ids[at]);
          ids.erase(ids.begin() + static_cast<ptrdiff_t>(at));
          join();
          break;
        case 1: {
          const ComputeTerms made = terms();
          device.scheduler.set_terms(ids[at], made, device.now_ns);
          watch(ids[at], made);
          break;
        }
        default: break;
      }
      device.run_until(device.now_ns + 20 * kMillisecond, [&] {
        ASSERT_TRUE(device.scheduler.holder() || !device.scheduler.next_change_ns(device.now_ns) ||
                    *device.scheduler.next_change_ns(device.now_ns) > device.now_ns)
            << "the device idles although a session may run";
      });
      for (const auto& [id, cap] : caps) {
        const double allowed = static_cast<double>(device.now_ns - cap.since_ns) * cap.percent / 100;
        const double used = static_cast<double>(device.used_ns(id) - cap.used_before);
        // What a bucket holds, and the kernel with which it was overdrawn.
        ASSERT_LE(used, allowed + 4e6 + 0.5e6) << "seed " << seed << " session " << id;
      }
    }
    // Nobody who always wants is left out.
    for (const auto id : ids) {
      if (device.client(id).think_ns != 0) continue;
      const auto usage = device.scheduler.usage(id, device.now_ns);
      EXPECT_TRUE(usage->turns > 0 || usage->waiting_ns < 2 * kSecond)
          << "seed " << seed << " session " << id;
    }
  }
}

}  // namespace
}  // namespace outboard::server
