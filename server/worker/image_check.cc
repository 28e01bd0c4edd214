#include "server/worker/image_check.h"

#include <elf.h>

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace outboard::server {
namespace {

constexpr uint32_t kFatbinMagic = 0xBA55ED50;
constexpr uint32_t kWrapperMagic = 0x466243B1;
constexpr size_t kFatbinHeaderBytes = 16;  // u32 magic, u16 version, u16 header size, u64 size of the entries

template <typename T>
T read_at(std::span<const std::byte> image, size_t offset) {
  T value;
  std::memcpy(&value, image.data() + offset, sizeof value);
  return value;
}

// Whether `count` entries of `entry_bytes` from `offset` on lie within `size_bytes`.
bool table_fits(uint64_t offset, uint64_t count, uint64_t entry_bytes, uint64_t size_bytes) {
  return offset <= size_bytes && (count == 0 || entry_bytes <= (size_bytes - offset) / count);
}

bool elf_is_bounded(std::span<const std::byte> image) {
  if (image.size() < sizeof(Elf64_Ehdr)) return false;
  const auto header = read_at<Elf64_Ehdr>(image, 0);
  if (header.e_ident[EI_CLASS] != ELFCLASS64) return false;
  if (header.e_shnum != 0 && header.e_shentsize != sizeof(Elf64_Shdr)) return false;
  if (header.e_phnum != 0 && header.e_phentsize != sizeof(Elf64_Phdr)) return false;
  if (!table_fits(header.e_shoff, header.e_shnum, sizeof(Elf64_Shdr), image.size()) ||
      !table_fits(header.e_phoff, header.e_phnum, sizeof(Elf64_Phdr), image.size())) {
    return false;
  }
  for (size_t i = 0; i < header.e_shnum; ++i) {
    const auto section = read_at<Elf64_Shdr>(image, header.e_shoff + i * sizeof(Elf64_Shdr));
    if (section.sh_type != SHT_NOBITS && !table_fits(section.sh_offset, 1, section.sh_size, image.size()))
      return false;
  }
  for (size_t i = 0; i < header.e_phnum; ++i) {
    const auto segment = read_at<Elf64_Phdr>(image, header.e_phoff + i * sizeof(Elf64_Phdr));
    if (!table_fits(segment.p_offset, 1, segment.p_filesz, image.size())) return false;
  }
  return true;
}

// The header and every entry's own sizes: u16 kind, u16, u32 header size, u64 payload size.
bool fatbin_is_bounded(std::span<const std::byte> image) {
  constexpr size_t kLeastEntryBytes = 16;
  const uint64_t header_bytes = read_at<uint16_t>(image, 6);
  const uint64_t entries_bytes = read_at<uint64_t>(image, 8);
  if (header_bytes < kFatbinHeaderBytes || !table_fits(header_bytes, 1, entries_bytes, image.size()))
    return false;
  uint64_t offset = header_bytes;
  const uint64_t end = header_bytes + entries_bytes;
  while (offset < end) {
    if (end - offset < kLeastEntryBytes) return false;
    const uint64_t entry_header = read_at<uint32_t>(image, offset + 4);
    const uint64_t payload = read_at<uint64_t>(image, offset + 8);
    if (entry_header < kLeastEntryBytes || entry_header > end - offset ||
        payload > end - offset - entry_header) {
      return false;
    }
    offset += entry_header + payload;
  }
  return true;
}

}  // namespace

bool image_is_bounded(std::span<const std::byte> image) {
  if (image.size() >= kFatbinHeaderBytes) {
    const auto magic = read_at<uint32_t>(image, 0);
    if (magic == kWrapperMagic) return false;
    if (magic == kFatbinMagic) return fatbin_is_bounded(image);
  }
  if (image.size() >= SELFMAG && std::memcmp(image.data(), ELFMAG, SELFMAG) == 0)
    return elf_is_bounded(image);
  return !image.empty() && image.back() == std::byte{0};
}

}  // namespace outboard::server
