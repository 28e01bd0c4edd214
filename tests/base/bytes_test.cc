#include <gtest/gtest.h>

#include "protocol/base/bytes.h"

namespace outboard {
namespace {

TEST(Bytes, HexThereAndBack) {
  const auto bytes = from_hex("00fF10aB");
  ASSERT_TRUE(bytes);
  EXPECT_EQ(to_hex(*bytes), "00ff10ab");
  EXPECT_EQ(to_hex({}), "");
  for (const char* bad : {"0", "0g", "--", "0x"}) EXPECT_FALSE(from_hex(bad)) << bad;
  EXPECT_EQ(hex_number(0), "0x0");
  EXPECT_EQ(hex_number(~uint64_t{0}), "0xffffffffffffffff");
}

TEST(Bytes, SizesForPeople) {
  EXPECT_EQ(human_bytes(0), "0 B");
  EXPECT_EQ(human_bytes(1023), "1023 B");
  EXPECT_EQ(human_bytes(1024), "1.0 KiB");
  EXPECT_EQ(human_bytes(1536), "1.5 KiB");
  EXPECT_EQ(human_bytes(uint64_t{3} << 30), "3.0 GiB");
  EXPECT_EQ(human_bytes(~uint64_t{0}), "16.0 EiB");
}

TEST(Bytes, SizesFromPeople) {
  const std::pair<const char*, uint64_t> good[] = {{"0", 0},
                                                   {"4096", 4096},
                                                   {"64k", 65536},
                                                   {"64K", 65536},
                                                   {"512M", 512ull << 20},
                                                   {"512MB", 512ull << 20},
                                                   {"1.5GiB", 3ull << 29},
                                                   {"2g", 2ull << 30},
                                                   {"1 TiB", 1ull << 40},
                                                   {"7b", 7},
                                                   {"18446744073709551615", ~0ull}};
  for (const auto& [given, expected] : good) {
    const auto size = parse_bytes(given);
    ASSERT_TRUE(size) << given;
    EXPECT_EQ(*size, expected) << given;
  }
  for (const char* bad : {"", "x", "-1", "1x", "1.2.3G", "GiB", "1 2", "18446744073709551616", "99999999999T",
                          "16777216T", ".", "1kk", "1KiBB", "nan", "inf", "0x10"}) {
    const auto size = parse_bytes(bad);
    ASSERT_FALSE(size) << bad << " became " << *size;
    EXPECT_EQ(size.error().kind, ErrorKind::kInvalidArgument);
  }
}

TEST(Bytes, NumbersKeepTheirRange) {
  EXPECT_EQ(parse_number("7", 1, 10).value(), 7u);
  for (const char* bad : {"0", "11", "", "+1", "1 ", " 1", "1e1", "99999999999999999999"})
    EXPECT_FALSE(parse_number(bad, 1, 10)) << bad;
  EXPECT_NE(parse_number("11", 1, 10).error().message.find("1 to 10"), std::string::npos);
}

TEST(Bytes, PrintableIsSafeAndShort) {
  EXPECT_EQ(printable("a\x1b[31m\n\xff~", 100), "a?[31m??~");
  EXPECT_EQ(printable("abcdef", 3), "abc");
}

TEST(Bytes, TextJoinsWhatItIsGiven) {
  EXPECT_EQ(text("a", std::string("b"), 'c', 1, uint8_t{2}, -3, true), "abc12-3true");
}

}  // namespace
}  // namespace outboard
