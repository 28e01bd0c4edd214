#include <gtest/gtest.h>

#include "protocol/transport/address.h"

namespace outboard::transport {
namespace {

TEST(Address, AcceptsWhatItPrints) {
  for (const char* given :
       {"127.0.0.1:7070", "gpu-box.example:1", "[::1]:65535", "unix:/run/user/0/outboard.sock",
        "unix:relative.sock", "loopback:a", "loopback:"}) {
    const auto address = parse_address(given);
    ASSERT_TRUE(address) << address.error().message;
    EXPECT_EQ(address->text(), given);
  }
}

TEST(Address, TakesPartsApart) {
  const auto tcp = parse_address("[fe80::1]:7070");
  ASSERT_TRUE(tcp);
  EXPECT_EQ(tcp->kind, Address::Kind::kTcp);
  EXPECT_EQ(tcp->host, "fe80::1");
  EXPECT_EQ(tcp->port, 7070);
  const auto local = parse_address(":7070");
  ASSERT_TRUE(local);
  EXPECT_EQ(local->host, "localhost");
  const auto socket = parse_address("unix:/a:b");
  ASSERT_TRUE(socket);
  EXPECT_EQ(socket->kind, Address::Kind::kUnix);
  EXPECT_EQ(socket->path, "/a:b");
}

TEST(Address, RefusesWithTheTextAndTheForms) {
  for (const std::string& given :
       {std::string(""), std::string("host"), std::string("host:"), std::string("host:65536"),
        std::string("host:-1"), std::string("host:7x"), std::string("::1:7070"), std::string("[::g]:1"),
        std::string("[::1]"), std::string("a b:1"), std::string("http://host:80"), std::string("unix:"),
        "unix:/" + std::string(107, 'x'), std::string("unix:a\0b", 8), std::string(300, 'h') + ":1"}) {
    const auto address = parse_address(given);
    ASSERT_FALSE(address) << given;
    EXPECT_EQ(address.error().kind, ErrorKind::kInvalidArgument);
    EXPECT_NE(address.error().message.find("HOST:PORT"), std::string::npos) << address.error().message;
  }
}

TEST(Address, KnowsWhatIsOnThisMachine) {
  const auto is_local = [](const char* given) { return parse_address(given).value().is_local(); };
  EXPECT_TRUE(is_local("127.0.0.1:1"));
  EXPECT_TRUE(is_local("127.9.9.9:1"));
  EXPECT_TRUE(is_local("localhost:1"));
  EXPECT_TRUE(is_local("[::1]:1"));
  EXPECT_TRUE(is_local("unix:/x"));
  EXPECT_TRUE(is_local("loopback:x"));
  EXPECT_FALSE(is_local("0.0.0.0:1"));
  EXPECT_FALSE(is_local("[::]:1"));
  EXPECT_FALSE(is_local("10.0.0.1:1"));
  EXPECT_FALSE(is_local("127.example:1"));
}

}  // namespace
}  // namespace outboard::transport
