#include "client-lib/session/command_stream.h"

#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "protocol/wire/reader.h"

namespace outboard::client {
namespace {

struct FakeRequest {
  static constexpr wire::Opcode kOpcode = static_cast<wire::Opcode>(5);
  uint64_t value = 0;
  void encode(wire::Writer& writer) const { writer.varint(value); }
};

struct Decoded {
  uint64_t sequence = 0;
  bool wants_reply = false;
  wire::Handle context;
  uint64_t value = 0;
  size_t bulk_bytes = 0;
};

// Stands in for the wire: decodes what is sent, and can hold a send back or fail it.
class FakeWire {
 public:
  Status send(const CommandBatch& batch, std::span<const std::byte> more_bulk) {
    std::unique_lock lock(mutex_);
    ++batches;
    changed_.notify_all();
    changed_.wait(lock, [this] { return !held_; });
    if (failing) return fail(ErrorKind::kDisconnected, "The peer is gone.");
    wire::FrameHead head;
    head.envelope.first_sequence = batch.first_sequence();
    head.envelope.command_count = batch.count();
    head.commands = batch.commands();
    head.bulk_bytes = static_cast<uint32_t>(batch.bulk().size() + more_bulk.size());
    wire::CommandReader reader(head);
    wire::Command command;
    while (reader.next(command)) {
      EXPECT_EQ(command.opcode, FakeRequest::kOpcode);
      wire::Reader body(command.body);
      commands.push_back(
          {command.sequence, command.wants_reply, command.context, body.varint(), command.bulk_bytes});
      EXPECT_TRUE(body.finished());
    }
    EXPECT_TRUE(reader.end());
    bulk_bytes += batch.bulk().size() + more_bulk.size();
    return {};
  }
  void hold() {
    std::lock_guard lock(mutex_);
    held_ = true;
  }
  void release() {
    std::lock_guard lock(mutex_);
    held_ = false;
    changed_.notify_all();
  }
  void wait_for_batches(int count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return batches >= count; });
  }

  std::vector<Decoded> commands;
  size_t bulk_bytes = 0;
  int batches = 0;
  bool failing = false;

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool held_ = false;
};

class CommandStreamTest : public testing::Test {
 protected:
  FakeWire wire_;
  int failures_ = 0;
  CommandStream stream_{
      [this](const CommandBatch& batch, std::span<const std::byte> more) { return wire_.send(batch, more); },
      [this](const Error&) { ++failures_; }};
  const CommandScope scope_{{1, 1}, 0};
};

TEST_F(CommandStreamTest, AnIdleLinkSendsAtOnce) {
  ASSERT_TRUE(stream_.post(scope_, FakeRequest{7}));
  ASSERT_EQ(wire_.commands.size(), 1u);
  EXPECT_EQ(wire_.commands[0].sequence, 1u);
  EXPECT_EQ(wire_.commands[0].value, 7u);
  EXPECT_FALSE(wire_.commands[0].wants_reply);
  EXPECT_EQ(wire_.commands[0].context.index, 1u);
}

TEST_F(CommandStreamTest, CommandsGatherUntilTheAcknowledgementArrives) {
  std::thread background([this] { stream_.run_background(); });
  for (uint64_t i = 1; i <= 10; ++i) ASSERT_TRUE(stream_.post(scope_, FakeRequest{i}));
  EXPECT_EQ(wire_.batches, 1);
  stream_.acknowledge(1);
  wire_.wait_for_batches(2);
  stream_.close();
  background.join();
  ASSERT_EQ(wire_.commands.size(), 10u);
  for (uint64_t i = 0; i < 10; ++i) {
    EXPECT_EQ(wire_.commands[i].sequence, i + 1);
    EXPECT_EQ(wire_.commands[i].value, i + 1);
  }
}

TEST_F(CommandStreamTest, AFullBatchLeavesWithoutAcknowledgement) {
  ASSERT_TRUE(stream_.post(scope_, FakeRequest{0}));
  const std::vector<std::byte> data(CommandStream::kCopiedBulkBytes);
  for (size_t sent = 0; sent < CommandStream::kFlushBytes; sent += data.size()) {
    ASSERT_TRUE(stream_.post(scope_, FakeRequest{1}, data));
  }
  EXPECT_EQ(wire_.batches, 2);
  EXPECT_EQ(wire_.bulk_bytes, CommandStream::kFlushBytes);
}

