#include "pooling/cli/program_inspection.h"

#include <elf.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>

#include "tests/cli/fake_server.h"

namespace outboard::cli {
namespace {

using testing::TemporaryFolder;

// A header without any segment: what a static program looks like to the loader.
std::string static_program(uint16_t machine = EM_X86_64) {
  Elf64_Ehdr header{};
  std::memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_type = ET_EXEC;
  header.e_machine = machine;
  header.e_phentsize = sizeof(Elf64_Phdr);
  return std::string(reinterpret_cast<const char*>(&header), sizeof header);
}

ProgramFacts inspect(const std::string& program) {
  const auto facts = inspect_program(program);
  EXPECT_TRUE(facts) << facts.error().message;
  return facts ? *facts : ProgramFacts{};
}

TEST(ProgramInspection, AnOrdinaryProgramIsNoObstacle) {
  const ProgramFacts facts = inspect("ls");
  EXPECT_TRUE(facts.is_elf && facts.is_x86_64 && facts.has_loader);
  EXPECT_NE(std::ranges::find(facts.needed, "libc.so.6"), facts.needed.end());
  EXPECT_EQ(remote_obstacle(facts), "");
}

TEST(ProgramInspection, RecognisesAStaticProgram) {
  const TemporaryFolder folder;
  testing::write_file(folder.path() / "static", static_program());
  EXPECT_NE(remote_obstacle(inspect(folder.file("static"))).find("linked statically"), std::string::npos);
}

TEST(ProgramInspection, RecognisesAnotherMachinesProgram) {
  const TemporaryFolder folder;
  testing::write_file(folder.path() / "arm", static_program(EM_AARCH64));
  EXPECT_NE(remote_obstacle(inspect(folder.file("arm"))).find("x86-64"), std::string::npos);
}

TEST(ProgramInspection, RecognisesSetuid) {
  const TemporaryFolder folder;
  testing::write_script(folder.path() / "elevated", "exit 0");
  ASSERT_EQ(chmod(folder.file("elevated").c_str(), 04755), 0);
  EXPECT_NE(remote_obstacle(inspect(folder.file("elevated"))).find("setuid"), std::string::npos);
}

TEST(ProgramInspection, AScriptNamesItsInterpreter) {
  const TemporaryFolder folder;
  testing::write_script(folder.path() / "script", "exit 0");
  EXPECT_EQ(inspect(folder.file("script")).script_interpreter, "/bin/bash");
}

TEST(ProgramInspection, AnRpathWithAnotherLibcudaIsAnObstacle) {
  const TemporaryFolder folder;
  testing::write_file(folder.path() / "libcuda.so.1", "");
  ProgramFacts facts = inspect("ls");
  facts.rpath = "/nowhere:" + folder.path().string();
  EXPECT_NE(remote_obstacle(facts).find("DT_RPATH"), std::string::npos);
}

TEST(ProgramInspection, SurvivesNonsense) {
  const TemporaryFolder folder;
  std::string nonsense = static_program();
  Elf64_Ehdr header;
  std::memcpy(&header, nonsense.data(), sizeof header);
  header.e_phoff = ~0ull;
  header.e_phnum = 0xFFFF;
  std::memcpy(nonsense.data(), &header, sizeof header);
  testing::write_file(folder.path() / "nonsense", nonsense);
  testing::write_file(folder.path() / "short", "\177ELF");
  testing::write_file(folder.path() / "empty", "");
  EXPECT_FALSE(inspect(folder.file("nonsense")).has_loader);
  EXPECT_TRUE(inspect(folder.file("short")).is_elf);
  EXPECT_FALSE(inspect(folder.file("empty")).is_elf);
}

TEST(ProgramInspection, SaysWhatIsNotThere) {
  const auto facts = inspect_program("no-such-program-anywhere");
  ASSERT_FALSE(facts);
  EXPECT_EQ(facts.error().kind, ErrorKind::kNotFound);
}

}  // namespace
}  // namespace outboard::cli
