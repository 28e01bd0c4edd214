// Stand-ins for outboard-server, and a place to put them.
#pragma once

#include <filesystem>
#include <string>

namespace outboard::cli::testing {

// Removed with everything in it.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  std::filesystem::path path() const { return path_; }
  std::string file(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

// Writes an executable shell script.
void write_script(const std::filesystem::path& path, const std::string& body);
void write_file(const std::filesystem::path& path, const std::string& content);
std::string read_file(const std::filesystem::path& path);

// Shell text for fake servers: sets $listen, $ready and $driver from the arguments, and says
// "ready" the way the real one does.
std::string fake_server_preamble();
inline const char* kSayReady = "eval \"echo \\$listen >&$ready\"; eval \"exec $ready>&-\"\n";

}  // namespace outboard::cli::testing
