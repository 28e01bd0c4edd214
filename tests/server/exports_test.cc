#include "server/daemon/exports.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <cstring>
#include <thread>
#include <vector>

#include "server/worker/control_messages.h"

namespace outboard::server {
namespace {

std::string key(char letter) { return std::string(kExportKeyBytes, letter); }

ExportRecord memory(uint64_t bytes) {
  return {.kind = static_cast<uint32_t>(ExportKind::kMemory), .bytes = bytes, .device = 0};
}

UniqueFd file() { return UniqueFd(memfd_create("test", MFD_CLOEXEC)); }

TEST(Exports, AreFoundByTheirKeysUntilTheyAreWithdrawn) {
  Exports exports;
  ASSERT_TRUE(exports.publish(1, key('a'), memory(4096), file()));
  ASSERT_NE(exports.find(key('a')), nullptr);
  EXPECT_EQ(exports.find(key('a'))->record, memory(4096));
  EXPECT_GE(exports.find(key('a'))->descriptor.get(), 0);
  EXPECT_EQ(exports.find(key('b')), nullptr);
  exports.withdraw(2, key('a'));
  EXPECT_NE(exports.find(key('a')), nullptr) << "it is another session's";
  exports.withdraw(1, key('a'));
  EXPECT_EQ(exports.find(key('a')), nullptr);
}

TEST(Exports, EndWithTheirSession) {
  Exports exports;
  ASSERT_TRUE(exports.publish(1, key('a'), memory(1), file()));
  ASSERT_TRUE(exports.publish(2, key('b'), memory(2), file()));
  exports.forget(1);
  EXPECT_EQ(exports.find(key('a')), nullptr);
  EXPECT_NE(exports.find(key('b')), nullptr);
  exports.forget(3);
  EXPECT_EQ(exports.count(), 1u);
}

TEST(Exports, AKeyBelongsToWhoPublishedIt) {
  Exports exports;
  ASSERT_TRUE(exports.publish(1, key('a'), memory(1), file()));
  EXPECT_TRUE(exports.publish(1, key('a'), memory(1), UniqueFd())) << "a fabric handle is given out again";
  EXPECT_FALSE(exports.publish(2, key('a'), memory(2), file()));
  EXPECT_EQ(exports.find(key('a'))->record.bytes, 1u);
  EXPECT_FALSE(exports.publish(1, "short", memory(1), file()));
}

TEST(Exports, OfOneSessionAreBounded) {
  Exports exports;
  for (size_t i = 0; i < Exports::kMaxOfSession; ++i) {
    std::string name = key('k');
    std::memcpy(name.data(), &i, sizeof i);
    ASSERT_TRUE(exports.publish(1, name, memory(1), UniqueFd()));
  }
  const Status refused = exports.publish(1, key('x'), memory(1), UniqueFd());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::kOverloaded);
  EXPECT_TRUE(exports.publish(2, key('x'), memory(1), UniqueFd()));
  exports.forget(1);
  EXPECT_TRUE(exports.publish(1, key('y'), memory(1), UniqueFd()));
}

// A worker and a daemon that answers on a thread of its own.
TEST(ExportExchange, DescriptorsTravelBothWays) {
  int pair[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
  const UniqueFd worker(pair[0]), daemon(pair[1]);
  ExportExchange exchange([&](const ExportRequest& request, int descriptor) {
    return control::send(worker.get(), request, descriptor);
  });
  std::thread answering([&] {
    Exports exports;
    for (int i = 0; i < 3; ++i) {
      UniqueFd came;
      auto message = control::receive(daemon.get(), &came);
      const auto& request = std::get<ExportRequest>(**message);
      ExportAnswer answer{.number = request.number, .error = {}, .record = {}, .has_descriptor = false};
      int found = -1;
      if (request.step == static_cast<uint32_t>(ExportStep::kPublish)) {
        EXPECT_TRUE(exports.publish(1, request.key, request.record, std::move(came)));
      } else if (const auto* known = exports.find(request.key)) {
        answer.record = known->record;
        found = known->descriptor.get();
      } else {
        answer.error = "Nothing is exported by this key on this server.";
      }
      ASSERT_TRUE(control::send(daemon.get(), answer, found));
    }
  });
  std::thread attending([&] {
    for (int i = 0; i < 3; ++i) {
      UniqueFd came;
      auto message = control::receive(worker.get(), &came);
      exchange.take_answer(std::get<ExportAnswer>(**message), std::move(came));
    }
  });
  const UniqueFd content = file();
  ASSERT_EQ(write(content.get(), "shared", 6), 6);
  EXPECT_TRUE(exchange.publish(key('a'), memory(6), content.get()));
  auto found = exchange.find(key('a'));
  ASSERT_TRUE(found);
  EXPECT_EQ(found->record, memory(6));
  char text[7] = {};
  EXPECT_EQ(pread(found->descriptor.get(), text, 6, 0), 6);
  EXPECT_STREQ(text, "shared");
  EXPECT_NE(found->descriptor.get(), content.get());
  const auto missing = exchange.find(key('b'));
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().kind, ErrorKind::kNotFound);
  answering.join();
  attending.join();
}

TEST(ExportExchange, NobodyWaitsForADaemonThatIsGone) {
  ExportExchange exchange([](const ExportRequest&, int) { return Status(); });
  std::thread closing([&] { exchange.close(); });
  EXPECT_FALSE(exchange.find(key('a')));
  closing.join();
  EXPECT_FALSE(exchange.publish(key('a'), memory(1), -1));
  ExportExchange broken([](const ExportRequest&, int) -> Status {
    return fail(ErrorKind::kDisconnected, "The control socket failed.");
  });
  EXPECT_FALSE(broken.find(key('a')));
  broken.take_answer({.number = 7, .error = {}, .record = {}, .has_descriptor = false}, {});
}

}  // namespace
}  // namespace outboard::server
