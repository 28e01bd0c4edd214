#include "server/softgpu/device/shared_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>

#include "server/softgpu/device/limits.h"

namespace outboard::softgpu {

struct SharedFile::Entry {
  uint64_t secret[2];  // zero: nothing has this entry's name
  uint64_t begin;
  uint64_t bytes;
};

namespace {

constexpr uint64_t kMagic = 0x3143504944525442;  // changes with the layout

uint64_t page_floor(uint64_t value) { return value / kPageBytes * kPageBytes; }

}  // namespace

std::unique_ptr<SharedFile> SharedFile::create(uint64_t bytes) {
  constexpr uint64_t kTableBytes = kMaxEntries * sizeof(Entry);
  static_assert(kTableBytes % kPageBytes == 0);
  const int descriptor = memfd_create("outboard-softgpu", MFD_CLOEXEC);
  if (descriptor < 0) return nullptr;
  void* table = MAP_FAILED;
  if (ftruncate(descriptor, static_cast<off_t>(bytes + kTableBytes)) == 0) {
    table =
        mmap(nullptr, kTableBytes, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, static_cast<off_t>(bytes));
  }
  if (table == MAP_FAILED) {
    close(descriptor);
    return nullptr;
  }
  return std::unique_ptr<SharedFile>(new SharedFile(descriptor, static_cast<Entry*>(table)));
}

SharedFile::~SharedFile() {
  munmap(entries_, kMaxEntries * sizeof(Entry));
  close(descriptor_);
}

bool SharedFile::publish(uint64_t begin, uint64_t bytes, SharedName* name) {
  std::lock_guard lock(mutex_);
  for (uint32_t i = 0; i < kMaxEntries; ++i) {
    if (entries_[i].secret[0] != 0) continue;
    Entry entry{{0, 0}, begin, bytes};
    while (entry.secret[0] == 0) {
      if (getrandom(entry.secret, sizeof entry.secret, 0) != sizeof entry.secret) return false;
    }
    entries_[i] = entry;
    *name = {kMagic, getpid(), descriptor_, i, 0, {entry.secret[0], entry.secret[1]}};
    return true;
  }
  return false;
}

void SharedFile::withdraw(const SharedName& name) {
  std::lock_guard lock(mutex_);
  entries_[name.entry] = {};
}

SharedFile::Part::~Part() {
  if (descriptor_ >= 0) close(descriptor_);
}

CUresult SharedFile::Part::open(const SharedName& name) {
  if (name.magic != kMagic || name.pid <= 0 || name.file < 0 || name.entry >= kMaxEntries)
    return CUDA_ERROR_INVALID_VALUE;
  if (name.pid == getpid()) return CUDA_ERROR_INVALID_CONTEXT;
  const std::string path = "/proc/" + std::to_string(name.pid) + "/fd/" + std::to_string(name.file);
  // The name may be old or invented and lead to anything: nothing that waits or changes when opened.
  descriptor_ = ::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  struct stat info = {};
  if (descriptor_ < 0 || fstat(descriptor_, &info) != 0 || !S_ISREG(info.st_mode))
    return CUDA_ERROR_INVALID_HANDLE;
  const auto content = static_cast<uint64_t>(info.st_size) - kMaxEntries * sizeof(Entry);
  if (content > static_cast<uint64_t>(info.st_size)) return CUDA_ERROR_INVALID_HANDLE;
  Entry entry{};
  const auto at = static_cast<off_t>(content + name.entry * sizeof(Entry));
  if (pread(descriptor_, &entry, sizeof entry, at) != sizeof entry) return CUDA_ERROR_INVALID_HANDLE;
  const bool same = entry.secret[0] != 0 && std::memcmp(entry.secret, name.secret, sizeof entry.secret) == 0;
  if (!same || entry.begin > content || entry.bytes > content - entry.begin) return CUDA_ERROR_INVALID_HANDLE;
  begin_ = entry.begin;
  bytes_ = entry.bytes;
  return CUDA_SUCCESS;
}

uint64_t SharedFile::Part::offset_in_page() const { return begin_ - page_floor(begin_); }

uint64_t SharedFile::Part::mapped_bytes() const {
  return page_floor(begin_ + bytes_ + kPageBytes - 1) - page_floor(begin_);
}

void* SharedFile::Part::map(uint64_t hint) const {
  void* at = mmap(reinterpret_cast<void*>(hint), mapped_bytes(), PROT_READ | PROT_WRITE, MAP_SHARED,
                  descriptor_, static_cast<off_t>(page_floor(begin_)));
  if (at == MAP_FAILED) return nullptr;
  madvise(at, mapped_bytes(), MADV_DONTFORK);
  return at;
}

}  // namespace outboard::softgpu
