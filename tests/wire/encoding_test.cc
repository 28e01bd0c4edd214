// The compact encoding: what is written is read, and nothing else is.
#include <gtest/gtest.h>
#include <limits>
#include <random>

#include "protocol/base/bytes.h"
#include "protocol/wire/reader.h"
#include "protocol/wire/writer.h"

namespace outboard::wire {
namespace {

std::vector<std::byte> bytes_of(std::initializer_list<int> values) {
  std::vector<std::byte> out;
  for (const int value : values) out.push_back(static_cast<std::byte>(value));
  return out;
}

TEST(Encoding, EveryTypeThereAndBack) {
  Writer out;
  out.u8(255);
  out.boolean(true);
  out.varint(300);
  out.zigzag(-300);
  out.fixed32(0xdeadbeef);
  out.fixed64(0x0123456789abcdef);
  out.f32(1.5f);
  out.f64(-2.25);
  out.handle({7, 3});
  out.bytes(bytes_of({1, 2, 3}));
  out.string("text");
  out.raw(bytes_of({9}));
  out.pod(std::array<uint16_t, 2>{1, 2});

  Reader in(out.view());
  EXPECT_EQ(in.u8(), 255);
  EXPECT_TRUE(in.boolean());
  EXPECT_EQ(in.varint(), 300u);
  EXPECT_EQ(in.zigzag(), -300);
  EXPECT_EQ(in.fixed32(), 0xdeadbeef);
  EXPECT_EQ(in.fixed64(), 0x0123456789abcdefu);
  EXPECT_EQ(in.f32(), 1.5f);
  EXPECT_EQ(in.f64(), -2.25);
  EXPECT_EQ(in.handle(), (Handle{7, 3}));
  EXPECT_EQ(to_hex(in.bytes()), "010203");
  EXPECT_EQ(in.string(), "text");
  EXPECT_EQ(to_hex(in.raw(1)), "09");
  EXPECT_EQ((in.pod<std::array<uint16_t, 2>>()), (std::array<uint16_t, 2>{1, 2}));
  EXPECT_TRUE(in.finished());
}

TEST(Encoding, VarintsAreShortestAndComplete) {
  const uint64_t edges[] = {0, 1, 127, 128, 16383, 16384, (1ull << 63) - 1, 1ull << 63, ~0ull};
  for (const uint64_t value : edges) {
    Writer out;
    out.varint(value);
    EXPECT_EQ(out.size(), varint_bytes(value)) << value;
    Reader in(out.view());
    EXPECT_EQ(in.varint(), value);
    EXPECT_TRUE(in.finished()) << value;
  }
  for (const int64_t value : {int64_t{0}, int64_t{-1}, int64_t{63}, int64_t{-64},
                              std::numeric_limits<int64_t>::min(), std::numeric_limits<int64_t>::max()}) {
    Writer out;
    out.zigzag(value);
    Reader in(out.view());
    EXPECT_EQ(in.zigzag(), value);
    EXPECT_TRUE(in.finished());
  }
  Writer small;
  small.zigzag(-64);
  EXPECT_EQ(small.size(), 1u);
}

// One meaning, one encoding.
TEST(Encoding, OtherFormsOfAVarintAreRefused) {
  const std::vector<std::byte> bad[] = {
      bytes_of({0x80}),                                                              // cut off
      bytes_of({0x80, 0x00}),                                                        // zero in two bytes
      bytes_of({0xff, 0x80, 0x00}),                                                  // 127 in three
      bytes_of({0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02}),        // a 65th bit
      bytes_of({0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x81, 0x00}),  // eleven bytes
      {}};
  for (const auto& encoded : bad) {
    Reader in(encoded);
    EXPECT_EQ(in.varint(), 0u);
    EXPECT_TRUE(in.failed()) << to_hex(encoded);
  }
}

TEST(Encoding, NumbersMustFitTheirType) {
  Writer out;
  out.varint(256);
  EXPECT_EQ(Reader(out.view()).varint_as<uint8_t>(), 0);
  Reader narrow(out.view());
  narrow.varint_as<uint8_t>();
  EXPECT_TRUE(narrow.failed());
  Reader wide(out.view());
  EXPECT_EQ(wide.varint_as<uint16_t>(), 256);
  EXPECT_TRUE(wide.finished());

  Writer negative;
  negative.zigzag(-129);
  Reader too_small(negative.view());
  too_small.zigzag_as<int8_t>();
  EXPECT_TRUE(too_small.failed());
  Reader fits(negative.view());
  EXPECT_EQ(fits.zigzag_as<int16_t>(), -129);
}

TEST(Encoding, OnlyZeroAndOneAreBooleans) {
  const auto data = bytes_of({2});
  Reader in(data);
  EXPECT_FALSE(in.boolean());
  EXPECT_TRUE(in.failed());
}

TEST(Encoding, FailureIsStickyAndConsumesNothingMore) {
  const auto data = bytes_of({5, 1, 2, 3, 4});
  Reader in(data);
  EXPECT_TRUE(in.bytes().empty());  // five bytes announced, four there
  EXPECT_TRUE(in.failed());
  EXPECT_EQ(in.u8(), 0);
  EXPECT_EQ(in.varint(), 0u);
  EXPECT_EQ(in.fixed64(), 0u);
  EXPECT_EQ(in.string(), "");
  EXPECT_EQ(in.handle(), Handle{});
  EXPECT_EQ(in.remaining(), 0u);
  EXPECT_FALSE(in.finished());
}

TEST(Encoding, LengthsBeyondTheInputAreRefusedWithoutAllocating) {
  Writer out;
  out.varint(~uint64_t{0});
  out.u8(1);
  Reader blob(out.view());
  EXPECT_TRUE(blob.bytes().empty());
  EXPECT_TRUE(blob.failed());
  Reader array(out.view());
  EXPECT_EQ(array.count(1), 0u);
  EXPECT_TRUE(array.failed());

  Writer three;
  three.varint(3);
  three.raw(std::vector<std::byte>(11));
  Reader too_many(three.view());
  EXPECT_EQ(too_many.count(4), 0u);  // three times four bytes do not fit eleven
  EXPECT_TRUE(too_many.failed());
  Reader enough(three.view());
  EXPECT_EQ(enough.count(3), 3u);
  EXPECT_TRUE(enough.ok());
}

TEST(Encoding, EmptyInputAndEmptyBlobs) {
  EXPECT_TRUE(Reader().finished());
  Writer out;
  out.string("");
  out.bytes({});
  Reader in(out.view());
  EXPECT_EQ(in.string(), "");
  EXPECT_TRUE(in.bytes().empty());
  EXPECT_TRUE(in.finished());
}

TEST(Encoding, WriterGrowsClearsAndHandsOver) {
  Writer out(4);
  for (uint32_t i = 0; i < 10'000; ++i) out.fixed32(i);
  EXPECT_EQ(out.size(), 40'000u);
  Reader in(out.view());
  for (uint32_t i = 0; i < 10'000; ++i) ASSERT_EQ(in.fixed32(), i);
  const auto taken = out.take();
  EXPECT_EQ(taken.size(), 40'000u);
  EXPECT_TRUE(out.empty());
  out.u8(1);
  out.u8(2);
  out.truncate(1);
  EXPECT_EQ(out.size(), 1u);
  out.clear();
  EXPECT_TRUE(out.view().empty());
}

// Whatever comes in, a reader ends in one of two states and never reads outside.
TEST(Encoding, RandomBytesNeverBreakAReader) {
  std::mt19937 random(1);
  for (int round = 0; round < 20'000; ++round) {
    std::vector<std::byte> data(random() % 40);
    for (auto& byte : data) byte = static_cast<std::byte>(random());
    Reader in(data);
    for (int step = 0; step < 20 && in.ok(); ++step) {
      switch (random() % 8) {
        case 0: in.u8(); break;
        case 1: in.varint(); break;
        case 2: in.bytes(); break;
        case 3: in.string(); break;
        case 4: in.handle(); break;
        case 5: in.count(random() % 4); break;
        case 6: in.fixed64(); break;
        default: in.boolean(); break;
      }
    }
    ASSERT_LE(in.remaining(), data.size());
  }
}

}  // namespace
}  // namespace outboard::wire
