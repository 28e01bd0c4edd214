// Builds host object files and archives of them for tests.
#pragma once

#include <ar.h>
#include <elf.h>

#include <cstddef>
#include <cstring>
#include <string>
#include <vector>

#include "tests/softgpu/image/containers.h"

namespace outboard::softgpu::image {

// An object file with one section of that name besides its names.
inline std::vector<std::byte> object(const std::string& name, const std::vector<std::byte>& content) {
  const std::string names = std::string(1, '\0') + name + '\0' + ".shstrtab" + '\0';
  Elf64_Ehdr header{};
  std::memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_ident[EI_DATA] = ELFDATA2LSB;
  header.e_type = ET_REL;
  header.e_machine = EM_X86_64;
  header.e_shoff = sizeof header;
  header.e_shnum = 3;
  header.e_shentsize = sizeof(Elf64_Shdr);
  header.e_shstrndx = 2;
  Elf64_Shdr sections[3] = {};
  sections[1].sh_name = 1;
  sections[1].sh_type = SHT_PROGBITS;
  sections[1].sh_offset = sizeof header + sizeof sections;
  sections[1].sh_size = content.size();
  sections[2].sh_name = static_cast<uint32_t>(name.size() + 2);
  sections[2].sh_type = SHT_STRTAB;
  sections[2].sh_offset = sections[1].sh_offset + content.size();
  sections[2].sh_size = names.size();
  std::vector<std::byte> out(sections[2].sh_offset + names.size());
  std::memcpy(out.data(), &header, sizeof header);
  std::memcpy(out.data() + sizeof header, sections, sizeof sections);
  std::copy(content.begin(), content.end(), out.begin() + static_cast<ptrdiff_t>(sections[1].sh_offset));
  std::memcpy(out.data() + sections[2].sh_offset, names.data(), names.size());
  return out;
}

inline std::vector<std::byte> archive(const std::vector<std::vector<std::byte>>& members) {
  std::vector<std::byte> out = bytes_of(ARMAG);
  for (const auto& member : members) {
    std::string header(sizeof(ar_hdr), ' ');
    const std::string size = std::to_string(member.size());
    header.replace(offsetof(ar_hdr, ar_name), 2, "m/");
    header.replace(offsetof(ar_hdr, ar_size), size.size(), size);
    header.replace(offsetof(ar_hdr, ar_fmag), 2, ARFMAG);
    append(out, bytes_of(header));
    append(out, member);
    out.resize(out.size() + member.size() % 2);
  }
  return out;
}

}  // namespace outboard::softgpu::image
