// Callbacks of the program that notices of the server run.
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>

#include "client-lib/calls/calls_gen.h"
#include "protocol/wire/messages_device_gen.h"
#include "protocol/wire/messages_logs_gen.h"
#include "tests/client/scripted_server.h"

namespace outboard::client {
namespace {

using wire::Notice;
using wire::Opcode;

// Waits until the callbacks' thread has come to it.
template <typename Condition>
bool soon(Condition condition) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!condition() && std::chrono::steady_clock::now() < until) std::this_thread::yield();
  return condition();
}

class Notices : public testing::Test {
 protected:
  Notices() { test_.make_current(); }
  void send(Notice notice) {
    wire::Envelope envelope;
    envelope.kind = std::move(notice);
    test_.server.send(envelope);
  }
  ClientTest test_;
  Client& client_ = test_.client;
};

struct Lines {
  std::mutex mutex;
  std::vector<std::pair<CUlogLevel, std::string>> all;
  size_t count() {
    std::lock_guard lock(mutex);
    return all.size();
  }
};

void add_line(void* data, CUlogLevel level, char* message, size_t length) {
  auto* lines = static_cast<Lines*>(data);
  std::lock_guard lock(lines->mutex);
  lines->all.emplace_back(level, std::string(message, length));
  message[0] = '#';  // its own copy
}

TEST_F(Notices, EveryListenerHearsTheDriversLogUntilItLeaves) {
  Lines first, second;
  CUlogsCallbackHandle one = nullptr, two = nullptr;
  EXPECT_EQ(calls::cuLogsRegisterCallback(client_, nullptr, nullptr, &one), CUDA_ERROR_INVALID_VALUE);
  ASSERT_EQ(calls::cuLogsRegisterCallback(client_, &add_line, &first, &one), CUDA_SUCCESS);
  ASSERT_EQ(calls::cuLogsRegisterCallback(client_, &add_line, &second, &two), CUDA_SUCCESS);
  send({Notice::Kind::kDriverLog, "something is wrong", CU_LOG_LEVEL_WARNING});
  ASSERT_TRUE(soon([&] { return first.count() == 1 && second.count() == 1; }));
  EXPECT_EQ(first.all[0].first, CU_LOG_LEVEL_WARNING);
  EXPECT_EQ(second.all[0].second, "something is wrong");

  EXPECT_EQ(calls::cuLogsUnregisterCallback(client_, one), CUDA_SUCCESS);
  EXPECT_EQ(calls::cuLogsUnregisterCallback(client_, one), CUDA_ERROR_INVALID_VALUE);
  send({Notice::Kind::kDriverLog, "again", CU_LOG_LEVEL_ERROR});
  ASSERT_TRUE(soon([&] { return second.count() == 2; }));
  EXPECT_EQ(first.count(), 1u);

  // The server hears of the last one that leaves.
  EXPECT_EQ(calls::cuLogsUnregisterCallback(client_, two), CUDA_SUCCESS);
  const auto seen = test_.server.commands_of(Opcode::kLogsSubscribe, 3);
  ASSERT_EQ(seen.size(), 3u);
  EXPECT_TRUE(seen[1].as<wire::LogsSubscribeRequest>().subscribe);
  EXPECT_FALSE(seen[2].as<wire::LogsSubscribeRequest>().subscribe);
}

TEST_F(Notices, AListenerThatTheDriverRefusesIsForgotten) {
  test_.server.on(Opcode::kLogsSubscribe,
                  [](const SeenCommand&) { return Answer{CUDA_ERROR_NOT_SUPPORTED, {}, {}}; });
  CUlogsCallbackHandle handle = nullptr;
  EXPECT_EQ(calls::cuLogsRegisterCallback(client_, &add_line, nullptr, &handle), CUDA_ERROR_NOT_SUPPORTED);
  EXPECT_EQ(handle, nullptr);
  EXPECT_FALSE(client_.notifications().has_log_listeners());
}

struct News {
  std::atomic<uint64_t> bytes{0};
  std::atomic<CUasyncCallbackHandle> handle{nullptr};
};

void note_news(CUasyncNotificationInfo* info, void* data, CUasyncCallbackHandle handle) {
  auto* news = static_cast<News*>(data);
  news->handle = handle;
  news->bytes = info->info.overBudget.bytesOverBudget;
}

TEST_F(Notices, NewsOfADeviceReachTheirCallbackOnly) {
  News first, second;
  CUasyncCallbackHandle one = nullptr, two = nullptr;
  ASSERT_EQ(calls::cuDeviceRegisterAsyncNotification(client_, 0, &note_news, &first, &one), CUDA_SUCCESS);
  ASSERT_EQ(calls::cuDeviceRegisterAsyncNotification(client_, 0, &note_news, &second, &two), CUDA_SUCCESS);
  EXPECT_NE(one, two);
  const auto seen = test_.server.commands_of(Opcode::kDeviceRegisterNotification, 2);
  const wire::Handle named = seen[1].as<wire::DeviceRegisterNotificationRequest>().callback;
  const uint64_t number = uint64_t{named.generation} << 32 | named.index;
  send({Notice::Kind::kDevice, {}, number + 1000, 1, 99});  // nobody's
  send({Notice::Kind::kDevice, {}, number, CU_ASYNC_NOTIFICATION_TYPE_OVER_BUDGET, 4096});
  ASSERT_TRUE(soon([&] { return second.bytes == 4096; }));
  EXPECT_EQ(second.handle, two);
  EXPECT_EQ(first.bytes, 0u);
  EXPECT_EQ(calls::cuDeviceUnregisterAsyncNotification(client_, 7, two), CUDA_ERROR_INVALID_DEVICE);
  EXPECT_EQ(calls::cuDeviceUnregisterAsyncNotification(client_, 0, two), CUDA_SUCCESS);
  EXPECT_EQ(calls::cuDeviceUnregisterAsyncNotification(client_, 0, two), CUDA_ERROR_INVALID_HANDLE);
}

TEST_F(Notices, ADumpThatIsLargerThanAskedForIsNotCopied) {
  test_.server.on(Opcode::kLogsDump, [](const SeenCommand& command) {
    EXPECT_EQ(command.as<wire::LogsDumpRequest>().size_bytes, 4u);
    return answer_with(wire::LogsDumpReply{.iterator = 9, .text = "four"});
  });
  char buffer[4] = {'a', 'b', 'c', 'd'};
  size_t size = sizeof buffer;
  CUlogIterator iterator = 3;
  EXPECT_EQ(calls::cuLogsDumpToMemory(client_, &iterator, buffer, &size, 0), CUDA_ERROR_UNKNOWN);
  EXPECT_EQ(size, 0u);
  EXPECT_EQ(buffer[0], 'a');
}

}  // namespace
}  // namespace outboard::client
