#include <gtest/gtest.h>
#include <future>
#include <thread>

#include "protocol/base/bytes.h"
#include "protocol/base/limits.h"
#include "protocol/transport/fault.h"
#include "protocol/transport/loopback.h"
#include "protocol/wire/frame.h"
#include "tests/wire/samples.h"

namespace outboard::wire {
namespace {

using namespace std::chrono_literals;
using testing::full_hello;
using testing::full_welcome;
using transport::ConstBuffer;

SteadyTime soon() { return std::chrono::steady_clock::now() + 10s; }

class Handshake : public ::testing::Test {
 protected:
  Handshake() { std::tie(client_, server_) = transport::loopback_pair(); }
  HelloInfo current_hello() {
    HelloInfo hello = full_hello();
    hello.protocol_version = kProtocolVersion;
    hello.oldest_protocol_version = kOldestProtocolVersion;
    return hello;
  }
  // The client's outcome when the server does `answer` after it has read the hello.
  template <typename Answer>
  Result<WelcomeInfo> greet_while(Answer answer) {
    std::thread serving([&] {
      const auto hello = read_hello(*server_, soon());
      EXPECT_TRUE(hello) << (hello ? "" : hello.error().message);
      answer();
    });
    auto welcome = greet(*client_, current_hello(), soon());
    serving.join();
    return welcome;
  }
  std::unique_ptr<transport::Transport> client_;
  std::unique_ptr<transport::Transport> server_;
};

TEST_F(Handshake, WelcomeReachesTheClientAndTheSessionStartsBehindIt) {
  const auto welcome = greet_while([&] {
    EXPECT_TRUE(send_welcome(*server_, full_welcome()));
    // What follows at once must not be swallowed by the greeting.
    EXPECT_TRUE(FrameSender(*server_).send(Envelope{.kind = Notice{Notice::Kind::kMessage, "first", 0}}));
  });
  ASSERT_TRUE(welcome) << welcome.error().message;
  EXPECT_EQ(welcome->server_name, "gpu-box");
  EXPECT_EQ(welcome->devices.size(), 2u);
  const auto next = FrameReceiver(*client_).receive();
  ASSERT_TRUE(next);
  ASSERT_NE(next->envelope.as<Notice>(), nullptr);
  EXPECT_EQ(next->envelope.as<Notice>()->text, "first");
}

TEST_F(Handshake, RefusalBecomesTheServersError) {
  const auto welcome = greet_while([&] {
    EXPECT_TRUE(send_refusal(*server_, ErrorKind::kQuotaExceeded, "All 4 sessions are taken.\x1b[2J"));
  });
  ASSERT_FALSE(welcome);
  EXPECT_EQ(welcome.error().kind, ErrorKind::kQuotaExceeded);
  EXPECT_EQ(welcome.error().message, "All 4 sessions are taken.?[2J")
      << "control characters must not reach a terminal";
}

TEST_F(Handshake, AServerOfAnotherVersionIsNamed) {
  WelcomeInfo other = full_welcome();
  other.protocol_version = kProtocolVersion + 1;
  const auto welcome = greet_while([&] { EXPECT_TRUE(send_welcome(*server_, other)); });
  ASSERT_FALSE(welcome);
  EXPECT_EQ(welcome.error().kind, ErrorKind::kUnsupported);
  EXPECT_NE(welcome.error().message.find("gpu-box"), std::string::npos) << welcome.error().message;
}

TEST_F(Handshake, AnythingElseIsAViolation) {
  const auto welcome =
      greet_while([&] { EXPECT_TRUE(FrameSender(*server_).send(Envelope{.kind = Goodbye{}})); });
  ASSERT_FALSE(welcome);
  EXPECT_EQ(welcome.error().kind, ErrorKind::kProtocolViolation);
  EXPECT_NE(welcome.error().message.find("goodbye"), std::string::npos);
}

TEST_F(Handshake, AServerThatHangsUpOrSaysNothing) {
  const auto hung_up = greet_while([&] { server_->shutdown(); });
  ASSERT_FALSE(hung_up);
  EXPECT_EQ(hung_up.error().kind, ErrorKind::kDisconnected);

  std::tie(client_, server_) = transport::loopback_pair();
  const auto silent = greet(*client_, current_hello(), std::chrono::steady_clock::now() + 50ms);
  ASSERT_FALSE(silent);
  EXPECT_EQ(silent.error().kind, ErrorKind::kDisconnected);
  EXPECT_NE(silent.error().message.find("deadline"), std::string::npos) << silent.error().message;
}

// A server may refuse before it has read anything, and close at once.
TEST_F(Handshake, AnEarlyRefusalIsHeard) {
  ASSERT_TRUE(send_refusal(*server_, ErrorKind::kOverloaded, "The server is full."));
  server_->shutdown();
  const auto welcome = greet(*client_, current_hello(), soon());
  ASSERT_FALSE(welcome);
  EXPECT_EQ(welcome.error().kind, ErrorKind::kOverloaded);
  EXPECT_EQ(welcome.error().message, "The server is full.");
}

TEST_F(Handshake, TheServerRefusesWhatIsNoHello) {
  const auto first = [&](auto send) {
    std::tie(client_, server_) = transport::loopback_pair();
    send();
    const auto hello = read_hello(*server_, std::chrono::steady_clock::now() + 50ms);
    EXPECT_FALSE(hello);
    return hello ? ErrorKind::kInternal : hello.error().kind;
  };
  const auto raw = [&](std::string_view text) {
    const ConstBuffer piece = as_bytes(text);
    EXPECT_TRUE(client_->send({&piece, 1}));
  };
  EXPECT_EQ(first([&] { raw("GET / HTTP/1.1\r\nHost: x\r\n\r\n"); }), ErrorKind::kProtocolViolation);
  EXPECT_EQ(first([&] { raw("OBF1"); }), ErrorKind::kDisconnected);  // and nothing more, before the deadline
  EXPECT_EQ(first([&] { EXPECT_TRUE(send_welcome(*client_, full_welcome())); }),
            ErrorKind::kProtocolViolation);
  EXPECT_EQ(first([&] { client_->shutdown(); }), ErrorKind::kDisconnected);
  EXPECT_EQ(first([&] {
              const auto commands = std::vector<std::byte>(3);
              EXPECT_TRUE(FrameSender(*client_).send(Envelope{.kind = full_hello()}, commands));
            }),
            ErrorKind::kProtocolViolation);
}

// A peer that sends one byte now and then must not hold the server longer than the deadline.
TEST_F(Handshake, TheDeadlineIsForTheWholeHello) {
  const auto start = std::chrono::steady_clock::now();
  auto dripping = std::make_unique<transport::FaultTransport>(std::move(client_),
                                                              transport::FaultPlan{.most_send_bytes = 1});
  std::atomic<bool> stop{false};
  std::thread sender([&] {
    const auto hello = encode_envelope(Envelope{.kind = full_hello()}).value();
    std::array<std::byte, kFrameHeaderBytes> header;
    write_frame_header({static_cast<uint32_t>(hello.size()), 0, 0}, header);
    for (size_t i = 0; i < header.size() + hello.size() && !stop; ++i) {
      const std::byte byte = i < header.size() ? header[i] : hello[i - header.size()];
      const ConstBuffer piece(&byte, 1);
      if (!dripping->send({&piece, 1})) return;
      std::this_thread::sleep_for(20ms);
    }
  });
  const auto hello = read_hello(*server_, start + 100ms);
  EXPECT_FALSE(hello);
  EXPECT_LT(std::chrono::steady_clock::now() - start, 2s);
  stop = true;
  server_->shutdown();
  sender.join();
}

TEST_F(Handshake, VersionsAreNegotiated) {
  HelloInfo hello = full_hello();
  hello.oldest_protocol_version = 1;
  hello.protocol_version = 9;
  EXPECT_EQ(negotiate_version(hello).value(), kProtocolVersion);
  hello.oldest_protocol_version = kProtocolVersion + 1;
  const auto newer = negotiate_version(hello);
  ASSERT_FALSE(newer);
  EXPECT_EQ(newer.error().kind, ErrorKind::kUnsupported);
  EXPECT_NE(newer.error().message.find(text(kProtocolVersion + 1, " to 9")), std::string::npos)
      << newer.error().message;
  hello.oldest_protocol_version = 0;
  hello.protocol_version = 0;
  EXPECT_FALSE(negotiate_version(hello));
}

TEST_F(Handshake, HelloAsBytes) {
  const auto back = decode_hello(encode_hello(full_hello()));
  ASSERT_TRUE(back);
  EXPECT_EQ(back->host_name, "laptop");
  EXPECT_EQ(encode_hello(*back), encode_hello(full_hello()));
}

}  // namespace
}  // namespace outboard::wire
