#include "server/worker/image_memory.h"

#include <elf.h>
#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

namespace outboard::server {
namespace {

uint64_t variables(const std::string& declarations) {
  return memory_of_ptx(".version 8.0\n.target sm_80\n.address_size 64\n" + declarations).variable_bytes;
}

TEST(ImageMemory, CountsEveryWayToDeclareAVariable) {
  EXPECT_EQ(variables(""), 0u);
  EXPECT_EQ(variables(".global .align 4 .b8 buffer[1000];"), 1000u);
  EXPECT_EQ(variables(".visible .global .u32 counter = 11;"), 4u);
  EXPECT_EQ(variables(".const .align 4 .b32 table[4] = {1, 2, 3, 4};"), 16u);
  EXPECT_EQ(variables(".global .f64 open[] = {1, 2, 3};"), 24u);
  EXPECT_EQ(variables(".global .align 256 .b8 one;"), 256u) << "with what aligns it";
  EXPECT_EQ(variables(".global .v4 .f32 pixels[0x10];"), 256u);
  EXPECT_EQ(variables(".global .b16 grid[3][5][7];"), 2u * 105);
  EXPECT_EQ(variables(".global .u32 a, b[3], c = 5;"), 20u);
  EXPECT_EQ(variables(".weak .global .b128 wide;"), 16u);
  EXPECT_EQ(variables(".global .attribute(.managed) .align 8 .b8 shared_with_host[64];"), 64u);
  EXPECT_EQ(variables(".global .texref tex;"), 8u);
  EXPECT_EQ(variables(".global .u64 pointers[2] = {generic(a), b + 8};"), 16u);
  EXPECT_EQ(variables(".global .b8 huge[18446744073709551615];"), UINT64_MAX);
  EXPECT_EQ(variables(".global .b64 huge[18446744073709551615];"), UINT64_MAX / 8 * 8);
}

TEST(ImageMemory, LeavesOutWhatIsNoVariableOfTheModule) {
  EXPECT_EQ(variables("// .global .b8 a[100];\n/* .global .b8 b[100]; */"), 0u);
  EXPECT_EQ(variables(".extern .global .b8 elsewhere[100];"), 0u);
  EXPECT_EQ(variables(".visible .entry k(.param .u64 .ptr .global .align 8 p) {\n"
                      "  .reg .b32 %r<2>; .shared .b8 s[64];\n  ld.global.u32 %r0, [p];\n  ret;\n}\n"
                      ".global .u8 behind;"),
            1u);
  EXPECT_EQ(variables(".file 1 \"a .global .b8 x[7];\"\n.global .u16 y;"), 2u);
}

TEST(ImageMemory, SeesWhatKernelsNeedSetAside) {
  EXPECT_TRUE(memory_of_ptx(".extern .func (.param .b64 r) malloc (.param .b64 n) ;").uses_heap);
  EXPECT_TRUE(memory_of_ptx(".extern .func (.param .b32 r) vprintf (.param .b64 f, .param .b64 a);").prints);
  const ImageMemory none = memory_of_ptx(".extern .func other (.param .b64 n);");
  EXPECT_FALSE(none.uses_heap || none.prints);
}

// A file of machine code with these sections and symbol names.
std::vector<std::byte> machine_code(const std::vector<std::pair<std::string, uint64_t>>& sections,
                                    const std::string& symbols) {
  std::string names(1, '\0');
  std::vector<Elf64_Shdr> table(1);
  for (const auto& [name, bytes] : sections) {
    Elf64_Shdr section{};
    section.sh_name = static_cast<uint32_t>(names.size());
    section.sh_type = SHT_NOBITS;
    section.sh_size = bytes;
    table.push_back(section);
    names += name + '\0';
  }
  Elf64_Ehdr header{};
  std::memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  const uint64_t texts_at = sizeof header;
  Elf64_Shdr strings{};
  strings.sh_type = SHT_STRTAB;
  strings.sh_offset = texts_at;
  strings.sh_size = symbols.size();
  table.push_back(strings);
  strings.sh_offset = texts_at + symbols.size();
  strings.sh_size = names.size();
  table.push_back(strings);
  header.e_shoff = texts_at + symbols.size() + names.size();
  header.e_shnum = static_cast<uint16_t>(table.size());
  header.e_shentsize = sizeof(Elf64_Shdr);
  header.e_shstrndx = static_cast<uint16_t>(table.size() - 1);
  std::vector<std::byte> file(header.e_shoff + table.size() * sizeof(Elf64_Shdr));
  std::memcpy(file.data(), &header, sizeof header);
  std::memcpy(file.data() + texts_at, symbols.data(), symbols.size());
  std::memcpy(file.data() + texts_at + symbols.size(), names.data(), names.size());
  std::memcpy(file.data() + header.e_shoff, table.data(), table.size() * sizeof(Elf64_Shdr));
  return file;
}

TEST(ImageMemory, SectionsOfMachineCode) {
  const std::string symbols("\0kernel\0malloc\0", 15);
  const auto file = machine_code({{".text.kernel", 4096},
                                  {".nv.global", 1000},
                                  {".nv.global.init", 24},
                                  {".nv.constant3", 64},
                                  {".nv.constant0.kernel", 512}},
                                 symbols);
  const ImageMemory memory = memory_of_image(file);
  EXPECT_EQ(memory.variable_bytes, 1088u);
  EXPECT_TRUE(memory.uses_heap);
  EXPECT_FALSE(memory.prints);
  for (size_t bytes = SELFMAG; bytes < file.size(); bytes += 7)
    EXPECT_EQ(memory_of_image(std::span(file).first(bytes)).variable_bytes, UINT64_MAX) << bytes;
}

std::vector<std::byte> fat_binary(const std::vector<std::pair<uint16_t, std::string>>& entries) {
  std::vector<std::byte> file(16);
  for (const auto& [kind, content] : entries) {
    std::vector<std::byte> entry(64);
    const uint32_t header_bytes = 64;
    const uint64_t content_bytes = content.size();
    std::memcpy(entry.data(), &kind, sizeof kind);
    std::memcpy(entry.data() + 4, &header_bytes, sizeof header_bytes);
    std::memcpy(entry.data() + 8, &content_bytes, sizeof content_bytes);
    file.insert(file.end(), entry.begin(), entry.end());
    const auto* begin = reinterpret_cast<const std::byte*>(content.data());
    file.insert(file.end(), begin, begin + content.size());
  }
  const uint32_t magic = 0xBA55ED50;
  const uint16_t version = 1, header_bytes = 16;
  const uint64_t entries_bytes = file.size() - 16;
  std::memcpy(file.data(), &magic, sizeof magic);
  std::memcpy(file.data() + 4, &version, sizeof version);
  std::memcpy(file.data() + 6, &header_bytes, sizeof header_bytes);
  std::memcpy(file.data() + 8, &entries_bytes, sizeof entries_bytes);
  return file;
}

TEST(ImageMemory, OfAlternativesTheLargestOfLinkedPartsAll) {
  const auto first = fat_binary({{1, ".global .b8 a[100];"}, {1, ".global .b8 a[300];"}, {8, "bitcode"}});
  EXPECT_EQ(memory_of_image(first).variable_bytes, 300u);
  auto linked = first;
  const auto second = fat_binary({{1, ".const .b8 b[50];"}});
  linked.insert(linked.end(), second.begin(), second.end());
  EXPECT_EQ(memory_of_image(linked).variable_bytes, 350u);
}

}  // namespace
}  // namespace outboard::server
