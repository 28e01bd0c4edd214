#include "server/worker/waiter_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>

namespace outboard::server {
namespace {

struct State {
  int jobs = 0;
};
using Pool = WaiterPool<State>;

std::function<std::unique_ptr<State>()> make_state() {
  return [] { return std::make_unique<State>(); };
}

TEST(WaiterPool, ABlockedJobDoesNotHoldUpTheNext) {
  Pool pool(4, 16, make_state());
  std::promise<void> gate;
  std::shared_future<void> opened = gate.get_future().share();
  std::promise<void> second;
  ASSERT_TRUE(pool.submit([opened](State&) { opened.wait(); }));
  ASSERT_TRUE(pool.submit([&second](State&) { second.set_value(); }));
  EXPECT_EQ(second.get_future().wait_for(std::chrono::seconds(10)), std::future_status::ready);
  gate.set_value();
}

TEST(WaiterPool, AnIdleThreadIsReused) {
  Pool pool(4, 16, make_state());
  for (int i = 1; i <= 5; ++i) {
    std::promise<int> jobs_of_thread;
    ASSERT_TRUE(pool.submit([&](State& state) { jobs_of_thread.set_value(++state.jobs); }));
    EXPECT_EQ(jobs_of_thread.get_future().get(), i);
    while (pool.idle() == 0) std::this_thread::yield();
  }
  EXPECT_EQ(pool.threads(), 1u);
}

TEST(WaiterPool, ThreadsAndQueueAreBounded) {
  std::promise<void> gate;
  std::shared_future<void> opened = gate.get_future().share();
  std::atomic<int> done{0};
  std::atomic<int> started{0};
  {
    Pool pool(2, 3, make_state());
    const auto job = [&, opened](State&) {
      ++started;
      opened.wait();
      ++done;
    };
    ASSERT_TRUE(pool.submit(job));
    ASSERT_TRUE(pool.submit(job));
    while (started < 2) std::this_thread::yield();
    for (int i = 0; i < 3; ++i) ASSERT_TRUE(pool.submit(job));
    EXPECT_FALSE(pool.submit(job));
    EXPECT_EQ(pool.threads(), 2u);
    gate.set_value();
  }
  EXPECT_EQ(done, 5);  // what was queued still ran
}

}  // namespace
}  // namespace outboard::server
