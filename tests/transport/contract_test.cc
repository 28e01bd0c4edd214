// What every Transport promises, tested on every medium.
#include <gtest/gtest.h>
#include <future>

#include "protocol/transport/transport.h"
#include "tests/transport/endpoints.h"

namespace outboard::transport {
namespace {

using testing::Medium;
using testing::Pair;
using testing::pattern;
using namespace std::chrono_literals;

class TransportContract : public ::testing::TestWithParam<Medium> {
 protected:
  Pair pair_ = GetParam().connect();
};

Status send_one(Transport& transport, std::span<const std::byte> bytes) {
  const ConstBuffer piece = bytes;
  return transport.send({&piece, 1});
}

std::vector<std::byte> receive_all(Transport& transport, size_t size_bytes) {
  std::vector<std::byte> out(size_bytes);
  const auto status = receive_exactly(transport, out);
  EXPECT_TRUE(status) << (status ? "" : status.error().message);
  return out;
}

TEST_P(TransportContract, DeliversInOrderBothWays) {
  const auto question = pattern(100, 1);
  const auto answer = pattern(200, 2);
  std::thread server([&] {
    EXPECT_EQ(receive_all(*pair_.server, question.size()), question);
    EXPECT_TRUE(send_one(*pair_.server, answer));
  });
  EXPECT_TRUE(send_one(*pair_.client, question));
  EXPECT_EQ(receive_all(*pair_.client, answer.size()), answer);
  server.join();
}

TEST_P(TransportContract, GathersPiecesInOrder) {
  // More pieces than one gather write takes, some of them empty.
  std::vector<std::byte> expected;
  std::vector<std::vector<std::byte>> parts;
  for (uint32_t i = 0; i < 200; ++i) {
    parts.push_back(pattern(i % 5 == 0 ? 0 : i, i));
    expected.insert(expected.end(), parts.back().begin(), parts.back().end());
  }
  const std::vector<ConstBuffer> pieces(parts.begin(), parts.end());
  std::thread sender([&] { EXPECT_TRUE(pair_.client->send(pieces)); });
  EXPECT_EQ(receive_all(*pair_.server, expected.size()), expected);
  sender.join();
}

TEST_P(TransportContract, SendingNothingSendsNothing) {
  EXPECT_TRUE(pair_.client->send({}));
  const std::vector<ConstBuffer> empty(3);
  EXPECT_TRUE(pair_.client->send(empty));
  EXPECT_EQ(pair_.client->counts().bytes_sent, 0u);
}

TEST_P(TransportContract, LargeTransfersBothWaysAtOnce) {
  const bool slow = std::string_view(GetParam().name) == "TinyLoopback";
  const size_t size_bytes = slow ? 50'000 : 3'000'000;
  const auto up = pattern(size_bytes, 3);
  const auto down = pattern(size_bytes, 4);
  auto send_up = std::async(std::launch::async, [&] { return send_one(*pair_.client, up).has_value(); });
  auto send_down = std::async(std::launch::async, [&] { return send_one(*pair_.server, down).has_value(); });
  auto receive_up =
      std::async(std::launch::async, [&] { return receive_all(*pair_.server, size_bytes) == up; });
  EXPECT_TRUE(receive_all(*pair_.client, size_bytes) == down);
  EXPECT_TRUE(receive_up.get());
  EXPECT_TRUE(send_up.get());
  EXPECT_TRUE(send_down.get());
}

TEST_P(TransportContract, ManySmallSendsArriveWhole) {
  constexpr size_t kSends = 2000;
  const auto one = pattern(37, 5);
  std::thread sender([&] {
    for (size_t i = 0; i < kSends; ++i) ASSERT_TRUE(send_one(*pair_.client, one));
  });
  for (size_t i = 0; i < kSends; ++i)
    ASSERT_EQ(receive_all(*pair_.server, one.size()), one) << "message " << i;
  sender.join();
}

TEST_P(TransportContract, EndOfStreamComesAfterTheLastByte) {
  const auto last = pattern(5, 6);
  EXPECT_TRUE(send_one(*pair_.client, last));
  pair_.client.reset();
  EXPECT_EQ(receive_all(*pair_.server, last.size()), last);
  std::array<std::byte, 8> rest;
  for (int i = 0; i < 2; ++i) {  // and stays
    const auto end = pair_.server->receive(rest);
    ASSERT_TRUE(end);
    EXPECT_EQ(*end, 0u);
  }
}

TEST_P(TransportContract, ReceiveExactlyReportsAStreamThatEndsEarly) {
  EXPECT_TRUE(send_one(*pair_.client, pattern(3, 7)));
  pair_.client.reset();
  std::array<std::byte, 8> into;
  const auto status = receive_exactly(*pair_.server, into);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().kind, ErrorKind::kDisconnected);
  EXPECT_NE(status.error().message.find("5 bytes"), std::string::npos) << status.error().message;
}

TEST_P(TransportContract, SendingToAClosedPeerFails) {
  pair_.server.reset();
  const auto chunk = pattern(100'000, 8);
  Status status;
  for (int i = 0; i < 100 && status; ++i) status = send_one(*pair_.client, chunk);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().kind, ErrorKind::kDisconnected);
}

TEST_P(TransportContract, ShutdownWakesABlockedReceive) {
  std::array<std::byte, 8> into;
  auto here = std::async(std::launch::async, [&] { return pair_.client->receive(into).value_or(99); });
  std::array<std::byte, 8> into_there;
  auto there = std::async(std::launch::async, [&] { return pair_.server->receive(into_there).value_or(99); });
  std::this_thread::sleep_for(20ms);
  pair_.client->shutdown();
  EXPECT_EQ(here.get(), 0u);
  EXPECT_EQ(there.get(), 0u);
  pair_.client->shutdown();  // again: no harm
}

TEST_P(TransportContract, ShutdownWakesABlockedSend) {
  const auto more_than_any_buffer = pattern(64 << 20, 9);
  auto blocked =
      std::async(std::launch::async, [&] { return send_one(*pair_.client, more_than_any_buffer); });
  std::this_thread::sleep_for(50ms);
  pair_.client->shutdown();
  const auto status = blocked.get();
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().kind, ErrorKind::kDisconnected);
}

