#include "server/softgpu/device/stream.h"

#include <atomic>
#include <chrono>
#include <thread>

#include "server/softgpu/device/event.h"
#include "server/softgpu/device/memory_pool.h"
#include "tests/softgpu/device/platform_fixture.h"

namespace outboard::softgpu {
namespace {

using StreamTest = PlatformTest;

// Work that waits until it is let go.
struct Gate {
  std::atomic<bool> open{false};
  std::unique_ptr<Work> work() {
    return make_work([this](std::string&) {
      while (!open.load()) std::this_thread::yield();
      return CUDA_SUCCESS;
    });
  }
};

std::unique_ptr<Work> note_order(std::vector<int>& order, std::mutex& mutex, int number) {
  return make_work([&order, &mutex, number](std::string&) {
    const std::lock_guard lock(mutex);
    order.push_back(number);
    return CUDA_SUCCESS;
  });
}

TEST_F(StreamTest, WorkOfOneStreamIsInOrder) {
  const auto stream = context_->create_stream(0, 0);
  std::vector<int> order;
  std::mutex mutex;
  for (int i = 0; i < 1000; ++i) context_->enqueue(stream, note_order(order, mutex, i));
  EXPECT_EQ(context_->synchronize(stream), CUDA_SUCCESS);
  ASSERT_EQ(order.size(), 1000u);
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
}

TEST_F(StreamTest, OtherStreamsDoNotWait) {
  Gate gate;
  const auto blocked = context_->create_stream(CU_STREAM_NON_BLOCKING, 0);
  const auto free_stream = context_->create_stream(CU_STREAM_NON_BLOCKING, 0);
  context_->enqueue(blocked, gate.work());
  std::atomic<bool> ran{false};
  context_
      ->enqueue(free_stream, make_work([&](std::string&) {
                  ran = true;
                  return CUDA_SUCCESS;
                }))
      .wait();
  EXPECT_TRUE(ran);
  EXPECT_FALSE(blocked->idle());
  gate.open = true;
  EXPECT_EQ(context_->synchronize(), CUDA_SUCCESS);
}

TEST_F(StreamTest, NullStreamWaitsForBlockingStreamsAndTheyForIt) {
  Gate gate;
  const auto blocking = context_->create_stream(0, 0);
  const auto independent = context_->create_stream(CU_STREAM_NON_BLOCKING, 0);
  std::vector<int> order;
  std::mutex mutex;
  context_->enqueue(blocking, gate.work());
  context_->enqueue(blocking, note_order(order, mutex, 1));
  context_->enqueue(context_->null_stream(), note_order(order, mutex, 2));
  context_->enqueue(blocking, note_order(order, mutex, 3));
  context_->enqueue(independent, note_order(order, mutex, 0)).wait();
  gate.open = true;
  EXPECT_EQ(context_->synchronize(), CUDA_SUCCESS);
  EXPECT_EQ(order, (std::vector<int>{0, 1, 2, 3}));
}

TEST_F(StreamTest, EventsOrderStreamsAndCarryTimes) {
  const auto first = context_->create_stream(CU_STREAM_NON_BLOCKING, 0);
  const auto second = context_->create_stream(CU_STREAM_NON_BLOCKING, 0);
  const auto event = std::make_shared<Event>(0, context_->handle());
  EXPECT_TRUE(event->record().point.reached());  // never recorded
  Gate gate;
  std::vector<int> order;
  std::mutex mutex;
  context_->enqueue(first, gate.work());
  context_->enqueue(first, note_order(order, mutex, 1));
  EXPECT_EQ(context_->record_event(event, first), CUDA_SUCCESS);
  EXPECT_EQ(context_->wait_event(second, event), CUDA_SUCCESS);
  context_->enqueue(second, note_order(order, mutex, 2));
  EXPECT_FALSE(event->record().point.reached());
  gate.open = true;
  EXPECT_EQ(context_->synchronize(second), CUDA_SUCCESS);
  EXPECT_EQ(order, (std::vector<int>{1, 2}));
  EXPECT_GT(event->record().time_ns->load(), 0u);
}

TEST_F(StreamTest, AFailureSticksAndSkipsWhatFollows) {
  const auto stream = context_->create_stream(0, 0);
  std::atomic<int> ran{0};
  context_->enqueue(stream, make_work([](std::string& message) {
                      message = "first";
                      return CUDA_ERROR_ILLEGAL_ADDRESS;
                    }));
  context_->enqueue(stream, make_work([&](std::string&) {
                      ++ran;
                      return CUDA_ERROR_LAUNCH_FAILED;
                    }));
  context_->enqueue(stream, make_work(
                                [&](std::string&) {
                                  ran += 10;
                                  return CUDA_SUCCESS;
                                },
                                true));
  EXPECT_EQ(context_->synchronize(stream), CUDA_ERROR_ILLEGAL_ADDRESS);
  EXPECT_EQ(ran.load(), 10);
  EXPECT_EQ(context_->errors().message(), "first");
  EXPECT_EQ(platform_->reset_primary(0), CUDA_SUCCESS);
  EXPECT_EQ(context_->synchronize(), CUDA_SUCCESS);
}

TEST_F(StreamTest, ADestroyedStreamFinishesItsWork) {
  Gate gate;
  std::atomic<bool> ran{false};
  auto stream = context_->create_stream(CU_STREAM_NON_BLOCKING, 0);
  context_->enqueue(stream, gate.work());
  context_->enqueue(stream, make_work([&](std::string&) {
                      ran = true;
                      return CUDA_SUCCESS;
                    }));
  platform_->handles().remove<Stream>(stream->handle());
  context_->forget_stream(stream);
  stream.reset();
  gate.open = true;
  EXPECT_EQ(context_->synchronize(), CUDA_SUCCESS);
  EXPECT_TRUE(ran);
}

TEST_F(StreamTest, ThreadsHaveStreamsOfTheirOwn) {
  const auto mine = context_->stream(CU_STREAM_PER_THREAD);
  EXPECT_EQ(mine, context_->stream(CU_STREAM_PER_THREAD));
  std::shared_ptr<Stream> other;
  std::thread([&] { other = context_->stream(CU_STREAM_PER_THREAD); }).join();
  EXPECT_NE(mine, other);
  EXPECT_EQ(context_->stream(nullptr), context_->null_stream());
}

TEST_F(StreamTest, PoolMemoryIsReusedWhenTheStreamHasFreedIt) {
  const auto pool = platform_->current_pool(0);
  const auto stream = context_->create_stream(0, 0);
  constexpr uint64_t kMost = uint64_t{48} << 20;  // of 64 MiB: no room for two
  for (int i = 0; i < 3; ++i) {
    uint64_t address = 0;
    ASSERT_EQ(pool->allocate(*context_, kMost, &address), CUDA_SUCCESS);
    EXPECT_EQ(context_->submit(stream, FreeOperation{address}), CUDA_SUCCESS);
  }
  EXPECT_EQ(context_->synchronize(), CUDA_SUCCESS);
  EXPECT_EQ(context_->device().free_bytes(), context_->device().total_bytes());
}

TEST_F(StreamTest, ClosingAContextFreesItsMemory) {
  allocate(1000);
  allocate(5 << 20);
  EXPECT_LT(context_->device().free_bytes(), context_->device().total_bytes());
  const uint64_t handle = context_->handle();
  EXPECT_EQ(platform_->release_primary(0), CUDA_SUCCESS);
  EXPECT_EQ(context_->device().free_bytes(), context_->device().total_bytes());
  EXPECT_FALSE(context_->active());
  EXPECT_EQ(platform_->retain_primary(0, &context_), CUDA_SUCCESS);
  EXPECT_EQ(context_->handle(), handle);
}

}  // namespace
}  // namespace outboard::softgpu
