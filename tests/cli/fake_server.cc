#include "tests/cli/fake_server.h"

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <stdexcept>

namespace outboard::cli::testing {

TemporaryFolder::TemporaryFolder() {
  std::string name = "/tmp/outboard-cli-test.XXXXXX";
  if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("mkdtemp failed");
  path_ = name;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

void write_file(const std::filesystem::path& path, const std::string& content) {
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << content;
}

void write_script(const std::filesystem::path& path, const std::string& body) {
  write_file(path, "#!/bin/bash\n" + body);
  std::filesystem::permissions(path, std::filesystem::perms::owner_all);
}

std::string read_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream content;
  content << file.rdbuf();
  return content.str();
}

std::string fake_server_preamble() {
  return R"(
while [ $# -gt 0 ]; do
  case "$1" in
    --listen) listen=$2; shift ;;
    --ready-fd) ready=$2; shift ;;
    --driver) driver=$2; shift ;;
  esac
  shift
done
)";
}

}  // namespace outboard::cli::testing
