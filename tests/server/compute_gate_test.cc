// The gate on a device whose time the test lets pass: nothing here depends on how fast the machine is.
#include "server/worker/compute_gate.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <future>
#include <string>

namespace outboard::server {
namespace {

using std::chrono::seconds;
constexpr uint64_t kMs = 1'000'000;
const auto kContext = reinterpret_cast<CUcontext>(uintptr_t{0x10});
const auto kStream = reinterpret_cast<CUstream>(uintptr_t{0x20});

// One queue of work, in which events stand. DriverApi has no user data, so one device is current.
class Timeline {
 public:
  Timeline() {
    current_ = this;
    api.cuCtxGetCurrent = [](CUcontext* context) { return *context = kContext, CUDA_SUCCESS; };
    api.cuCtxSetCurrent = [](CUcontext) { return CUDA_SUCCESS; };
    api.cuCtxPushCurrent_v2 = [](CUcontext) { return CUDA_SUCCESS; };
    api.cuCtxPopCurrent_v2 = [](CUcontext*) { return CUDA_SUCCESS; };
    api.cuThreadExchangeStreamCaptureMode = [](CUstreamCaptureMode*) { return CUDA_SUCCESS; };
    api.cuStreamIsCapturing = [](CUstream, CUstreamCaptureStatus* status) {
      return *status = CU_STREAM_CAPTURE_STATUS_ACTIVE, CUDA_SUCCESS;
    };
    api.cuEventCreate = [](CUevent* event, unsigned) { return current_->create(event); };
    api.cuEventDestroy_v2 = [](CUevent) { return --current_->events_, CUDA_SUCCESS; };
    api.cuEventRecord = [](CUevent event, CUstream) { return current_->record(event); };
    api.cuEventSynchronize = [](CUevent event) { return current_->wait_for(current_->at(event)); };
    api.cuEventElapsedTime = [](float* ms, CUevent from, CUevent to) {
      *ms = static_cast<float>(current_->at(to) - current_->at(from)) / kMs;
      return CUDA_SUCCESS;
    };
    api.cuCtxSynchronize = [] {
      ++current_->synchronizations_;
      return current_->wait_for(current_->queued());
    };
  }
  ~Timeline() { pass(UINT64_MAX / 2); }

  CUresult add(uint64_t ns) {
    const std::lock_guard lock(mutex_);
    queued_ns_ += ns;
    return CUDA_SUCCESS;
  }
  // Everything up to this time is done.
  void pass(uint64_t now_ns) {
    {
      const std::lock_guard lock(mutex_);
      now_ns_ = now_ns;
    }
    changed_.notify_all();
  }
  int events() const { return events_; }
  int synchronizations() const { return synchronizations_; }

  DriverApi api;

 private:
  CUresult create(CUevent* event) {
    const std::lock_guard lock(mutex_);
    ++events_;
    times_.push_back(0);
    *event = reinterpret_cast<CUevent>(times_.size());
    return CUDA_SUCCESS;
  }
  CUresult record(CUevent event) {
    const std::lock_guard lock(mutex_);
    times_[reinterpret_cast<uintptr_t>(event) - 1] = queued_ns_;
    return CUDA_SUCCESS;
  }
  uint64_t at(CUevent event) {
    const std::lock_guard lock(mutex_);
    return times_[reinterpret_cast<uintptr_t>(event) - 1];
  }
  uint64_t queued() {
    const std::lock_guard lock(mutex_);
    return queued_ns_;
  }
  CUresult wait_for(uint64_t ns) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return now_ns_ >= ns; });
    return CUDA_SUCCESS;
  }

  static inline Timeline* current_ = nullptr;
  std::mutex mutex_;
  std::condition_variable changed_;
  uint64_t queued_ns_ = 0;
  uint64_t now_ns_ = 0;
  std::vector<uint64_t> times_;
  std::atomic<int> events_{0};
  std::atomic<int> synchronizations_{0};
};

