#include "server/worker/control_messages.h"

#include <gtest/gtest.h>
#include <sys/socket.h>

#include "server/daemon/unique_fd.h"

namespace outboard::server::control {
namespace {

const SessionTotals kTotals{1, 2, 3, 4, 5, 6, 7, 8, 1ull << 40, 10, 11, {5, 3}};

std::vector<Message> all_messages() {
  return {Start{7,
                "lab",
                "/lib/libcuda.so.1",
                "It works.",
                std::string(20'000, 'h'),
                3,
                "/var/log/x",
                "/cache/1000",
                uint64_t{4} << 30,
                {{4711, "train", 1, 1ull << 33}}},
          Stop{"The server is shutting down."},
          Serving{2},
          Progress{kTotals},
          Ended{true, "The client left.", kTotals},
          Probed{"", "/lib/libcuda.so.1", "It works.", 13000, {"A", "B"}},
          Turn{1, UINT64_MAX},
          Yield{2},
          Want{3},
          Used{4, 1ull << 40, true},
          TurnOver{5, 6, true}};
}

TEST(ControlMessages, RoundTrip) {
  for (const Message& message : all_messages()) {
    const auto decoded = decode(encode(message));
    ASSERT_TRUE(decoded) << decoded.error().message;
    EXPECT_EQ(*decoded, message) << message.index();
  }
}

TEST(ControlMessages, EveryTruncationAndExtensionIsRefused) {
  for (const Message& message : all_messages()) {
    std::vector<std::byte> packet = encode(message);
    for (size_t size = 0; size < packet.size(); size += size < 200 ? 1 : 97) {
      EXPECT_FALSE(decode(std::span(packet).first(size))) << message.index() << " at " << size;
    }
    packet.push_back(std::byte{0});
    EXPECT_FALSE(decode(packet));
  }
  EXPECT_FALSE(decode(std::vector<std::byte>{std::byte{99}}));
}

TEST(ControlMessages, LongStringsAreCutSoThatAPacketAlwaysFits) {
  Probed probed;
  probed.error = probed.driver = probed.reason = std::string(100'000, 'x');
  probed.devices.assign(1000, std::string(1000, 'y'));
  const auto packet = encode(probed);
  EXPECT_LE(packet.size(), kMaxMessageBytes);
  EXPECT_TRUE(decode(packet));
}

TEST(ControlMessages, TravelOverASocketAndEndWithIt) {
  int pair[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0);
  UniqueFd one(pair[0]), other(pair[1]);
  ASSERT_TRUE(send(one.get(), Serving{3}));
  const auto received = receive(other.get());
  ASSERT_TRUE(received && *received);
  EXPECT_EQ(**received, Message(Serving{3}));
  one.reset();
  const auto end = receive(other.get());
  ASSERT_TRUE(end);
  EXPECT_FALSE(*end);
  const auto broken = send(other.get(), Serving{3});
  ASSERT_FALSE(broken);
  EXPECT_EQ(broken.error().kind, ErrorKind::kDisconnected);
}

}  // namespace
}  // namespace outboard::server::control
