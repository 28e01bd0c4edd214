#include "protocol/base/content_hash.h"

#include <gtest/gtest.h>

namespace outboard {
namespace {

// Values of xxHash's own program (`xxhsum -H2`), so that client and server of different builds agree.
TEST(ContentHash, IsXxh3With128Bits) {
  EXPECT_EQ(to_hex(content_hash({})), "99aa06d3014798d86001c324468d497f");
  EXPECT_EQ(to_hex(content_hash(as_bytes("outboard"))), "75e8c0269f630429b22add3e30655077");
}

TEST(ContentHash, DependsOnEveryByte) {
  std::vector<std::byte> content(1000);
  const ContentHash first = content_hash(content);
  for (std::byte& byte : content) {
    byte = std::byte{1};
    EXPECT_NE(content_hash(content), first);
    byte = std::byte{0};
  }
  EXPECT_EQ(content_hash(content), first);
}

}  // namespace
}  // namespace outboard
