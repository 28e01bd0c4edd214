#include "client-lib/state/image.h"

#include <elf.h>

#include <algorithm>
#include <cstring>
#include <string>

namespace outboard::client {
namespace {

struct FatBinaryWrapper {
  uint32_t magic;
  uint32_t version;  // 1, or 2 with `prelinked`
  const void* data;
  const void* const* prelinked;  // null-terminated array of fat binaries
};

struct FatBinaryHeader {
  uint32_t magic;
  uint16_t version;
  uint16_t header_bytes;
  uint64_t entries_bytes;
};
static_assert(sizeof(FatBinaryHeader) == 16);

template <typename T>
T load(const std::byte* from) {
  T value;
  std::memcpy(&value, from, sizeof(T));
  return value;
}

tl::unexpected<Error> bad(std::string what) { return fail(ErrorKind::kInvalidArgument, std::move(what)); }

Result<std::span<const std::byte>> measure_fat_binary(const std::byte* start) {
  const auto header = load<FatBinaryHeader>(start);
  if (header.magic != kFatBinaryMagic) return bad("The image is no fat binary: its magic number is wrong.");
  if (header.header_bytes < sizeof(FatBinaryHeader) || header.header_bytes > 4096) {
    return bad("The fat binary's header claims " + std::to_string(header.header_bytes) +
               " bytes; 16 to 4096 are possible.");
  }
  if (header.entries_bytes > kMaxImageBytes) {
    return bad("The fat binary claims " + std::to_string(header.entries_bytes) + " bytes; the limit is " +
               std::to_string(kMaxImageBytes) + ".");
  }
  return std::span(start, header.header_bytes + header.entries_bytes);
}

// start + count * each, refused when it leaves the limit.
bool table_end(uint64_t start, uint64_t count, uint64_t each, uint64_t& end) {
  if (start > kMaxImageBytes || count * each > kMaxImageBytes) return false;
  end = start + count * each;
  return end <= kMaxImageBytes;
}

Result<std::span<const std::byte>> measure_elf(const std::byte* start) {
  const auto header = load<Elf64_Ehdr>(start);
  if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB) {
    return bad("The ELF image is not 64-bit little-endian.");
  }
  uint64_t end = sizeof(Elf64_Ehdr);
  uint64_t sections_end = 0;
  uint64_t segments_end = 0;
  if (header.e_shnum != 0 && header.e_shentsize != sizeof(Elf64_Shdr)) {
    return bad("The ELF image's section headers have an impossible size.");
  }
  if (!table_end(header.e_shoff, header.e_shnum, header.e_shentsize, sections_end) ||
      !table_end(header.e_phoff, header.e_phnum, header.e_phentsize, segments_end)) {
    return bad("The ELF image's header tables lie beyond the limit of an image.");
  }
  end = std::max({end, sections_end, segments_end});
  for (uint32_t i = 0; i < header.e_shnum; ++i) {
    const auto section = load<Elf64_Shdr>(start + header.e_shoff + uint64_t{i} * sizeof(Elf64_Shdr));
    if (section.sh_type == SHT_NOBITS || section.sh_type == SHT_NULL) continue;
    uint64_t section_end = 0;
    if (!table_end(section.sh_offset, section.sh_size, 1, section_end)) {
      return bad("Section " + std::to_string(i) + " of the ELF image lies beyond the limit of an image.");
    }
    end = std::max(end, section_end);
  }
  return std::span(start, end);
}

// PTX starts with white space, a comment or a directive. Anything else is not text that a driver
// would take, and measuring it with strnlen would run through foreign memory.
Result<std::span<const std::byte>> measure_ptx(const std::byte* start) {
  const auto first = static_cast<unsigned char>(*start);
  const bool plausible = first == '.' || first == '/' || first == '\n' || first == '\r' || first == ' ' ||
                         first == '\t' || first == '\0';
  if (!plausible) {
    return bad("The image is neither a fat binary nor an ELF file nor PTX text: it starts with byte " +
               std::to_string(first) + ".");
  }
  const size_t length = strnlen(reinterpret_cast<const char*>(start), kMaxImageBytes);
  if (length == 0) return bad("The image is empty.");
  if (length == kMaxImageBytes) return bad("The PTX text has no end.");
  return std::span(start, length + 1);
}

Result<Image> measure_wrapper(const std::byte* start) {
  const auto wrapper = load<FatBinaryWrapper>(start);
  if (wrapper.version != 1 && wrapper.version != 2) {
    return bad("The fat binary's wrapper has version " + std::to_string(wrapper.version) +
               "; 1 and 2 are known.");
  }
  if (wrapper.data == nullptr) return bad("The fat binary's wrapper points nowhere.");
  auto main_image = measure_fat_binary(static_cast<const std::byte*>(wrapper.data));
  if (!main_image) return fail(main_image);
  Image image{ImageKind::kFatBinary, *main_image, {}};
  if (wrapper.version == 2 && wrapper.prelinked != nullptr) {
    for (size_t i = 0; wrapper.prelinked[i] != nullptr; ++i) {
      if (i == kMaxPrelinkedImages) return bad("The fat binary's wrapper lists too many prelinked images.");
      auto part = measure_fat_binary(static_cast<const std::byte*>(wrapper.prelinked[i]));
      if (!part) return fail(part);
      image.prelinked.push_back(*part);
    }
  }
  return image;
}

}  // namespace

Result<Image> measure_image(const void* pointer) {
  if (pointer == nullptr) return bad("The image pointer is null.");
  const auto* start = static_cast<const std::byte*>(pointer);
  // One byte at a time: PTX text may be shorter than any magic number.
  const auto starts_with = [start](uint32_t magic) {
    for (int i = 0; i < 4; ++i) {
      if (static_cast<uint8_t>(start[i]) != static_cast<uint8_t>(magic >> (8 * i))) return false;
    }
    return true;
  };
  if (starts_with(kFatBinaryWrapperMagic)) return measure_wrapper(start);
  ImageKind kind = ImageKind::kPtx;
  Result<std::span<const std::byte>> bytes = fail(ErrorKind::kInternal, "");
  if (starts_with(kFatBinaryMagic)) {
    kind = ImageKind::kFatBinary;
    bytes = measure_fat_binary(start);
  } else if (starts_with(0x464C457F)) {  // "\x7fELF"
    kind = ImageKind::kElf;
    bytes = measure_elf(start);
  } else {
    bytes = measure_ptx(start);
  }
  if (!bytes) return fail(bytes);
  return Image{kind, *bytes, {}};
}

}  // namespace outboard::client