TEST_P(TransportContract, ReceiveDeadlineEndsTheWait) {
  std::array<std::byte, 8> into;
  const auto start = std::chrono::steady_clock::now();
  pair_.server->set_receive_deadline(start + 50ms);
  const auto late = pair_.server->receive(into);
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().kind, ErrorKind::kDisconnected);
  EXPECT_GE(std::chrono::steady_clock::now() - start, 50ms);
  // The connection is as good as before, and what is there in time is received.
  ASSERT_TRUE(send_one(*pair_.client, pattern(4, 10)));
  pair_.server->set_receive_deadline(std::chrono::steady_clock::now() + 10s);
  EXPECT_EQ(receive_all(*pair_.server, 4), pattern(4, 10));
  pair_.server->set_receive_deadline(Transport::kNoDeadline);
  ASSERT_TRUE(send_one(*pair_.client, pattern(4, 11)));
  EXPECT_EQ(receive_all(*pair_.server, 4), pattern(4, 11));
}

TEST_P(TransportContract, CountsWhatWentThrough) {
  const auto message = pattern(1000, 12);
  std::thread sender([&] { EXPECT_TRUE(send_one(*pair_.client, message)); });
  receive_all(*pair_.server, message.size());
  sender.join();
  EXPECT_EQ(pair_.client->counts().bytes_sent, 1000u);
  EXPECT_EQ(pair_.client->counts().bytes_received, 0u);
  EXPECT_GE(pair_.client->counts().send_calls, 1u);
  EXPECT_EQ(pair_.server->counts().bytes_received, 1000u);
  EXPECT_GE(pair_.server->counts().receive_calls, 1u);
}

TEST_P(TransportContract, DescribesItself) {
  EXPECT_FALSE(pair_.client->description().empty());
  EXPECT_FALSE(pair_.server->description().empty());
}

INSTANTIATE_TEST_SUITE_P(Media, TransportContract, ::testing::ValuesIn(testing::all_media()),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace outboard::transport
