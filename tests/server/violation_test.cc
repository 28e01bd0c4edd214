// Clients that break the protocol: each ends its own session with a sentence, and nothing else.
#include <gtest/gtest.h>

#include <random>

#include "protocol/wire/messages_graph_gen.h"
#include "protocol/wire/messages_launch_gen.h"
#include "protocol/wire/messages_memory_gen.h"
#include "protocol/wire/messages_stream_gen.h"
#include "tests/server/scripted_client.h"

namespace outboard::server::testing {
namespace {

void expect_ended(ScriptedClient& client, const std::string& sentence_part) {
  const auto goodbye = client.wait_for_goodbye();
  ASSERT_TRUE(goodbye);
  EXPECT_FALSE(goodbye->orderly);
  EXPECT_EQ(goodbye->kind, ErrorKind::kProtocolViolation);
  EXPECT_NE(goodbye->message.find(sentence_part), std::string::npos) << goodbye->message;
  EXPECT_EQ(goodbye->message.back(), '.');
  const SessionEnd end = client.join();
  EXPECT_FALSE(end.orderly);
  EXPECT_EQ(end.reason, goodbye->message);
}

TEST(Violation, UnknownOpcode) {
  FakeDriver driver;
  ScriptedClient client(driver.api());
  client.send_raw(static_cast<wire::Opcode>(60000), true, {});
  expect_ended(client, "unknown opcode 60000");
}

TEST(Violation, ABodyThatIsNotTheMessage) {
  FakeDriver driver;
  ScriptedClient client(driver.api());
  const std::vector<std::byte> body(3, std::byte{0xff});
  client.send_raw(wire::Opcode::kMemAlloc, true, body);
  expect_ended(client, "MemAlloc");
}

TEST(Violation, ACommandOutOfSequence) {
  FakeDriver driver;
  ScriptedClient client(driver.api());
  client.send_frame(
      {.first_sequence = 5, .command_count = 0, .acknowledged = 0, .kind = wire::CommandsFrame{}});
  expect_ended(client, "command 1 comes next");
}

TEST(Violation, NoReplyWantedWhereThereIsOne) {
  FakeDriver driver;
  ScriptedClient client(driver.api());
  client.send(wire::MemAllocRequest{.size_bytes = 1}, false);
  expect_ended(client, "asks for no reply");
}

TEST(Violation, BulkDataThatNobodyWants) {
  FakeDriver driver;
  ScriptedClient client(driver.api());
  const std::vector<std::byte> bulk(10);
  client.send(wire::MemAllocRequest{.size_bytes = 1}, true, bulk);
  expect_ended(client, "bulk data");
}

TEST(Violation, AHandleThatIsTaken) {
  FakeDriver driver;
  ScriptedClient client(driver.api());
  client.send(wire::StreamCreateRequest{.phStream = {1, 1}, .Flags = 0}, false);
  client.send(wire::StreamCreateRequest{.phStream = {1, 2}, .Flags = 0}, false);
  expect_ended(client, "is in use");
}

TEST(Violation, ACopyOfAnUploadThatIsNotThere) {
  FakeDriver driver;
  ScriptedClient client(driver.api());
  client.send(wire::CopyUploadRequest{.destination = 4096, .stream = {}, .asynchronous = false, .upload = 7},
              false);
  expect_ended(client, "names an upload that is not there");
}

TEST(Violation, AFrameOfTheWrongKind) {
  FakeDriver driver;
  ScriptedClient client(driver.api());
  client.send_frame({.first_sequence = 1, .command_count = 0, .acknowledged = 0, .kind = wire::HelloInfo{}});
  expect_ended(client, "hello");
}

TEST(Violation, AHostFunctionThatWasNotRunning) {
  FakeDriver driver;
  ScriptedClient client(driver.api());
  client.send(wire::HostFunctionDoneRequest{.callback = 9}, false);
  expect_ended(client, "not running");
}

TEST(Violation, DataOfACopyThatTheDeviceDoesNotWaitFor) {
  FakeDriver driver;
  ScriptedClient client(driver.api());
  const std::vector<std::byte> bulk(16);
  client.send(wire::HostCopyWriteRequest{.callback = 9, .offset = 0}, false, bulk);
  expect_ended(client, "does not wait for");
}

TEST(Violation, AskingForDataOfACopyThatIsNotRunning) {
  FakeDriver driver;
  ScriptedClient client(driver.api());
  client.send(wire::HostCopyReadRequest{.callback = 9, .offset = 0, .size_bytes = 16}, true);
  expect_ended(client, "does not wait for");
}

TEST(Violation, BehindABlockedCommand) {
  FakeDriver driver;
  ScriptedClient client(driver.api());
  client.send(wire::LaunchHostFunctionRequest{.stream = {}, .callback = 1}, false);
  client.send(wire::StreamCreateRequest{.phStream = {1, 1}, .Flags = 0}, false);
  client.send(wire::StreamCreateRequest{.phStream = {1, 2}, .Flags = 0}, false);
  expect_ended(client, "is in use");
}

TEST(Violation, ACopyBeyondOneChunk) {
  FakeDriver driver;
  ScriptedClient client(driver.api());
  wire::MemcpyDtoHRequest copy;
  copy.size_bytes = 1ull << 40;
  client.send(copy, true);
  expect_ended(client, "8 MiB");
}

TEST(Violation, MoreWaitsThanTheQueueHolds) {
  FakeDriver driver;
  SessionConfig config;
  config.max_waiters = 1;
  config.max_queued_waits = 2;
  ScriptedClient client(driver.api(), config);
  driver.close_gate();
  for (int i = 0; i < 4; ++i) client.send(wire::StreamSynchronizeRequest{.hStream = {}}, true);
  // The goodbye comes while a call still waits.
  const auto goodbye = client.wait_for_goodbye();
  ASSERT_TRUE(goodbye);
  EXPECT_NE(goodbye->message.find("wait at the same time"), std::string::npos) << goodbye->message;
  driver.open_gate();
}

// Every opcode with a body of random bytes, long and short: the worker answers or ends the session.
TEST(Violation, RandomBodiesNeverCrash) {
  std::mt19937 random(20261124);
  for (uint16_t number = 0; number < 400; ++number) {
    if (!wire::is_opcode(number)) continue;
    FakeDriver driver;
    ScriptedClient client(driver.api());
    for (int attempt = 0; attempt < 4; ++attempt) {
      std::vector<std::byte> body(random() % 40);
      for (std::byte& byte : body) byte = static_cast<std::byte>(random() % (attempt < 2 ? 256 : 3));
      client.send_raw(static_cast<wire::Opcode>(number), true, body);
    }
    client.hang_up();
  }
}

}  // namespace
}  // namespace outboard::server::testing