TEST_F(CommandStreamTest, ACallTakesWhatGatheredWithIt) {
  PendingCalls pending;
  PendingCall call;
  ASSERT_TRUE(stream_.post(scope_, FakeRequest{1}));
  ASSERT_TRUE(stream_.post(scope_, FakeRequest{2}));
  ASSERT_TRUE(stream_.call(scope_, FakeRequest{3}, pending, call));
  EXPECT_EQ(call.sequence, 3u);
  ASSERT_EQ(wire_.commands.size(), 3u);
  EXPECT_TRUE(wire_.commands[2].wants_reply);
  EXPECT_EQ(pending.take(2), nullptr);
  ASSERT_EQ(pending.take(3), &call);
  EXPECT_EQ(pending.take(3), nullptr);
  call.reply.result = CUDA_ERROR_INVALID_VALUE;
  pending.complete(call);
  pending.wait(call);
  EXPECT_EQ(call.reply.result, CUDA_ERROR_INVALID_VALUE);
}

TEST_F(CommandStreamTest, LargeDataIsSentBeforeTheCallReturns) {
  ASSERT_TRUE(stream_.post(scope_, FakeRequest{1}));
  const std::vector<std::byte> data(CommandStream::kCopiedBulkBytes + 1);
  ASSERT_TRUE(stream_.post(scope_, FakeRequest{2}, data));
  EXPECT_EQ(wire_.bulk_bytes, data.size());
  EXPECT_EQ(wire_.commands.back().bulk_bytes, data.size());
}

TEST_F(CommandStreamTest, WhatOthersPostDuringASendFollowsInOrder) {
  wire_.hold();
  std::thread first([this] { EXPECT_TRUE(stream_.post(scope_, FakeRequest{1})); });
  wire_.wait_for_batches(1);
  PendingCalls pending;
  PendingCall call;
  ASSERT_TRUE(stream_.post(scope_, FakeRequest{2}));
  ASSERT_TRUE(stream_.call(scope_, FakeRequest{3}, pending, call));
  wire_.release();
  first.join();
  ASSERT_EQ(wire_.commands.size(), 3u);
  EXPECT_EQ(wire_.batches, 2);
  EXPECT_EQ(wire_.commands[2].value, 3u);
}

TEST_F(CommandStreamTest, ManyThreadsKeepTheirOwnOrder) {
  std::thread background([this] { stream_.run_background(); });
  constexpr uint64_t kEach = 2000;
  std::vector<std::thread> threads;
  for (uint32_t t = 0; t < 3; ++t) {
    threads.emplace_back([this, t] {
      const CommandScope scope{{t + 1, 1}, 0};
      for (uint64_t i = 0; i < kEach; ++i) EXPECT_TRUE(stream_.post(scope, FakeRequest{i}));
    });
  }
  for (std::thread& thread : threads) thread.join();
  ASSERT_TRUE(stream_.flush());
  stream_.close();
  background.join();
  ASSERT_EQ(wire_.commands.size(), 3 * kEach);
  uint64_t next[4] = {};
  for (size_t i = 0; i < wire_.commands.size(); ++i) {
    EXPECT_EQ(wire_.commands[i].sequence, i + 1);
    EXPECT_EQ(wire_.commands[i].value, next[wire_.commands[i].context.index]++);
  }
}

TEST_F(CommandStreamTest, AFailedSendClosesTheStreamAndIsToldOnce) {
  wire_.failing = true;
  (void)stream_.post(scope_, FakeRequest{1});
  EXPECT_FALSE(stream_.post(scope_, FakeRequest{2}));
  EXPECT_FALSE(stream_.flush());
  EXPECT_EQ(failures_, 1);
}

TEST(PendingCalls, FailureEndsWaitingAndFutureCalls) {
  PendingCalls pending;
  PendingCall call;
  call.sequence = 1;
  ASSERT_TRUE(pending.add(call));
  std::thread waiter([&] { pending.wait(call); });
  pending.fail_all(CUDA_ERROR_DEVICE_UNAVAILABLE);
  waiter.join();
  EXPECT_EQ(call.reply.result, CUDA_ERROR_DEVICE_UNAVAILABLE);
  PendingCall late;
  EXPECT_FALSE(pending.add(late));
}

}  // namespace
}  // namespace outboard::client
