#include "server/worker/image_check.h"

#include <elf.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

#include "server/worker/uploads.h"

namespace outboard::server {
namespace {

using Bytes = std::vector<std::byte>;

Bytes bytes_of(std::string_view text) {
  const auto view = std::as_bytes(std::span(text));
  return {view.begin(), view.end()};
}

template <typename T>
void put(Bytes& bytes, size_t offset, T value) {
  if (bytes.size() < offset + sizeof value) bytes.resize(offset + sizeof value);
  std::memcpy(bytes.data() + offset, &value, sizeof value);
}

Bytes fatbin(uint64_t payload_bytes) {
  Bytes image;
  put<uint32_t>(image, 0, 0xBA55ED50);
  put<uint16_t>(image, 4, 1);
  put<uint16_t>(image, 6, 16);
  put<uint64_t>(image, 8, 64 + payload_bytes);
  put<uint32_t>(image, 20, 64);
  put<uint64_t>(image, 24, payload_bytes);
  image.resize(16 + 64 + payload_bytes);
  return image;
}

Bytes elf() {
  Bytes image;
  Elf64_Ehdr header{};
  std::memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_shoff = sizeof header;
  header.e_shnum = 1;
  header.e_shentsize = sizeof(Elf64_Shdr);
  put(image, 0, header);
  Elf64_Shdr section{};
  section.sh_type = SHT_PROGBITS;
  section.sh_offset = 8;
  section.sh_size = 32;
  put(image, sizeof header, section);
  return image;
}

TEST(ImageCheck, AcceptsWhatIsComplete) {
  EXPECT_TRUE(image_is_bounded(fatbin(100)));
  EXPECT_TRUE(image_is_bounded(elf()));
  Bytes ptx = bytes_of(".version 8.0");
  ptx.push_back(std::byte{0});
  EXPECT_TRUE(image_is_bounded(ptx));
}

TEST(ImageCheck, RefusesEveryTruncation) {
  for (const Bytes& whole : {fatbin(40), elf()}) {
    for (size_t size = 0; size < whole.size(); ++size) {
      Bytes cut(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(size));
      // A few bytes of a header with a zero at the end are a short text, which is harmless.
      if (size < 16) continue;
      EXPECT_FALSE(image_is_bounded(cut)) << size;
    }
  }
  EXPECT_FALSE(image_is_bounded(bytes_of(".version 8.0")));
  EXPECT_FALSE(image_is_bounded({}));
}

TEST(ImageCheck, RefusesSizesThatWrapAroundAndWrappers) {
  Bytes image = fatbin(40);
  put<uint64_t>(image, 24, UINT64_MAX - 10);
  EXPECT_FALSE(image_is_bounded(image));
  image = fatbin(40);
  put<uint64_t>(image, 8, UINT64_MAX - 10);
  EXPECT_FALSE(image_is_bounded(image));
  image = fatbin(40);
  put<uint32_t>(image, 20, 0);
  EXPECT_FALSE(image_is_bounded(image));
  image = elf();
  put<uint64_t>(image, offsetof(Elf64_Ehdr, e_shoff), UINT64_MAX - 3);
  EXPECT_FALSE(image_is_bounded(image));
  image = fatbin(40);
  put<uint32_t>(image, 0, 0x466243B1);
  EXPECT_FALSE(image_is_bounded(image));
}

TEST(Uploads, ChunksMustFollowOneAnother) {
  Uploads uploads;
  EXPECT_EQ(uploads.add(1, 8, 0, bytes_of("abcd")), "");
  EXPECT_NE(uploads.add(1, 8, 5, bytes_of("x")), "");
  EXPECT_NE(uploads.add(1, 9, 4, bytes_of("x")), "");
  EXPECT_NE(uploads.add(1, 8, 4, bytes_of("efghi")), "");
  EXPECT_EQ(uploads.add(1, 8, 4, bytes_of("efgh")), "");
  EXPECT_EQ(uploads.take(1).data, bytes_of("abcdefgh"));
  EXPECT_TRUE(uploads.take(1).data.empty());
}

TEST(Uploads, WhatWasOfferedIsRememberedAndWhatIsKnownIsComplete) {
  Uploads uploads;
  const ContentHash hash = content_hash(bytes_of("abcd"));
  EXPECT_EQ(uploads.offer(1, 4, hash), "");
  EXPECT_NE(uploads.offer(1, 4, hash), "") << "the number is taken";
  EXPECT_EQ(uploads.add(1, 4, 0, bytes_of("abcd")), "");
  const Uploads::Taken sent = uploads.take(1);
  EXPECT_EQ(sent.data, bytes_of("abcd"));
  EXPECT_EQ(sent.offered, hash);
  EXPECT_EQ(uploads.complete(2, bytes_of("abcd")), "");
  const Uploads::Taken known = uploads.take(2);
  EXPECT_EQ(known.data, bytes_of("abcd"));
  EXPECT_FALSE(known.offered) << "it is stored already";
}

TEST(Uploads, AreBounded) {
  Uploads uploads;
  EXPECT_NE(uploads.add(1, Uploads::kMaxBytes + 1, 0, bytes_of("x")), "");
  EXPECT_NE(uploads.add(0, 1, 0, bytes_of("x")), "");
  for (uint32_t i = 1; i <= Uploads::kMaxOpen; ++i) EXPECT_EQ(uploads.add(i, 2, 0, bytes_of("x")), "");
  EXPECT_NE(uploads.add(99, 2, 0, bytes_of("x")), "");
  EXPECT_TRUE(uploads.take(1).data.empty());  // incomplete, and given up
  EXPECT_EQ(uploads.add(99, 2, 0, bytes_of("x")), "");
  Uploads large;
  EXPECT_EQ(large.add(1, Uploads::kMaxBytes, 0, bytes_of("x")), "");
  EXPECT_EQ(large.add(2, Uploads::kMaxBytes, 0, bytes_of("x")), "");
  EXPECT_NE(large.add(3, 1, 0, bytes_of("x")), "") << "together they are too large";
  large.take(1);
  EXPECT_EQ(large.add(3, 1, 0, bytes_of("x")), "");
}

}  // namespace
}  // namespace outboard::server
