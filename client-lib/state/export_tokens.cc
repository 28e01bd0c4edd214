#include "client-lib/state/export_tokens.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <string>

namespace outboard::client {
namespace {

constexpr char kMagic[16] = {'o', 'u', 't', 'b', 'o', 'a', 'r', 'd', ' ', 'e', 'x', 'p', 'o', 'r', 't', '1'};
constexpr int kSeals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL;

struct Content {
  char magic[sizeof kMagic];
  ExportKey key;
};

}  // namespace

ExportTokens::~ExportTokens() {
  for (const auto& [descriptor, key] : watched_) close(descriptor);
}

int ExportTokens::issue(const ExportKey& key) {
  const int descriptor = memfd_create("outboard-export", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (descriptor < 0) return -1;
  Content content{};
  std::memcpy(content.magic, kMagic, sizeof kMagic);
  content.key = key;
  const bool made = write(descriptor, &content, sizeof content) == sizeof content &&
                    fcntl(descriptor, F_ADD_SEALS, kSeals) == 0 && flock(descriptor, LOCK_SH) == 0;
  if (!made) {
    close(descriptor);
    return -1;
  }
  // Opened anew, because locks belong to what open() made. Without it the export lasts as long as the
  // session.
  const int own = open(("/proc/self/fd/" + std::to_string(descriptor)).c_str(), O_RDONLY | O_CLOEXEC);
  if (own >= 0) {
    std::lock_guard lock(mutex_);
    watched_.emplace_back(own, key);
  }
  return descriptor;
}

std::optional<ExportKey> ExportTokens::read(int descriptor) {
  struct stat info = {};
  if (fstat(descriptor, &info) != 0 || !S_ISREG(info.st_mode) || info.st_size != sizeof(Content))
    return std::nullopt;
  Content content{};
  if (pread(descriptor, &content, sizeof content, 0) != sizeof content) return std::nullopt;
  if (std::memcmp(content.magic, kMagic, sizeof kMagic) != 0) return std::nullopt;
  return content.key;
}

std::vector<ExportKey> ExportTokens::take_closed() {
  std::vector<ExportKey> closed;
  std::lock_guard lock(mutex_);
  std::erase_if(watched_, [&](const auto& watched) {
    if (flock(watched.first, LOCK_EX | LOCK_NB) != 0) return false;
    close(watched.first);
    closed.push_back(watched.second);
    return true;
  });
  return closed;
}

}  // namespace outboard::client
