#include "client-lib/state/image.h"

#include <elf.h>
#include <gtest/gtest.h>

#include <cstring>

namespace outboard::client {
namespace {

std::vector<std::byte> fat_binary(uint64_t entries_bytes, uint16_t header_bytes = 16) {
  std::vector<std::byte> image(16 + 64);
  const uint16_t version = 1;
  std::memcpy(image.data(), &kFatBinaryMagic, 4);
  std::memcpy(image.data() + 4, &version, 2);
  std::memcpy(image.data() + 6, &header_bytes, 2);
  std::memcpy(image.data() + 8, &entries_bytes, 8);
  return image;
}

struct Wrapper {
  uint32_t magic = kFatBinaryWrapperMagic;
  uint32_t version = 1;
  const void* data = nullptr;
  const void* extra = nullptr;
};

// One section of `section_bytes` behind the header, then the section headers.
std::vector<std::byte> elf(uint64_t section_bytes, uint32_t type = SHT_PROGBITS) {
  Elf64_Ehdr header{};
  std::memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_ident[EI_DATA] = ELFDATA2LSB;
  header.e_machine = 190;
  header.e_shoff = sizeof header;
  header.e_shnum = 1;
  header.e_shentsize = sizeof(Elf64_Shdr);
  Elf64_Shdr section{};
  section.sh_type = type;
  section.sh_offset = sizeof header + sizeof section;
  section.sh_size = section_bytes;
  std::vector<std::byte> image(sizeof header + sizeof section + 256);
  std::memcpy(image.data(), &header, sizeof header);
  std::memcpy(image.data() + sizeof header, &section, sizeof section);
  return image;
}

TEST(MeasureImage, FatBinaryIsItsHeaderAndItsEntries) {
  const auto bytes = fat_binary(64);
  const auto image = measure_image(bytes.data());
  ASSERT_TRUE(image);
  EXPECT_EQ(image->kind, ImageKind::kFatBinary);
  EXPECT_EQ(image->bytes.size(), 80u);
  EXPECT_EQ(image->bytes.data(), bytes.data());
}

TEST(MeasureImage, WrapperOfVersionOneAndTwo) {
  const auto main_image = fat_binary(64);
  const auto part = fat_binary(32);
  const void* parts[] = {part.data(), part.data(), nullptr};
  Wrapper wrapper{.data = main_image.data(), .extra = nullptr};
  auto image = measure_image(&wrapper);
  ASSERT_TRUE(image);
  EXPECT_EQ(image->bytes.size(), 80u);
  EXPECT_TRUE(image->prelinked.empty());
  wrapper.version = 2;
  wrapper.extra = parts;
  image = measure_image(&wrapper);
  ASSERT_TRUE(image);
  ASSERT_EQ(image->prelinked.size(), 2u);
  EXPECT_EQ(image->prelinked[1].size(), 48u);
}

TEST(MeasureImage, DamagedFatBinariesAreRefused) {
  EXPECT_FALSE(measure_image(fat_binary(kMaxImageBytes + 1).data()));
  EXPECT_FALSE(measure_image(fat_binary(64, 8).data()));
  EXPECT_FALSE(measure_image(fat_binary(64, 5000).data()));
  Wrapper wrapper;
  EXPECT_FALSE(measure_image(&wrapper));
  const auto inner = elf(8);
  wrapper.data = inner.data();
  EXPECT_FALSE(measure_image(&wrapper));
  wrapper.version = 3;
  EXPECT_FALSE(measure_image(&wrapper));
}

TEST(MeasureImage, ElfReachesToItsLastSection) {
  const auto with_data = elf(100);
  ASSERT_TRUE(measure_image(with_data.data()));
  EXPECT_EQ(measure_image(with_data.data())->bytes.size(), sizeof(Elf64_Ehdr) + sizeof(Elf64_Shdr) + 100);
  const auto without = elf(100, SHT_NOBITS);
  ASSERT_TRUE(measure_image(without.data()));
  EXPECT_EQ(measure_image(without.data())->bytes.size(), sizeof(Elf64_Ehdr) + sizeof(Elf64_Shdr));
}

TEST(MeasureImage, DamagedElfIsRefused) {
  EXPECT_FALSE(measure_image(elf(~uint64_t{0}).data()));
  auto image = elf(8);
  image[EI_CLASS] = std::byte{ELFCLASS32};
  EXPECT_FALSE(measure_image(image.data()));
  image = elf(8);
  const uint64_t far = ~uint64_t{0} - 8;
  std::memcpy(image.data() + offsetof(Elf64_Ehdr, e_shoff), &far, 8);
  EXPECT_FALSE(measure_image(image.data()));
}

TEST(MeasureImage, PtxIncludesItsEnd) {
  const char text[] = "//\n.version 9.0\n";
  const auto image = measure_image(text);
  ASSERT_TRUE(image);
  EXPECT_EQ(image->kind, ImageKind::kPtx);
  EXPECT_EQ(image->bytes.size(), sizeof text);
}

TEST(MeasureImage, RefusesWhatIsNoImage) {
  EXPECT_FALSE(measure_image(nullptr));
  EXPECT_FALSE(measure_image(""));
  EXPECT_FALSE(measure_image("\x01\x02\x03\x04"));
  const auto error = measure_image("hello");
  ASSERT_FALSE(error);
  EXPECT_EQ(error.error().kind, ErrorKind::kInvalidArgument);
  EXPECT_NE(error.error().message.find("neither"), std::string::npos);
}

}  // namespace
}  // namespace outboard::client
