#include "server/worker/content_store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>

#include "protocol/base/bytes.h"

namespace outboard::server {
namespace {

namespace fs = std::filesystem;

// Files under way have it; one that is this old was left behind by a worker that died.
constexpr const char* kUnfinished = ".part";
constexpr auto kAbandonedAfter = std::chrono::hours(1);

struct Entry {
  fs::path path;
  fs::file_time_type used;
  uint64_t bytes = 0;
};

tl::unexpected<Error> system_failure(const std::string& what) {
  return fail(ErrorKind::kInternal, what + ": " + std::strerror(errno) + ".");
}

bool write_all(int file, ByteSpan content) {
  while (!content.empty()) {
    const ssize_t written = ::write(file, content.data(), content.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    content = content.subspan(static_cast<size_t>(written));
  }
  return true;
}

bool read_all(int file, std::vector<std::byte>& content) {
  size_t at = 0;
  while (at < content.size()) {
    const ssize_t got = ::read(file, content.data() + at, content.size() - at);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return false;
    at += static_cast<size_t>(got);
  }
  return true;
}

}  // namespace

Result<ContentStore> ContentStore::open(const std::string& folder, uint64_t most_bytes) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) {
    return fail(ErrorKind::kInternal, "The folder " + folder +
                                          " for what clients have sent cannot be made: " + error.message() +
                                          ". Name another with --cache-folder.");
  }
  fs::permissions(folder, fs::perms::owner_all, error);
  return ContentStore(folder, most_bytes);
}

std::string ContentStore::path(const ContentHash& hash) const { return folder_ + "/" + to_hex(hash); }

std::optional<std::vector<std::byte>> ContentStore::find(const ContentHash& hash, uint64_t size_bytes) {
  const std::string name = path(hash);
  const int file = ::open(name.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
  if (file < 0) return std::nullopt;
  struct stat facts{};
  std::optional<std::vector<std::byte>> found;
  if (::fstat(file, &facts) == 0 && static_cast<uint64_t>(facts.st_size) == size_bytes) {
    found.emplace(size_bytes);
    if (!read_all(file, *found) || content_hash(*found) != hash) {
      found.reset();
      ::unlink(name.c_str());
    } else {
      ::futimens(file, nullptr);
    }
  }
  ::close(file);
  return found;
}

Status ContentStore::keep(const ContentHash& hash, ByteSpan content) {
  if (content.size() > most_bytes_ / 2) return {};
  make_room(content.size());
  std::string unfinished = path(hash) + ".XXXXXX" + kUnfinished;
  const int file = ::mkostemps(unfinished.data(), static_cast<int>(std::strlen(kUnfinished)), O_CLOEXEC);
  if (file < 0) return system_failure("The file " + unfinished + " cannot be made");
  Status kept;
  if (!write_all(file, content)) {
    kept = system_failure("The file " + unfinished + " cannot be written");
  } else if (::rename(unfinished.c_str(), path(hash).c_str()) != 0) {
    kept = system_failure("The file " + unfinished + " cannot be renamed");
  }
  ::close(file);
  if (!kept) ::unlink(unfinished.c_str());
  return kept;
}

// Other workers may remove the same files: what is gone already is as good.
void ContentStore::make_room(uint64_t bytes) {
  std::vector<Entry> entries;
  uint64_t total = bytes;
  std::error_code error;
  for (const auto& file : fs::directory_iterator(folder_, error)) {
    Entry entry{file.path(), file.last_write_time(error), 0};
    if (error) continue;
    entry.bytes = file.file_size(error);
    if (error) continue;
    const bool abandoned = entry.path.extension() == kUnfinished &&
                           fs::file_time_type::clock::now() - entry.used > kAbandonedAfter;
    if (abandoned) {
      fs::remove(entry.path, error);
      continue;
    }
    total += entry.bytes;
    entries.push_back(std::move(entry));
  }
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) { return a.used < b.used; });
  for (const Entry& entry : entries) {
    if (total <= most_bytes_) return;
    if (fs::remove(entry.path, error)) total -= entry.bytes;
  }
}

}  // namespace outboard::server
