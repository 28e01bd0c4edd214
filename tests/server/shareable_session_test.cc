// Sessions that share memory: who pays for it, and until when.
#include <gtest/gtest.h>

#include <thread>

#include "protocol/wire/messages_memory_gen.h"
#include "protocol/wire/messages_vmm_gen.h"
#include "server/daemon/exports.h"
#include "tests/server/scripted_client.h"

namespace outboard::server::testing {
namespace {

constexpr uint64_t kLease = 1 << 20;
constexpr auto kPosix = CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR;

// What the daemon keeps, without a daemon: it answers on a thread of its own.
class Directory {
 public:
  ~Directory() {
    for (std::thread& thread : threads_) thread.join();
  }
  ExportExchange::Send sender(uint64_t session, ScriptedClient*& client) {
    return [this, session, &client](const ExportRequest& request, int descriptor) -> Status {
      UniqueFd copy(descriptor >= 0 ? ::dup(descriptor) : -1);
      std::lock_guard lock(mutex_);
      threads_.emplace_back([this, session, &client, request, copy = std::move(copy)]() mutable {
        answer(session, *client, request, std::move(copy));
      });
      return {};
    };
  }

 private:
  void answer(uint64_t session, ScriptedClient& client, const ExportRequest& request, UniqueFd copy) {
    ExportAnswer answer{.number = request.number, .error = {}, .record = {}, .has_descriptor = false};
    UniqueFd found;
    {
      std::lock_guard lock(mutex_);
      if (request.step == static_cast<uint32_t>(ExportStep::kWithdraw))
        return exports_.withdraw(session, request.key);
      if (request.step == static_cast<uint32_t>(ExportStep::kPublish)) {
        EXPECT_TRUE(exports_.publish(session, request.key, request.record, std::move(copy)));
      } else if (const auto* known = exports_.find(request.key)) {
        answer.record = known->record;
        if (known->descriptor) found = UniqueFd(::dup(known->descriptor.get()));
      } else {
        answer.error = "Nothing is exported by this key on this server.";
      }
    }
    client.session().take_export_answer(std::move(answer), std::move(found));
  }

  std::mutex mutex_;
  Exports exports_;
  std::vector<std::thread> threads_;
};

class ShareableSession : public ::testing::Test {
 protected:
  SessionConfig config(uint64_t session, ScriptedClient*& client, uint64_t lease_bytes = kLease) {
    SessionConfig made;
    made.hello.requested.memory_bytes = lease_bytes;
    made.send_export = directory_.sender(session, client);
    return made;
  }
  static uint64_t used(ScriptedClient& client, uint64_t lease_bytes = kLease) {
    wire::MemGetInfoReply reply;
    const Answer answer = client.call(wire::MemGetInfoRequest{});
    wire::Reader reader(answer.body);
    EXPECT_TRUE(wire::MemGetInfoReply::decode(reader, reply));
    return lease_bytes - reply.free_bytes;
  }
  static void create(ScriptedClient& client, wire::Handle handle, uint64_t bytes) {
    wire::MemCreateRequest request;
    request.handle = handle;
    request.size = bytes;
    request.prop.value.type = CU_MEM_ALLOCATION_TYPE_PINNED;
    request.prop.value.location.type = CU_MEM_LOCATION_TYPE_DEVICE;
    EXPECT_EQ(client.call(request).result, CUDA_SUCCESS);
  }
  static std::vector<uint64_t> export_it(ScriptedClient& client, wire::Handle handle,
                                         uint32_t type = kPosix) {
    const Answer answer = client.call(wire::MemExportRequest{handle, type, 0});
    EXPECT_EQ(answer.result, CUDA_SUCCESS);
    wire::MemExportReply reply;
    wire::Reader reader(answer.body);
    EXPECT_TRUE(wire::MemExportReply::decode(reader, reply));
    return reply.key;
  }
  static CUresult import_it(ScriptedClient& client, const std::vector<uint64_t>& key, wire::Handle* handle,
                            uint32_t type = kPosix) {
    const Answer answer = client.call(wire::MemImportRequest{key, type});
    wire::MemImportReply reply;
    wire::Reader reader(answer.body);
    if (answer.result == CUDA_SUCCESS) {
      EXPECT_TRUE(wire::MemImportReply::decode(reader, reply));
    }
    *handle = reply.handle;
    return answer.result;
  }

