#include "pooling/cli/private_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <system_error>
#include <utility>

namespace outboard::cli {
namespace {

namespace fs = std::filesystem;

constexpr const char* kPrefix = "outboard-run.";
// A unix socket's path has at most 107 bytes (sockaddr_un); ours is PARENT/outboard-run.XXXXXX/s.
constexpr size_t kMaxParentBytes = 80;

std::vector<std::string> usual_parents() {
  std::vector<std::string> parents;
  for (const char* name : {"XDG_RUNTIME_DIR", "TMPDIR"}) {
    const char* value = std::getenv(name);
    if (value != nullptr && value[0] == '/') parents.emplace_back(value);
  }
  parents.emplace_back("/tmp");
  return parents;
}

// Ours, and nobody holds its lock: its process was killed.
bool is_left_over(const fs::path& folder) {
  struct stat info{};
  if (lstat(folder.c_str(), &info) != 0 || !S_ISDIR(info.st_mode) || info.st_uid != geteuid()) return false;
  const int fd = open((folder / "lock").c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW);
  if (fd < 0) return false;  // just being made, or not one of ours
  const bool free = flock(fd, LOCK_EX | LOCK_NB) == 0;
  close(fd);
  return free;
}

void remove_left_overs(const std::string& parent) {
  std::error_code ignored;
  for (fs::directory_iterator entry(parent, ignored), end; entry != end; entry.increment(ignored)) {
    if (ignored) return;
    if (entry->path().filename().string().starts_with(kPrefix) && is_left_over(entry->path())) {
      fs::remove_all(entry->path(), ignored);
    }
  }
}

}  // namespace

Result<PrivateFolder> PrivateFolder::create(std::vector<std::string> parents) {
  if (parents.empty()) parents = usual_parents();
  for (const std::string& parent : parents) {
    if (parent.size() > kMaxParentBytes || access(parent.c_str(), W_OK | X_OK) != 0) continue;
    remove_left_overs(parent);
    std::string path = parent + "/" + kPrefix + "XXXXXX";
    if (mkdtemp(path.data()) == nullptr) continue;  // mode 0700
    // Locked under another name first: a lock file that exists is a lock that is held, at any time.
    const std::string early = path + "/lock.new";
    const int fd = open(early.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0 &&
        rename(early.c_str(), (path + "/lock").c_str()) == 0) {
      return PrivateFolder(path, fd);
    }
    if (fd >= 0) close(fd);
    std::error_code ignored;
    fs::remove_all(path, ignored);
  }
  std::string tried;
  for (const std::string& parent : parents) tried += (tried.empty() ? "" : ", ") + parent;
  return fail(ErrorKind::kPermissionDenied,
              "no folder for the private server's socket could be made; tried below " + tried +
                  " (each must be writable and at most " + std::to_string(kMaxParentBytes) + " bytes long).");
}

PrivateFolder::PrivateFolder(PrivateFolder&& other) noexcept
    : path_(std::exchange(other.path_, {})), lock_fd_(std::exchange(other.lock_fd_, -1)) {}

PrivateFolder::~PrivateFolder() {
  if (path_.empty()) return;
  std::error_code ignored;
  fs::remove_all(path_, ignored);
  close(lock_fd_);
}

}  // namespace outboard::cli
