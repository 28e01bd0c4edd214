#include "server/softgpu/image/image.h"
#include "server/softgpu/image/decompress.h"

#include <elf.h>
#include <gtest/gtest.h>

#include "server/softgpu/image/elf.h"
#include "server/softgpu/image/limits.h"
#include "server/softgpu/image/linked.h"
#include "tests/softgpu/image/containers.h"

namespace outboard::softgpu::image {
namespace {

const std::string kText = ".version 9.0\n.target sm_90\n.address_size 64\n";

std::vector<std::byte> cubin(uint32_t flags) {
  Elf64_Ehdr header{};
  std::memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_ident[EI_DATA] = ELFDATA2LSB;
  header.e_ident[EI_OSABI] = 65;
  header.e_machine = kElfMachineCuda;
  header.e_flags = flags;
  header.e_shoff = sizeof(header);
  header.e_shnum = 1;
  header.e_shentsize = sizeof(Elf64_Shdr);
  Elf64_Shdr section{};
  section.sh_type = SHT_PROGBITS;
  section.sh_offset = sizeof(header) + sizeof(section);
  section.sh_size = 10;
  std::vector<std::byte> out(sizeof(header) + sizeof(section) + 10);
  std::memcpy(out.data(), &header, sizeof(header));
  std::memcpy(out.data() + sizeof(header), &section, sizeof(section));
  return out;
}

class Compressed : public testing::TestWithParam<uint64_t> {};

TEST_P(Compressed, TextComesBack) {
  std::string text = kText;
  for (int i = 0; i < 1000; ++i) text += "// line " + std::to_string(i % 10) + "\n";
  const auto data = container({entry(2, 90, "machine code"), entry(1, 90, text, GetParam())});
  const auto image = open_image(data);
  ASSERT_TRUE(image) << image.error().message;
  ASSERT_EQ(image->ptx_units.size(), 1u);
  EXPECT_EQ(image->ptx_units[0], text);
}

// Units that each keep to an entry's limit may not ask for terabytes together.
TEST(Image, LinkedUnitsHaveALimitTogether) {
  std::vector<std::byte> unit = entry(1, 90, "text", kFlagLinkUnit | kZstdFlags);
  put<uint64_t>(unit, 56, kMaxEntryBytes);
  const auto image = open_image(container({unit, unit, unit}));
  ASSERT_FALSE(image);
  EXPECT_EQ(image.error().kind, ErrorKind::kInvalidArgument);
  EXPECT_NE(image.error().message.find("units of a linked program image expand to 805306368 bytes"),
            std::string::npos)
      << image.error().message;
}

TEST_P(Compressed, DamageIsRefusedOrHarmless) {
  std::string text;
  for (int i = 0; i < 300; ++i) text += std::to_string(i * 7919);
  const auto whole = container({entry(1, 90, text, GetParam())});
  for (size_t at = 16; at < whole.size(); ++at) {
    auto data = whole;
    data[at] ^= std::byte{0x5a};
    const auto image = open_image(data);  // must neither crash nor read outside
    if (image) {
      EXPECT_EQ(image->ptx_units.size(), 1u);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Formats, Compressed, testing::Values(kPlainFlags, kLz4Flags, kZstdFlags));

TEST(Image, HugeExpansionIsRefusedBeforeItIsAllocated) {
  auto data = container({entry(1, 90, kText, kZstdFlags)});
  put<uint64_t>(data, 16 + 56, uint64_t{1} << 50);
  const auto image = open_image(data);
  ASSERT_FALSE(image);
  EXPECT_EQ(image.error().kind, ErrorKind::kInvalidArgument);
}

// Found by fuzz_image: a header that promised much made each load take and clear that much memory.
TEST(Image, ZstdSizesThatTheFrameContradictsAreRefused) {
  const std::vector<std::byte> known = compress(std::string(1000, 'x'), kZstdFlags);
  const auto refused = [](std::span<const std::byte> input, uint64_t bytes) {
    const auto expanded = decompress(Compression::kZstdFrame, input, bytes);
    return expanded ? "" : expanded.error().message;
  };
  EXPECT_EQ(refused(known, 1000), "");
  EXPECT_NE(refused(known, kMaxEntryBytes).find("its frame says 1000"), std::string::npos);
  // The same without a size in the frame: a window descriptor, then one block of one byte, repeated.
  const unsigned char repeated[] = {0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x38, 0x43, 0x1f, 0x00, 'x'};
  const auto input = std::as_bytes(std::span(repeated));
  EXPECT_EQ(refused(input, 1000), "");
  EXPECT_NE(refused(input, kMaxEntryBytes).find("too small"), std::string::npos);
}

TEST(Image, PtxTextWithAndWithoutNul) {
  for (const std::string& text : {kText, kText + std::string(1, '\0')}) {
    const auto image = open_image(bytes_of(text));
    ASSERT_TRUE(image) << image.error().message;
    EXPECT_EQ(image->ptx_units[0], kText);
    EXPECT_TRUE(image->is_text);
  }
}

TEST(Image, TheDevicesCapabilityChoosesAmongPtx) {
  const auto data = container({entry(1, 80, "a"), entry(1, 120, "b"), entry(1, 90, "c")});
  for (const auto& [sm, text] :
       {std::pair{75u, "a"}, {80u, "a"}, {90u, "c"}, {103u, "c"}, {120u, "b"}, {130u, "b"}}) {
    const auto image = open_image(data, sm);
    ASSERT_TRUE(image) << image.error().message;
    EXPECT_EQ(image->ptx_units, std::vector<std::string>{text}) << sm;
  }
}

TEST(Image, SassAloneIsRefusedByName) {
  for (const auto& data : {cubin(90 << 8), container({entry(2, 90, "machine code")})}) {
    const auto image = open_image(data);
    ASSERT_FALSE(image);
    EXPECT_EQ(image.error().kind, ErrorKind::kUnsupported);
    EXPECT_NE(image.error().message.find("SASS 90"), std::string::npos) << image.error().message;
  }
}

TEST(Image, GarbageIsRefused) {
  std::vector<std::byte> data(100, std::byte{0x01});
  EXPECT_FALSE(open_image(data));
  EXPECT_FALSE(open_image(std::span<const std::byte>()));
  EXPECT_FALSE(open_image_at(nullptr));
}

TEST(Image, ElfTruncationsAreRefusedOrShort) {
  const auto data = cubin(75 << 8);
  const auto info = read_elf(data);
  ASSERT_TRUE(info);
  EXPECT_EQ(info->bytes, data.size());
  EXPECT_EQ(info->sm, 75u);
  for (size_t size = 0; size < data.size(); ++size) (void)read_elf(std::span(data).first(size));
}

struct Wrapper {
  uint32_t magic = kWrapperMagic;
  uint32_t version = 1;
  const void* container = nullptr;
  const void* const* prelinked = nullptr;
};

TEST(Image, WrapperOfVersionOne) {
  const auto data = container({entry(1, 80, kText)});
  Wrapper wrapper;
  wrapper.container = data.data();
  const auto image = open_image_at(&wrapper);
  ASSERT_TRUE(image) << image.error().message;
  EXPECT_EQ(image->ptx_units, std::vector<std::string>{kText});
}

TEST(Image, WrapperOfVersionTwoListsUnits) {
  const auto linked = container({entry(2, 90, "machine code")});
  const auto first = container({entry(1, 90, "first")});
  const auto second = container({entry(1, 90, "second")});
  const void* units[] = {first.data(), second.data(), nullptr};
  Wrapper wrapper;
  wrapper.version = 2;
  wrapper.container = linked.data();
  wrapper.prelinked = units;
  const auto image = open_image_at(&wrapper);
  ASSERT_TRUE(image) << image.error().message;
  EXPECT_EQ(image->ptx_units, (std::vector<std::string>{"first", "second"}));
}

TEST(Image, ExtentsOfImagesWithoutLength) {
  const auto data = container({entry(1, 80, kText), entry(2, 90, "x")});
  EXPECT_EQ(image_bytes_at(data.data()).value(), data.size());
  EXPECT_EQ(image_bytes_at(kText.c_str()).value(), kText.size() + 1);
  const auto elf = cubin(90);
  EXPECT_EQ(image_bytes_at(elf.data()).value(), elf.size());
}

}  // namespace
}  // namespace outboard::softgpu::image