class ComputeGateTest : public testing::Test {
 protected:
  ~ComputeGateTest() override { timeline_.pass(UINT64_MAX / 2); }
  void start() {
    gate_.start({.want = [this](uint32_t device) { say("want " + std::to_string(device)); },
                 .used =
                     [this](uint32_t, uint64_t ns, bool idle) {
                       used_ns_ += ns;
                       say(idle ? "idle" : "used");
                     },
                 .over =
                     [this](uint32_t, uint64_t ns, bool more) {
                       used_ns_ += ns;
                       say(more ? "over, more" : "over");
                     }});
  }
  void say(const std::string& word) {
    {
      const std::lock_guard lock(mutex_);
      said_.push_back(word);
    }
    changed_.notify_all();
  }
  // False if it is not said within a time that no working gate needs.
  bool hears(const std::string& word) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, seconds(20), [&] { return count_locked(word) != 0; });
  }
  size_t count_locked(const std::string& word) const {
    return static_cast<size_t>(std::count(said_.begin(), said_.end(), word));
  }
  size_t count(const std::string& word) {
    const std::lock_guard lock(mutex_);
    return count_locked(word);
  }
  CUresult launch(uint64_t ns, uint64_t key = 1) {
    return gate_.launch(0, kStream, key, [&] { return timeline_.add(ns); });
  }
  // In another thread, because it may have to wait.
  std::future<CUresult> launch_beside(uint64_t ns, uint64_t key = 1) {
    return std::async(std::launch::async, [this, ns, key] { return launch(ns, key); });
  }

  Timeline timeline_;
  std::atomic<bool> host_function_{false};
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> said_;
  std::atomic<uint64_t> used_ns_{0};
  ComputeGate gate_{timeline_.api, 1, [this] { return host_function_.load(); }};
};

TEST_F(ComputeGateTest, WithoutADaemonEverythingPasses) {
  EXPECT_EQ(launch(kMs), CUDA_SUCCESS);
  EXPECT_EQ(timeline_.events(), 0);
}

TEST_F(ComputeGateTest, ALaunchWaitsForTheTurnThatItAsksFor) {
  start();
  auto launched = launch_beside(kMs);
  ASSERT_TRUE(hears("want 0"));
  EXPECT_NE(launched.wait_for(seconds(0)), std::future_status::ready);
  gate_.turn(0, 2 * kMs);
  EXPECT_EQ(launched.get(), CUDA_SUCCESS);
  EXPECT_EQ(count("want 0"), 1u);
}

TEST_F(ComputeGateTest, WhatIsUsedIsMeasuredByTheDevicesClock) {
  start();
  gate_.turn(0, 100 * kMs);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(launch(3 * kMs), CUDA_SUCCESS);
  gate_.end_batches();
  timeline_.pass(15 * kMs);
  ASSERT_TRUE(hears("idle"));
  EXPECT_NEAR(static_cast<double>(used_ns_), 15.0 * kMs, 1000);
}

TEST_F(ComputeGateTest, TimeBetweenLaunchesIsNotUsed) {
  start();
  gate_.turn(0, 100 * kMs);
  EXPECT_EQ(launch(kMs), CUDA_SUCCESS);
  gate_.end_batches();
  timeline_.add(50 * kMs);  // a host function, for example
  EXPECT_EQ(launch(kMs), CUDA_SUCCESS);
  gate_.end_batches();
  timeline_.pass(52 * kMs);
  ASSERT_TRUE(hears("idle"));
  EXPECT_NEAR(static_cast<double>(used_ns_), 2.0 * kMs, 1000);
}

TEST_F(ComputeGateTest, NoMoreIsUnderWayThanTheCreditAllows) {
  start();
  gate_.turn(0, 2 * kMs);
  EXPECT_EQ(launch(kMs), CUDA_SUCCESS);
  gate_.end_batches();
  timeline_.pass(kMs);
  ASSERT_TRUE(hears("idle"));
  // Now it is known how long they take: two fit.
  EXPECT_EQ(launch(kMs), CUDA_SUCCESS);
  EXPECT_EQ(launch(kMs), CUDA_SUCCESS);
  auto third = launch_beside(kMs);
  EXPECT_EQ(third.wait_for(std::chrono::milliseconds(20)), std::future_status::timeout);
  timeline_.pass(2 * kMs);
  EXPECT_EQ(third.get(), CUDA_SUCCESS);
}

TEST_F(ComputeGateTest, ALaunchLongerThanAnyCreditPassesWhenNothingElseIsUnderWay) {
  start();
  gate_.turn(0, kMs);
  EXPECT_EQ(launch(500 * kMs), CUDA_SUCCESS);
  gate_.end_batches();
  timeline_.pass(500 * kMs);
  ASSERT_TRUE(hears("idle"));
  EXPECT_EQ(launch(500 * kMs), CUDA_SUCCESS);
}

