#include <gtest/gtest.h>

#include "protocol/transport/fault.h"
#include "protocol/transport/loopback.h"
#include "tests/transport/endpoints.h"

namespace outboard::transport {
namespace {

using testing::pattern;

struct Faulty {
  explicit Faulty(FaultPlan plan) {
    auto [here, there] = loopback_pair();
    faulty = std::make_unique<FaultTransport>(std::move(here), std::move(plan));
    peer = std::move(there);
  }
  Status send(size_t size_bytes) {
    const auto bytes = pattern(size_bytes, 1);
    const ConstBuffer piece = bytes;
    return faulty->send({&piece, 1});
  }
  std::unique_ptr<Transport> faulty;
  std::unique_ptr<Transport> peer;
};

TEST(FaultTransport, CutsAfterExactlySoManySentBytes) {
  Faulty ends({.cut_after_sent_bytes = 10});
  EXPECT_TRUE(ends.send(10));
  const auto cut = ends.send(1);
  ASSERT_FALSE(cut);
  EXPECT_EQ(cut.error().kind, ErrorKind::kDisconnected);
  std::vector<std::byte> got(10);
  EXPECT_TRUE(receive_exactly(*ends.peer, got));
  EXPECT_EQ(got, pattern(10, 1));
  EXPECT_EQ(ends.peer->receive(got).value_or(99), 0u);
}

TEST(FaultTransport, CutsInTheMiddleOfASend) {
  Faulty ends({.cut_after_sent_bytes = 10});
  EXPECT_FALSE(ends.send(25));
  std::vector<std::byte> got(10);
  EXPECT_TRUE(receive_exactly(*ends.peer, got));
  EXPECT_EQ(ends.peer->receive(got).value_or(99), 0u);
}

TEST(FaultTransport, CutsAfterReceivedBytes) {
  Faulty ends({.cut_after_received_bytes = 4});
  const auto bytes = pattern(8, 1);
  const ConstBuffer piece = bytes;
  ASSERT_TRUE(ends.peer->send({&piece, 1}));
  std::array<std::byte, 8> into;
  EXPECT_EQ(ends.faulty->receive(into).value_or(99), 4u);
  EXPECT_FALSE(ends.faulty->receive(into));
}

TEST(FaultTransport, CallsHooks) {
  int sends = 0;
  int receives = 0;
  Faulty ends({.before_send = [&] { ++sends; }, .before_receive = [&] { ++receives; }});
  EXPECT_TRUE(ends.send(1));
  std::array<std::byte, 1> into;
  ends.peer->shutdown();
  EXPECT_TRUE(ends.faulty->receive(into));
  EXPECT_EQ(sends, 1);
  EXPECT_EQ(receives, 1);
}

}  // namespace
}  // namespace outboard::transport
