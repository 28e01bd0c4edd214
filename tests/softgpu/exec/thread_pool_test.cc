// The threads that execute CTAs: all of a device's, or those of a part of it.
#include "server/softgpu/exec/thread_pool.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>

namespace outboard::softgpu::exec {
namespace {

// Runs `rounds` times from each of `callers` threads; the most that were inside work() at a time.
int most_at_once(ThreadPool& pool, int callers, unsigned helpers) {
  std::atomic<int> inside{0}, most{0}, calls{0};
  const auto work = [&] {
    const int now = ++inside;
    for (int seen = most; now > seen && !most.compare_exchange_weak(seen, now);) continue;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    ++calls;
    --inside;
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < callers; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < 20; ++round) pool.run(helpers, work);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_GE(calls, callers * 20);
  EXPECT_EQ(inside, 0);
  return most;
}

TEST(ThreadPool, APartOfADeviceIsNoMoreThreadsThanItHas) {
  ThreadPool two({4, 7});
  EXPECT_EQ(two.threads(), 2u);
  EXPECT_LE(most_at_once(two, 5, 3), 2);
  ThreadPool one(std::vector<uint32_t>{3});
  EXPECT_EQ(most_at_once(one, 3, 0), 1);
}

TEST(ThreadPool, EachCallerOfAWholeDeviceAddsAThread) {
  ThreadPool whole(2u);
  EXPECT_TRUE(whole.multiprocessors().empty());
  EXPECT_GT(most_at_once(whole, 4, 0), 2);
}

}  // namespace
}  // namespace outboard::softgpu::exec
