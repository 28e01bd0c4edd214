// The test suite of RFC 1319, appendix A.5, and lengths around the block size.
#include "protocol/abi/md2.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

namespace outboard::abi {
namespace {

std::string hex(const Md2Digest& digest) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (uint8_t byte : digest) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

std::string md2_of(std::string_view text) {
  return hex(md2({reinterpret_cast<const uint8_t*>(text.data()), text.size()}));
}

TEST(Md2, MeetsTheVectorsOfRfc1319) {
  EXPECT_EQ(md2_of(""), "8350e5a3e24c153df2275c9f80692773");
  EXPECT_EQ(md2_of("a"), "32ec01ec4a6dac72c0ab96fb34c0b5d1");
  EXPECT_EQ(md2_of("abc"), "da853b0d3f88d99b30283a69e6ded6bb");
  EXPECT_EQ(md2_of("message digest"), "ab4f496bfb2a530b219ff33031fe06b0");
  EXPECT_EQ(md2_of("abcdefghijklmnopqrstuvwxyz"), "4e8ddff3650292ab5a4108c3aa47940b");
  EXPECT_EQ(md2_of("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"),
            "da33def2a42df13975352846c30338cd");
  EXPECT_EQ(md2_of("12345678901234567890123456789012345678901234567890123456789012345678901234567890"),
            "d5976f79d83d3a0dc9806c3c66f3efd8");
}

TEST(Md2, EveryLengthAroundTheBlockGivesAnotherDigest) {
  std::set<std::string> digests;
  for (size_t length = 0; length <= 4 * kMd2Bytes; ++length) digests.insert(md2_of(std::string(length, 'x')));
  EXPECT_EQ(digests.size(), 4 * kMd2Bytes + 1);
}

}  // namespace
}  // namespace outboard::abi