TEST_F(ComputeGateTest, ATurnIsOverWhenNothingIsUnderWayAnyMore) {
  start();
  gate_.turn(0, 10 * kMs);
  EXPECT_EQ(launch(kMs), CUDA_SUCCESS);
  gate_.end_batches();
  gate_.yield(0);
  auto next = launch_beside(kMs);
  EXPECT_EQ(next.wait_for(std::chrono::milliseconds(20)), std::future_status::timeout);
  EXPECT_EQ(count("over") + count("over, more"), 0u);
  timeline_.pass(kMs);
  ASSERT_TRUE(hears("over, more"));
  EXPECT_NEAR(static_cast<double>(used_ns_), 1.0 * kMs, 1000);
  EXPECT_EQ(count("want 0"), 0u) << "it has said so already";
  gate_.turn(0, 10 * kMs);
  EXPECT_EQ(next.get(), CUDA_SUCCESS);
}

TEST_F(ComputeGateTest, AnIdleTurnEndsAtOnce) {
  start();
  gate_.turn(0, kMs);
  gate_.yield(0);
  EXPECT_TRUE(hears("over"));
  gate_.yield(0);  // not its turn any more
  auto launched = launch_beside(kMs);
  ASSERT_TRUE(hears("want 0"));
  gate_.turn(0, kMs);
  EXPECT_EQ(launched.get(), CUDA_SUCCESS);
}

TEST_F(ComputeGateTest, WhatPassedFreelyIsWaitedForBeforeTheTurnEnds) {
  start();
  gate_.enter_context(kContext);
  gate_.turn(0, ComputeGate::kFreeNs);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(launch(kMs), CUDA_SUCCESS);
  EXPECT_EQ(timeline_.events(), 0) << "nothing is measured";
  gate_.yield(0);
  auto next = launch_beside(kMs);
  EXPECT_EQ(next.wait_for(std::chrono::milliseconds(20)), std::future_status::timeout);
  EXPECT_EQ(count("over, more") + count("over"), 0u);
  timeline_.pass(100 * kMs);
  ASSERT_TRUE(hears("over, more"));
  EXPECT_EQ(timeline_.synchronizations(), 1);
  gate_.turn(0, kMs);
  EXPECT_EQ(next.get(), CUDA_SUCCESS);
}

TEST_F(ComputeGateTest, AFailedLaunchTakesNothing) {
  start();
  gate_.turn(0, kMs);
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(gate_.launch(0, kStream, 1, [] { return CUDA_ERROR_INVALID_VALUE; }), CUDA_ERROR_INVALID_VALUE);
  }
  gate_.yield(0);
  EXPECT_TRUE(hears("over"));
  EXPECT_EQ(used_ns_, 0u);
}

TEST_F(ComputeGateTest, WhatIsCapturedNeedsNoTurn) {
  start();
  gate_.capture_changes(1);
  EXPECT_EQ(launch(0), CUDA_SUCCESS);
  EXPECT_EQ(count("want 0"), 0u);
  gate_.capture_changes(-1);
}

TEST_F(ComputeGateTest, WhatTheDeviceMayWaitForIsNotHeldUpForEver) {
  start();
  gate_.turn(0, kMs);
  EXPECT_EQ(launch(100 * kMs), CUDA_SUCCESS);
  gate_.end_batches();
  timeline_.pass(100 * kMs);
  ASSERT_TRUE(hears("idle"));
  EXPECT_EQ(launch(100 * kMs), CUDA_SUCCESS);
  // The device stands still, though two such launches are more than the credit: perhaps it waits for what
  // the second does.
  EXPECT_EQ(launch(100 * kMs), CUDA_SUCCESS);
  host_function_ = true;
  EXPECT_EQ(launch(100 * kMs), CUDA_SUCCESS);
}

TEST_F(ComputeGateTest, AContextThatGoesTakesItsEventsAlong) {
  start();
  gate_.turn(0, 100 * kMs);
  EXPECT_EQ(launch(kMs), CUDA_SUCCESS);
  timeline_.pass(kMs);
  gate_.drop_context(kContext);
  EXPECT_EQ(timeline_.events(), 0);
  EXPECT_EQ(launch(kMs), CUDA_SUCCESS) << "in another context, with events of its own";
  EXPECT_EQ(timeline_.events(), 2);
}

TEST_F(ComputeGateTest, TheEndOfTheSessionLetsEverybodyGo) {
  start();
  auto launched = launch_beside(kMs);
  ASSERT_TRUE(hears("want 0"));
  gate_.open_for_good();
  EXPECT_EQ(launched.get(), CUDA_SUCCESS);
}

}  // namespace
}  // namespace outboard::server
