// What a driver says of its own accord reaches whoever sends notices, and no longer than it should.
#include "server/worker/driver_notices.h"

#include <gtest/gtest.h>

#include <vector>

#include "protocol/base/limits.h"

namespace outboard::server {
namespace {

using wire::Handle;
using wire::Notice;

// What the driver was given; its functions have no user data.
struct Given {
  CUlogsCallback log = nullptr;
  void* log_data = nullptr;
  int log_removed = 0;
  CUasyncCallback news = nullptr;
  void* news_data = nullptr;
  std::vector<CUasyncCallbackHandle> news_removed;
};
Given given;

constexpr uintptr_t kNative = 0x77;

class DriverNoticesTest : public testing::Test {
 protected:
  DriverNoticesTest() {
    given = {};
    driver_.cuLogsRegisterCallback = [](CUlogsCallback function, void* data, CUlogsCallbackHandle* handle) {
      given.log = function;
      given.log_data = data;
      *handle = reinterpret_cast<CUlogsCallbackHandle>(kNative);
      return CUDA_SUCCESS;
    };
    driver_.cuLogsUnregisterCallback = [](CUlogsCallbackHandle) { return ++given.log_removed, CUDA_SUCCESS; };
    driver_.cuDeviceRegisterAsyncNotification = [](CUdevice device, CUasyncCallback function, void* data,
                                                   CUasyncCallbackHandle* handle) {
      if (device != 0) return CUDA_ERROR_INVALID_DEVICE;
      given.news = function;
      given.news_data = data;
      *handle = reinterpret_cast<CUasyncCallbackHandle>(kNative);
      return CUDA_SUCCESS;
    };
    driver_.cuDeviceUnregisterAsyncNotification = [](CUdevice, CUasyncCallbackHandle handle) {
      return given.news_removed.push_back(handle), CUDA_SUCCESS;
    };
    notices_.set_sender([this](Notice notice) { sent_.push_back(std::move(notice)); });
  }

  DriverApi driver_;
  std::vector<Notice> sent_;
  DriverNotices notices_{driver_};
};

TEST_F(DriverNoticesTest, TheLogIsAskedForOnceHoweverOftenTheClientDoes) {
  EXPECT_EQ(notices_.subscribe_log(true), CUDA_SUCCESS);
  const auto first = given.log;
  given.log = nullptr;
  EXPECT_EQ(notices_.subscribe_log(true), CUDA_SUCCESS);
  EXPECT_EQ(given.log, nullptr);
  std::string message(limits::kMessageBytes + 100, 'x');
  first(given.log_data, CU_LOG_LEVEL_WARNING, message.data(), message.size());
  ASSERT_EQ(sent_.size(), 1u);
  EXPECT_EQ(sent_[0].kind, Notice::Kind::kDriverLog);
  EXPECT_EQ(sent_[0].number, CU_LOG_LEVEL_WARNING);
  EXPECT_EQ(sent_[0].text, message.substr(0, limits::kMessageBytes));
  EXPECT_EQ(notices_.subscribe_log(false), CUDA_SUCCESS);
  EXPECT_EQ(notices_.subscribe_log(false), CUDA_SUCCESS);
  EXPECT_EQ(given.log_removed, 1);
}

TEST_F(DriverNoticesTest, AnOldDriverHasNoLog) {
  DriverApi old;
  DriverNotices notices(old);
  EXPECT_EQ(notices.subscribe_log(true), CUDA_ERROR_NOT_SUPPORTED);
}

TEST_F(DriverNoticesTest, NewsNameTheClientsCallback) {
  CUasyncCallbackHandle native = nullptr;
  EXPECT_EQ(notices_.add_listener(1, Handle{5, 6}, &native), CUDA_ERROR_INVALID_DEVICE);
  ASSERT_EQ(notices_.add_listener(0, Handle{5, 6}, &native), CUDA_SUCCESS);
  EXPECT_EQ(native, reinterpret_cast<CUasyncCallbackHandle>(kNative));
  CUasyncNotificationInfo info{};
  info.type = CU_ASYNC_NOTIFICATION_TYPE_OVER_BUDGET;
  info.info.overBudget.bytesOverBudget = 12345;
  given.news(&info, given.news_data, native);
  ASSERT_EQ(sent_.size(), 1u);
  EXPECT_EQ(sent_[0].kind, Notice::Kind::kDevice);
  EXPECT_EQ(sent_[0].number, uint64_t{6} << 32 | 5);
  EXPECT_EQ(sent_[0].type, static_cast<uint32_t>(CU_ASYNC_NOTIFICATION_TYPE_OVER_BUDGET));
  EXPECT_EQ(sent_[0].bytes, 12345u);
}

TEST_F(DriverNoticesTest, AtTheEndTheDriverIsToldToCallNoMore) {
  CUasyncCallbackHandle native = nullptr;
  ASSERT_EQ(notices_.add_listener(0, Handle{1, 1}, &native), CUDA_SUCCESS);
  ASSERT_EQ(notices_.add_listener(0, Handle{2, 1}, &native), CUDA_SUCCESS);
  ASSERT_EQ(notices_.remove_listener(0, Handle{1, 1}, native), CUDA_SUCCESS);
  ASSERT_EQ(notices_.subscribe_log(true), CUDA_SUCCESS);
  notices_.close();
  EXPECT_EQ(given.news_removed.size(), 2u);
  EXPECT_EQ(given.log_removed, 1);
  notices_.close();
  EXPECT_EQ(given.news_removed.size(), 2u);
}

TEST_F(DriverNoticesTest, AClientCannotRegisterWithoutEnd) {
  CUasyncCallbackHandle native = nullptr;
  for (uint32_t i = 0; i < DriverNotices::kMaxListeners; ++i)
    ASSERT_EQ(notices_.add_listener(0, Handle{i + 1, 1}, &native), CUDA_SUCCESS);
  EXPECT_EQ(notices_.add_listener(0, Handle{5000, 1}, &native), CUDA_ERROR_OUT_OF_MEMORY);
}

}  // namespace
}  // namespace outboard::server
