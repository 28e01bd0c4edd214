#include "server/softgpu/image/elf.h"

#include <elf.h>

#include <algorithm>
#include <cstring>
#include <string>

#include "server/softgpu/image/limits.h"

namespace outboard::softgpu::image {
namespace {

// The OS ABI number that CUDA 13's tools write; they keep the target in bits 8..15 of e_flags,
// older ones (51, 7) in bits 0..7. Observed in cubins, see facts on images.
constexpr unsigned char kOsAbiCuda13 = 65;

// end = offset + count * size, or nothing when that leaves the allowed range.
bool table_end(uint64_t offset, uint64_t count, uint64_t entry_bytes, uint64_t* end) {
  if (offset > kMaxContainerBytes || count > 0xffff || entry_bytes > 0xffff) return false;
  *end = offset + count * entry_bytes;
  return *end <= kMaxContainerBytes;
}

}  // namespace

bool is_elf(std::span<const std::byte> head) {
  return head.size() >= SELFMAG && std::memcmp(head.data(), ELFMAG, SELFMAG) == 0;
}

Result<ElfInfo> read_elf(std::span<const std::byte> data) {
  Elf64_Ehdr header;
  if (!is_elf(data) || data.size() < sizeof(header)) {
    return fail(ErrorKind::kInvalidArgument, "The program image is not a complete ELF header.");
  }
  std::memcpy(&header, data.data(), sizeof(header));
  if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB) {
    return fail(ErrorKind::kInvalidArgument, "The program image is an ELF, but not 64-bit little-endian.");
  }
  ElfInfo info;
  info.machine = header.e_machine;
  info.sm = header.e_ident[EI_OSABI] == kOsAbiCuda13 ? (header.e_flags >> 8) & 0xff : header.e_flags & 0xff;
  uint64_t sections_end = 0;
  uint64_t segments_end = 0;
  if (!table_end(header.e_shoff, header.e_shnum, header.e_shentsize, &sections_end) ||
      !table_end(header.e_phoff, header.e_phnum, header.e_phentsize, &segments_end)) {
    return fail(ErrorKind::kInvalidArgument, "The ELF image's header tables lie outside any sensible size.");
  }
  info.bytes = std::max<uint64_t>({sections_end, segments_end, sizeof(header)});
  for (uint32_t i = 0; i < header.e_shnum && header.e_shentsize >= sizeof(Elf64_Shdr); ++i) {
    const uint64_t at = header.e_shoff + uint64_t{i} * header.e_shentsize;
    if (at + sizeof(Elf64_Shdr) > data.size()) break;  // the caller sees from `bytes` that it is cut
    Elf64_Shdr section;
    std::memcpy(&section, data.data() + at, sizeof(section));
    if (section.sh_type == SHT_NOBITS) continue;
    if (section.sh_offset > kMaxContainerBytes || section.sh_size > kMaxContainerBytes) {
      return fail(ErrorKind::kInvalidArgument,
                  "Section " + std::to_string(i) + " of the ELF image lies outside any sensible size.");
    }
    info.bytes = std::max(info.bytes, section.sh_offset + section.sh_size);
  }
  return info;
}

}  // namespace outboard::softgpu::image
