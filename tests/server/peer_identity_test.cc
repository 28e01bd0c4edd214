#include "server/daemon/peer_identity.h"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/daemon/unique_fd.h"

namespace outboard::server {
namespace {

constexpr const char* kTable =
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
    "   0: 0100007F:1B9E 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 "
    "0 10 0\n"
    "   1: 0100007F:1B9E 0100007F:D431 01 00000000:00000000 00:00000000 00000000     0        0 2 1 0 20 4 0 "
    "10 -1\n"
    "   2: 0100007F:D431 0100007F:1B9E 01 00000000:00000000 00:00000000 00000000  1000        0 3 1 0 20 4 0 "
    "10 -1\n";

TEST(PeerIdentity, FindsTheOwnerOfTheOtherEnd) {
  EXPECT_EQ(find_socket_owner(kTable, "0100007F:D431", "0100007F:1B9E"), 1000u);
  EXPECT_EQ(find_socket_owner(kTable, "0100007F:1B9E", "0100007F:D431"), 0u);
}

TEST(PeerIdentity, UnknownOrDamagedLinesAreNobody) {
  EXPECT_EQ(find_socket_owner(kTable, "0100007F:0001", "0100007F:1B9E"), std::nullopt);
  EXPECT_EQ(find_socket_owner("", "a", "b"), std::nullopt);
  EXPECT_EQ(find_socket_owner("  2: a b 01", "a", "b"), std::nullopt);
  EXPECT_EQ(find_socket_owner("  2: a b 01 0:0 0:0 0 12x4 0", "a", "b"), std::nullopt);
}

TEST(PeerIdentity, IdentifiesAUnixPeer) {
  int pair[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
  UniqueFd one(pair[0]), other(pair[1]);
  const auto peer = identify_peer(one.get());
  ASSERT_TRUE(peer) << peer.error().message;
  EXPECT_EQ(peer->uid, ::getuid());
  EXPECT_EQ(peer->pid, ::getpid());
}

// The real table of the running system, both address families.
void expect_tcp_peer_is_us(int family) {
  UniqueFd listener(::socket(family, SOCK_STREAM, 0));
  sockaddr_storage address{};
  socklen_t length = family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
  address.ss_family = static_cast<sa_family_t>(family);
  if (family == AF_INET) {
    reinterpret_cast<sockaddr_in*>(&address)->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  } else {
    reinterpret_cast<sockaddr_in6*>(&address)->sin6_addr = in6addr_loopback;
  }
  if (::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), length) != 0)
    GTEST_SKIP() << "family not here";
  ASSERT_EQ(::listen(listener.get(), 1), 0);
  ASSERT_EQ(::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &length), 0);
  UniqueFd client(::socket(family, SOCK_STREAM, 0));
  ASSERT_EQ(::connect(client.get(), reinterpret_cast<sockaddr*>(&address), length), 0);
  UniqueFd accepted(::accept(listener.get(), nullptr, nullptr));
  const auto peer = identify_peer(accepted.get());
  ASSERT_TRUE(peer) << peer.error().message;
  EXPECT_EQ(peer->uid, ::getuid());
}
TEST(PeerIdentity, IdentifiesATcpPeer) { expect_tcp_peer_is_us(AF_INET); }
TEST(PeerIdentity, IdentifiesATcp6Peer) { expect_tcp_peer_is_us(AF_INET6); }

TEST(PeerIdentity, AllowsTheOwnUserRootAndTheList) {
  const uid_t extra[] = {2000};
  EXPECT_TRUE(check_peer_allowed({1000, {}}, 1000, {}));
  EXPECT_TRUE(check_peer_allowed({0, {}}, 1000, {}));
  EXPECT_TRUE(check_peer_allowed({2000, {}}, 1000, extra));
  const auto refused = check_peer_allowed({2001, {}}, 1000, extra);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, ErrorKind::kPermissionDenied);
  EXPECT_NE(refused.error().message.find("--allow-uid 2001"), std::string::npos);
}

TEST(ListenAddress, OnlyThisMachine) {
  for (const char* good :
       {"unix:/run/x.sock", "127.0.0.1:7070", "127.9.9.9:1", "localhost:0", "[::1]:7070"}) {
    EXPECT_TRUE(check_listen_address(good)) << good;
  }
  for (const char* bad : {"0.0.0.0:7070", "[::]:7070", "192.168.1.4:7070", "example.org:7070", "128.0.0.1:1",
                          "localhost.example.org:1"}) {
    const auto refused = check_listen_address(bad);
    ASSERT_FALSE(refused) << bad;
    EXPECT_EQ(refused.error().kind, ErrorKind::kPermissionDenied);
    EXPECT_NE(refused.error().message.find("ssh -L"), std::string::npos);
  }
  EXPECT_FALSE(check_listen_address("loopback:x"));
  EXPECT_FALSE(check_listen_address(""));
}

}  // namespace
}  // namespace outboard::server
