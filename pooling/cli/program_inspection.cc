#include "pooling/cli/program_inspection.h"

#include <elf.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <sstream>
#include <vector>

namespace outboard::cli {
namespace {

constexpr uint64_t kMaxTableBytes = 1 << 20;  // a dynamic section or string table worth reading

std::optional<std::string> find_program(const std::string& program) {
  if (program.find('/') != std::string::npos) {
    if (access(program.c_str(), F_OK) == 0) return program;
    return std::nullopt;
  }
  const char* path = std::getenv("PATH");
  std::istringstream folders(path == nullptr ? "/usr/local/bin:/usr/bin:/bin" : path);
  for (std::string folder; std::getline(folders, folder, ':');) {
    const std::string candidate = (folder.empty() ? "." : folder) + "/" + program;
    if (access(candidate.c_str(), X_OK) == 0 && !std::filesystem::is_directory(candidate)) return candidate;
  }
  return std::nullopt;
}

// Reads parts of an untrusted file; every read says whether it was there.
class FileReader {
 public:
  explicit FileReader(const std::string& path) : stream_(path, std::ios::binary) {}
  bool open() const { return stream_.is_open(); }
  template <typename T>
  bool read(uint64_t offset, T& into) {
    return read_bytes(offset, &into, sizeof into);
  }
  std::string text(uint64_t offset, uint64_t bytes) {
    std::string found(static_cast<size_t>(std::min(bytes, kMaxTableBytes)), '\0');
    return read_bytes(offset, found.data(), found.size()) ? found : std::string();
  }

 private:
  bool read_bytes(uint64_t offset, void* into, size_t bytes) {
    stream_.clear();
    stream_.seekg(static_cast<std::streamoff>(offset));
    stream_.read(static_cast<char*>(into), static_cast<std::streamsize>(bytes));
    return stream_.gcount() == static_cast<std::streamsize>(bytes);
  }
  std::ifstream stream_;
};

std::vector<Elf64_Phdr> program_headers(FileReader& file, const Elf64_Ehdr& header) {
  std::vector<Elf64_Phdr> headers;
  if (header.e_phentsize != sizeof(Elf64_Phdr)) return headers;
  for (uint32_t i = 0; i < header.e_phnum; ++i) {
    Elf64_Phdr entry;
    if (!file.read(header.e_phoff + i * sizeof entry, entry)) break;
    headers.push_back(entry);
  }
  return headers;
}

// The file offset of a virtual address, by the loadable segments.
std::optional<uint64_t> offset_of(const std::vector<Elf64_Phdr>& headers, uint64_t address) {
  for (const Elf64_Phdr& entry : headers) {
    if (entry.p_type == PT_LOAD && address >= entry.p_vaddr && address - entry.p_vaddr < entry.p_filesz) {
      return entry.p_offset + (address - entry.p_vaddr);
    }
  }
  return std::nullopt;
}

void read_dynamic(FileReader& file, const std::vector<Elf64_Phdr>& headers, const Elf64_Phdr& dynamic,
                  ProgramFacts& facts) {
  std::vector<Elf64_Dyn> entries;
  for (uint64_t at = 0; at < std::min<uint64_t>(dynamic.p_filesz, kMaxTableBytes); at += sizeof(Elf64_Dyn)) {
    Elf64_Dyn entry;
    if (!file.read(dynamic.p_offset + at, entry) || entry.d_tag == DT_NULL) break;
    entries.push_back(entry);
  }
  uint64_t strings_at = 0;
  uint64_t strings_bytes = 0;
  for (const Elf64_Dyn& entry : entries) {
    if (entry.d_tag == DT_STRTAB) strings_at = entry.d_un.d_ptr;
    if (entry.d_tag == DT_STRSZ) strings_bytes = entry.d_un.d_val;
  }
  const auto offset = offset_of(headers, strings_at);
  if (!offset) return;
  const std::string strings = file.text(*offset, strings_bytes);
  const auto text = [&strings](uint64_t at) {
    return at < strings.size() ? std::string(strings.c_str() + at) : "";
  };
  for (const Elf64_Dyn& entry : entries) {
    if (entry.d_tag == DT_NEEDED) facts.needed.push_back(text(entry.d_un.d_val));
    if (entry.d_tag == DT_RPATH) facts.rpath = text(entry.d_un.d_val);
    if (entry.d_tag == DT_RUNPATH) facts.runpath = text(entry.d_un.d_val);
  }
  if (!facts.runpath.empty()) facts.rpath.clear();  // the loader ignores DT_RPATH then
}

void read_elf(FileReader& file, ProgramFacts& facts) {
  Elf64_Ehdr header;
  if (!file.read(0, header)) return;
  facts.is_64_bit = header.e_ident[EI_CLASS] == ELFCLASS64;
  facts.is_x86_64 = facts.is_64_bit && header.e_machine == EM_X86_64;
  if (!facts.is_64_bit) return;
  const auto headers = program_headers(file, header);
  for (const Elf64_Phdr& entry : headers) {
    if (entry.p_type == PT_INTERP) facts.has_loader = true;
    if (entry.p_type == PT_DYNAMIC) read_dynamic(file, headers, entry, facts);
  }
  facts.is_shared_object_only = header.e_type == ET_DYN && !facts.has_loader;
}

}  // namespace

Result<ProgramFacts> inspect_program(const std::string& program) {
  const auto path = find_program(program);
  if (!path) return fail(ErrorKind::kNotFound, "the program \"" + program + "\" was not found.");
  ProgramFacts facts;
  facts.path = *path;
  struct stat info{};
  if (stat(path->c_str(), &info) == 0) facts.gains_privileges = (info.st_mode & (S_ISUID | S_ISGID)) != 0;
  FileReader file(*path);
  if (!file.open()) return fail(ErrorKind::kPermissionDenied, "\"" + *path + "\" cannot be read.");
  const std::string start = file.text(0, 4);
  if (start == "\177ELF") {
    facts.is_elf = true;
    read_elf(file, facts);
  } else if (start.starts_with("#!")) {
    std::ifstream script(*path);
    std::getline(script, facts.script_interpreter);
    facts.script_interpreter.erase(0, 2);
  }
  return facts;
}

std::string remote_obstacle(const ProgramFacts& facts) {
  if (facts.gains_privileges) {
    return facts.path +
           " is setuid or setgid, so the loader ignores LD_LIBRARY_PATH and it will not find our libcuda; "
           "run a copy without that bit.";
  }
  if (!facts.is_elf) return "";
  if (!facts.is_x86_64)
    return facts.path + " is not an x86-64 program; our libcuda is built for x86-64 only.";
  if (!facts.has_loader) {
    return facts.path +
           " is linked statically, so no libcuda can be put under it; link it against libcuda.so.1 or the "
           "CUDA runtime with a dynamic C library.";
  }
  std::istringstream folders(facts.rpath);
  for (std::string folder; std::getline(folders, folder, ':');) {
    if (!folder.empty() && access((folder + "/libcuda.so.1").c_str(), F_OK) == 0) {
      return facts.path + " has the DT_RPATH " + folder +
             ", which holds another libcuda.so.1 and is searched before "
             "LD_LIBRARY_PATH; relink it with --enable-new-dtags.";
    }
  }
  return "";
}

}  // namespace outboard::cli
