#include "server/worker/module_image.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string_view>
#include <vector>

namespace outboard::server {
namespace {

using Bytes = std::vector<std::byte>;

template <typename T>
void put(Bytes& bytes, size_t offset, T value) {
  if (bytes.size() < offset + sizeof value) bytes.resize(offset + sizeof value);
  std::memcpy(bytes.data() + offset, &value, sizeof value);
}

// One entry whose payload is `payload_bytes` times `mark`.
Bytes fat_binary(uint64_t payload_bytes, uint8_t mark) {
  Bytes image;
  put<uint32_t>(image, 0, 0xBA55ED50);
  put<uint16_t>(image, 4, 1);
  put<uint16_t>(image, 6, 16);
  put<uint64_t>(image, 8, 64 + payload_bytes);
  put<uint32_t>(image, 20, 64);
  put<uint64_t>(image, 24, payload_bytes);
  image.resize(80);
  image.resize(80 + payload_bytes, std::byte{mark});
  return image;
}

Bytes operator+(Bytes first, const Bytes& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

struct Wrapper {
  uint32_t magic, version;
  const uint8_t* image;
  const uint8_t* const* linked;
};

TEST(ModuleImage, OneImageIsGivenAsItIs) {
  for (const Bytes& sent : {fat_binary(40, 1), fat_binary(40, 1) + Bytes(1)}) {
    const auto image = ModuleImage::open(sent);
    ASSERT_TRUE(image);
    EXPECT_EQ(std::memcmp(image->data(), sent.data(), 120), 0);
  }
}

TEST(ModuleImage, SeveralFatBinariesGetAWrapper) {
  // Odd sizes: what follows is not aligned where it lies.
  const Bytes sent = fat_binary(41, 1) + fat_binary(17, 2) + fat_binary(8, 3);
  const auto image = ModuleImage::open(sent);
  ASSERT_TRUE(image);
  const auto* wrapper = static_cast<const Wrapper*>(image->data());
  EXPECT_EQ(wrapper->magic, 0x466243B1u);
  EXPECT_EQ(wrapper->version, 2u);
  EXPECT_EQ(wrapper->image[80], 1);
  ASSERT_NE(wrapper->linked[0], nullptr);
  ASSERT_NE(wrapper->linked[1], nullptr);
  EXPECT_EQ(wrapper->linked[2], nullptr);
  EXPECT_EQ(wrapper->linked[0][80], 2);
  EXPECT_EQ(wrapper->linked[1][80], 3);
  for (const uint8_t* part : {wrapper->image, wrapper->linked[0], wrapper->linked[1]}) {
    EXPECT_EQ(reinterpret_cast<uintptr_t>(part) % alignof(std::max_align_t), 0u);
  }
}

TEST(ModuleImage, EveryPartIsChecked) {
  Bytes sent = fat_binary(40, 1) + fat_binary(40, 2);
  put<uint64_t>(sent, 120 + 24, uint64_t{1} << 40);  // the second one's payload
  EXPECT_FALSE(ModuleImage::open(sent));
  EXPECT_FALSE(ModuleImage::open({}));
  sent = fat_binary(40, 1) + fat_binary(40, 2);
  sent.pop_back();
  EXPECT_FALSE(ModuleImage::open(sent));
}

TEST(ModuleImage, TextIsTakenWhole) {
  constexpr std::string_view kText(".version 8.0\n\0", 14);
  const auto view = std::as_bytes(std::span(kText));
  const auto image = ModuleImage::open(view);
  ASSERT_TRUE(image);
  EXPECT_EQ(std::memcmp(image->data(), kText.data(), kText.size()), 0);
}

}  // namespace
}  // namespace outboard::server
