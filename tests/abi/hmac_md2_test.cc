// HMAC checked against its definition, H(K xor opad, H(K xor ipad, text)), written out by hand here.
#include "protocol/abi/hmac_md2.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace outboard::abi {
namespace {

using Bytes = std::vector<uint8_t>;

Bytes bytes_of(std::string_view text) { return Bytes(text.begin(), text.end()); }

Md2Digest by_definition(Bytes key, const Bytes& text) {
  key.resize(16, 0);
  Bytes inner, outer;
  for (uint8_t byte : key) {
    inner.push_back(byte ^ 0x36);
    outer.push_back(byte ^ 0x5c);
  }
  inner.insert(inner.end(), text.begin(), text.end());
  const Md2Digest digest = md2(inner);
  outer.insert(outer.end(), digest.begin(), digest.end());
  return md2(outer);
}

TEST(HmacMd2, FollowsItsDefinition) {
  const Bytes text = bytes_of("what do ya want for nothing?");
  EXPECT_EQ(hmac_md2(bytes_of("Jefe"), text), by_definition(bytes_of("Jefe"), text));
  EXPECT_EQ(hmac_md2(Bytes(16, 0x0b), text), by_definition(Bytes(16, 0x0b), text));
  EXPECT_EQ(hmac_md2({}, {}), by_definition({}, {}));
}

TEST(HmacMd2, HashesAKeyLongerThanABlock) {
  const Bytes key(17, 0xaa);
  const Md2Digest digest = md2(key);
  EXPECT_EQ(hmac_md2(key, bytes_of("x")), hmac_md2(digest, bytes_of("x")));
}

// Computed once with an independent implementation (Python, written from the two RFCs).
TEST(HmacMd2, MeetsAFixedVector) {
  const Md2Digest expected = {0xb5, 0x24, 0xbe, 0x01, 0x96, 0xe4, 0x91, 0xed,
                              0x44, 0x82, 0x37, 0x46, 0xcd, 0x89, 0x23, 0xaf};
  EXPECT_EQ(hmac_md2(Bytes(16, 0x0b), bytes_of("Hi There")), expected);
}

}  // namespace
}  // namespace outboard::abi
