#include "server/softgpu/image/host_object.h"

#include <ar.h>
#include <elf.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#include "server/softgpu/image/elf.h"
#include "server/softgpu/image/fatbin.h"
#include "server/softgpu/image/limits.h"

namespace outboard::softgpu::image {
namespace {

using Containers = std::vector<std::span<const std::byte>>;

tl::unexpected<Error> damaged(const std::string& what) {
  return fail(ErrorKind::kInvalidArgument, "The object file or archive is damaged: " + what + ".");
}

// Containers stand one behind the other, with zeros between them.
Status read_section(std::span<const std::byte> section, Containers* containers) {
  size_t at = 0;
  while (section.size() - at >= kFatbinHeaderBytes) {
    uint32_t magic = 0;
    std::memcpy(&magic, section.data() + at, sizeof magic);
    if (magic != kFatbinMagic) {
      at += sizeof magic;
      continue;
    }
    const auto rest = section.subspan(at);
    const auto bytes = fatbin_bytes(rest);
    if (!bytes) return fail(bytes);
    if (*bytes > rest.size()) return damaged("a fat binary ends behind its section");
    if (containers->size() == kMaxPrelinked)
      return damaged("it holds more than " + std::to_string(kMaxPrelinked) + " fat binaries");
    containers->push_back(rest.first(*bytes));
    at += *bytes;
  }
  return {};
}

// The section with that header, empty if it leaves the object.
std::span<const std::byte> content_of(std::span<const std::byte> object, const Elf64_Shdr& section) {
  const bool inside = section.sh_type != SHT_NOBITS && section.sh_offset <= object.size() &&
                      section.sh_size <= object.size() - section.sh_offset;
  return inside ? object.subspan(section.sh_offset, section.sh_size) : std::span<const std::byte>();
}

Status read_object(std::span<const std::byte> object, Containers* containers) {
  Elf64_Ehdr header;
  if (object.size() < sizeof header) return damaged("an object file is shorter than its header");
  std::memcpy(&header, object.data(), sizeof header);
  const uint64_t table_bytes = uint64_t{header.e_shnum} * sizeof(Elf64_Shdr);
  if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_shentsize != sizeof(Elf64_Shdr) ||
      header.e_shstrndx >= header.e_shnum || header.e_shoff > object.size() ||
      table_bytes > object.size() - header.e_shoff)
    return damaged("an object file has no 64-bit section table");
  std::vector<Elf64_Shdr> sections(header.e_shnum);
  std::memcpy(sections.data(), object.data() + header.e_shoff, table_bytes);
  const auto names = content_of(object, sections[header.e_shstrndx]);
  for (const Elf64_Shdr& section : sections) {
    if (section.sh_name >= names.size()) continue;
    const auto* name = reinterpret_cast<const char*>(names.data()) + section.sh_name;
    const std::string_view text(name, strnlen(name, names.size() - section.sh_name));
    // Device code that stands alone, and such that is to be linked (nvcc -rdc=true).
    if (text != ".nv_fatbin" && text != "__nv_relfatbin") continue;
    if (const Status status = read_section(content_of(object, section), containers); !status) return status;
  }
  return {};
}

}  // namespace

Result<Containers> fatbins_of_objects(std::span<const std::byte> data) {
  Containers containers;
  if (is_elf(data)) {
    if (const Status status = read_object(data, &containers); !status) return fail(status);
    return containers;
  }
  if (data.size() < SARMAG || std::memcmp(data.data(), ARMAG, SARMAG) != 0) {
    return fail(ErrorKind::kInvalidArgument,
                "What is to be linked is neither an object file (ELF) nor an archive of such (ar).");
  }
  auto rest = data.subspan(SARMAG);
  while (rest.size() >= sizeof(ar_hdr)) {
    ar_hdr header;
    std::memcpy(&header, rest.data(), sizeof header);
    if (std::memcmp(header.ar_fmag, ARFMAG, sizeof header.ar_fmag) != 0)
      return damaged("a member of the archive has no header");
    const std::string size_text(header.ar_size, sizeof header.ar_size);
    const uint64_t bytes = std::strtoull(size_text.c_str(), nullptr, 10);
    rest = rest.subspan(sizeof header);
    if (bytes > rest.size()) return damaged("a member ends behind the archive");
    const auto member = rest.first(bytes);
    if (is_elf(member)) {
      if (const Status status = read_object(member, &containers); !status) return fail(status);
    }
    rest = rest.subspan(std::min<uint64_t>(bytes + bytes % 2, rest.size()));
  }
  return containers;
}

}  // namespace outboard::softgpu::image