  FakeDriver driver_;
  Directory directory_;
  ScriptedClient *maker_at_ = nullptr, *other_at_ = nullptr;
  ScriptedClient maker_{driver_.api(), config(1, maker_at_)};
  ScriptedClient other_{driver_.api(), config(2, other_at_)};
  void SetUp() override {
    maker_at_ = &maker_;
    other_at_ = &other_;
  }
};

TEST_F(ShareableSession, WhoHasMemoryPaysForItOnce) {
  create(maker_, {1, 1}, 5000);
  const auto key = export_it(maker_, {1, 1});
  EXPECT_EQ(key.size(), 4u);
  EXPECT_NE(key, export_it(maker_, {1, 1})) << "every descriptor has a key of its own";
  wire::Handle first, second, own;
  ASSERT_EQ(import_it(other_, key, &first), CUDA_SUCCESS);
  ASSERT_EQ(import_it(other_, key, &second), CUDA_SUCCESS);
  EXPECT_EQ(used(other_), 5000u);
  ASSERT_EQ(import_it(maker_, key, &own), CUDA_SUCCESS);
  EXPECT_EQ(used(maker_), 5000u);
  EXPECT_EQ(other_.call(wire::MemReleaseRequest{first}).result, CUDA_SUCCESS);
  EXPECT_EQ(used(other_), 5000u);
  EXPECT_EQ(other_.call(wire::MemReleaseRequest{second}).result, CUDA_SUCCESS);
  EXPECT_EQ(used(other_), 0u);
}

TEST_F(ShareableSession, ADescriptorHoldsMemoryUntilItIsClosed) {
  create(maker_, {1, 1}, 5000);
  const auto key = export_it(maker_, {1, 1});
  EXPECT_EQ(maker_.call(wire::MemReleaseRequest{{1, 1}}).result, CUDA_SUCCESS);
  EXPECT_EQ(used(maker_), 5000u);
  wire::Handle handle;
  ASSERT_EQ(import_it(other_, key, &handle), CUDA_SUCCESS) << "it is not released yet";
  maker_.send(wire::ExportClosedRequest{key}, false);
  EXPECT_EQ(used(maker_), 0u);
  EXPECT_EQ(used(other_), 5000u);
  EXPECT_EQ(import_it(maker_, key, &handle), CUDA_ERROR_INVALID_VALUE);
}

TEST_F(ShareableSession, AFabricHandleHoldsNothing) {
  create(maker_, {1, 1}, 5000);
  const auto key = export_it(maker_, {1, 1}, CU_MEM_HANDLE_TYPE_FABRIC);
  EXPECT_EQ(key, std::vector<uint64_t>(8, 0x5f5f5f5f5f5f5f5f));
  wire::Handle handle;
  ASSERT_EQ(import_it(other_, key, &handle, CU_MEM_HANDLE_TYPE_FABRIC), CUDA_SUCCESS);
  EXPECT_EQ(used(other_), 5000u);
  EXPECT_EQ(maker_.call(wire::MemReleaseRequest{{1, 1}}).result, CUDA_SUCCESS);
  EXPECT_EQ(used(maker_), 0u);
}

TEST_F(ShareableSession, WhatTheLeaseDoesNotHoldIsNotImported) {
  ScriptedClient* poor_at = nullptr;
  ScriptedClient poor(driver_.api(), config(3, poor_at, 4999));
  poor_at = &poor;
  create(maker_, {1, 1}, 5000);
  const auto key = export_it(maker_, {1, 1});
  wire::Handle handle;
  EXPECT_EQ(import_it(poor, key, &handle), CUDA_ERROR_OUT_OF_MEMORY);
  EXPECT_EQ(driver_.count("cuMemImportFromShareableHandle"), 0u);
  EXPECT_EQ(used(poor, 4999), 0u);
}

TEST_F(ShareableSession, GuessedKeysOpenNothing) {
  create(maker_, {1, 1}, 5000);
  auto key = export_it(maker_, {1, 1});
  wire::Handle handle;
  key[3] ^= 1;
  EXPECT_EQ(import_it(other_, key, &handle), CUDA_ERROR_INVALID_VALUE);
  key.pop_back();
  EXPECT_EQ(import_it(other_, key, &handle), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(import_it(other_, {}, &handle), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(other_.call(wire::MemImportRequest{key, CU_MEM_HANDLE_TYPE_WIN32}).result,
            CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(driver_.count("cuMemImportFromShareableHandle"), 0u);
  driver_.fail_next("cuMemExportToShareableHandle", CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(maker_.call(wire::MemExportRequest{{1, 1}, kPosix, 0}).result, CUDA_ERROR_INVALID_VALUE);
}

}  // namespace
}  // namespace outboard::server::testing
