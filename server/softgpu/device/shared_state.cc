#include "server/softgpu/device/shared_state.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <new>
#include <sstream>

namespace outboard::softgpu {

// All of it is lock-free, so that a process killed at any point leaves nothing locked.
struct SharedState::Bucket {
  std::atomic<uint64_t> number;  // monotonic time in units of kBucketNs
  std::atomic<uint64_t> busy_ns;
};

namespace {

constexpr uint64_t kMagic = 0x3147504753424f00;  // changes with the layout
constexpr uint64_t kBucketNs = 125'000'000;
constexpr uint64_t kBuckets = 16;       // two seconds
constexpr uint64_t kWindowBuckets = 8;  // one second
constexpr int kChanging = -1;           // in place of a pid, while a slot changes hands

// When the process started, in clock ticks after boot: tells a pid's successive owners apart.
uint64_t start_time_of(int pid) {
  // Read with the system's calls: the process may end between opening and reading, and a stream
  // would throw then.
  const int fd = ::open(("/proc/" + std::to_string(pid) + "/stat").c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return 0;
  char buffer[1024];  // a name has 16 characters at most, the 51 numbers 20 each, most of them few
  const ssize_t length = read(fd, buffer, sizeof buffer);
  close(fd);
  if (length <= 0) return 0;
  const std::string text(buffer, static_cast<size_t>(length));
  const size_t name_end = text.rfind(')');  // the name may hold anything
  if (name_end == std::string::npos) return 0;
  std::istringstream fields(text.substr(name_end + 1));
  std::string field;
  for (int i = 3; i <= 22 && fields >> field; ++i) {
    if (i == 22) return std::strtoull(field.c_str(), nullptr, 10);
  }
  return 0;
}

}  // namespace

struct SharedState::Slot {
  std::atomic<int32_t> pid;  // 0: free
  std::atomic<uint64_t> start_time;
  std::atomic<uint64_t> used_bytes;
  std::atomic<uint64_t> running_since_ns;  // 0: nothing runs
  Bucket buckets[kBuckets];
};

struct SharedState::File {
  std::atomic<uint64_t> magic;
  std::atomic<uint32_t> slots_used;  // slots from here on were never taken
  uint32_t unused;
  Slot slots[kMaxProcesses];
};

std::unique_ptr<SharedState> SharedState::open(const std::string& folder, uint32_t ordinal) {
  void* at = MAP_FAILED;
  if (!folder.empty()) {
    const std::string path =
        folder + "/outboard-softgpu-" + std::to_string(getuid()) + "-" + std::to_string(ordinal);
    const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    struct stat info = {};
    // In a world-writable folder the file could be somebody else's trap.
    if (fd >= 0 && fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && info.st_uid == getuid() &&
        (info.st_size >= static_cast<off_t>(sizeof(File)) || ftruncate(fd, sizeof(File)) == 0)) {
      at = mmap(nullptr, sizeof(File), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    }
    if (fd >= 0) close(fd);
  }
  const bool shared = at != MAP_FAILED;
  if (!shared) at = mmap(nullptr, sizeof(File), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (at == MAP_FAILED) throw std::bad_alloc();
  auto* file = static_cast<File*>(at);
  uint64_t empty = 0;
  if (!file->magic.compare_exchange_strong(empty, kMagic) && empty != kMagic) {
    // Another version's file: start over; its processes keep their own view.
    std::memset(at, 0, sizeof(File));
    file->magic.store(kMagic);
  }
  return std::unique_ptr<SharedState>(new SharedState(file, shared));
}

SharedState::SharedState(File* file, bool shared) : file_(file), shared_(shared) {}

SharedState::~SharedState() {
  // A forked child has a copy of this object, but the place is its parent's.
  if (own_ != nullptr && own_->pid.load() == getpid()) {
    own_->used_bytes.store(0);
    own_->running_since_ns.store(0);
    own_->pid.store(0);
  }
  munmap(file_, sizeof(File));
}

bool SharedState::alive(const Slot& slot) {
  const int pid = slot.pid.load();
  if (pid <= 0) return false;
  if (pid == getpid()) return true;
  if (kill(pid, 0) != 0 && errno == ESRCH) return false;
  const uint64_t started = start_time_of(pid);
  const uint64_t expected = slot.start_time.load();
  return started == 0 || expected == 0 || started == expected;
}

void SharedState::reap() const {
  const uint32_t count = std::min(file_->slots_used.load(), kMaxProcesses);
  for (uint32_t i = 0; i < count; ++i) {
    Slot& slot = file_->slots[i];
    int pid = slot.pid.load();
    if (pid <= 0 || alive(slot) || !slot.pid.compare_exchange_strong(pid, kChanging)) continue;
    slot.used_bytes.store(0);
    slot.running_since_ns.store(0);
    slot.pid.store(0);
  }
}

bool SharedState::attach() {
  reap();
  const int pid = getpid();
  const uint64_t started = start_time_of(pid);
  for (uint32_t i = 0; i < kMaxProcesses; ++i) {
    Slot& slot = file_->slots[i];
    int free = 0;
    if (!slot.pid.compare_exchange_strong(free, kChanging)) continue;
    slot.start_time.store(started);
    slot.used_bytes.store(0);
    slot.running_since_ns.store(0);
    for (Bucket& bucket : slot.buckets) bucket.busy_ns.store(0);
    // Last: with the slot's former start time beside it, another process would take this one for
    // dead, and give its place away.
    slot.pid.store(pid);
    uint32_t used = file_->slots_used.load();
    while (used < i + 1 && !file_->slots_used.compare_exchange_weak(used, i + 1)) {
    }
    own_ = &slot;
    return true;
  }
  return false;
}

uint64_t SharedState::used_bytes() const {
  const uint32_t count = std::min(file_->slots_used.load(), kMaxProcesses);
  uint64_t total = 0;
  for (uint32_t i = 0; i < count; ++i) {
    const Slot& slot = file_->slots[i];
    if (slot.used_bytes.load() != 0 && alive(slot)) total += slot.used_bytes.load();
  }
  return total;
}

uint64_t SharedState::own_used_bytes() const { return own_ == nullptr ? 0 : own_->used_bytes.load(); }

bool SharedState::reserve(uint64_t bytes, uint64_t limit_bytes) {
  if (own_ == nullptr || bytes > limit_bytes) return false;
  // Add first, look afterwards: two processes that race may both fail, never both succeed.
  own_->used_bytes.fetch_add(bytes);
  if (used_bytes() <= limit_bytes) return true;
  own_->used_bytes.fetch_sub(bytes);
  reap();
  return false;
}

void SharedState::release(uint64_t bytes) {
  if (own_ != nullptr) own_->used_bytes.fetch_sub(bytes);
}

std::vector<ProcessUse> SharedState::processes() const {
  reap();
  const uint32_t count = std::min(file_->slots_used.load(), kMaxProcesses);
  std::vector<ProcessUse> found;
  for (uint32_t i = 0; i < count; ++i) {
    const int pid = file_->slots[i].pid.load();
    if (pid > 0) found.push_back({pid, file_->slots[i].used_bytes.load()});
  }
  return found;
}

void SharedState::account_locked(uint64_t begin_ns, uint64_t end_ns) {
  // Only the last two seconds are kept.
  if (end_ns - begin_ns > kBuckets * kBucketNs) begin_ns = end_ns - kBuckets * kBucketNs + kBucketNs;
  while (begin_ns < end_ns) {
    const uint64_t number = begin_ns / kBucketNs;
    const uint64_t stop = std::min(end_ns, (number + 1) * kBucketNs);
    Bucket& bucket = own_->buckets[number % kBuckets];
    if (bucket.number.exchange(number) != number) bucket.busy_ns.store(0);
    bucket.busy_ns.fetch_add(stop - begin_ns);
    begin_ns = stop;
  }
}

void SharedState::begin_busy(uint64_t now_ns) {
  std::lock_guard lock(mutex_);
  if (running_++ == 0 && own_ != nullptr) own_->running_since_ns.store(now_ns);
}

void SharedState::end_busy(uint64_t now_ns) {
  std::lock_guard lock(mutex_);
  if (running_ == 0 || --running_ != 0 || own_ == nullptr) return;
  account_locked(own_->running_since_ns.exchange(0), now_ns);
}

unsigned SharedState::utilisation_percent(uint64_t now_ns) const {
  const uint64_t last = now_ns / kBucketNs;
  const uint64_t window_begin_ns = (last - std::min(last, kWindowBuckets)) * kBucketNs;
  const uint32_t count = std::min(file_->slots_used.load(), kMaxProcesses);
  uint64_t busy_ns = 0;
  for (uint32_t i = 0; i < count; ++i) {
    const Slot& slot = file_->slots[i];
    if (slot.pid.load() <= 0) continue;
    for (const Bucket& bucket : slot.buckets) {
      const uint64_t number = bucket.number.load();
      if (number + kWindowBuckets >= last && number <= last) busy_ns += bucket.busy_ns.load();
    }
    const uint64_t since = slot.running_since_ns.load();
    if (since != 0 && since < now_ns && alive(slot)) busy_ns += now_ns - std::max(since, window_begin_ns);
  }
  const uint64_t window_ns = now_ns - window_begin_ns;
  return static_cast<unsigned>(window_ns == 0 ? 0 : std::min<uint64_t>(100, busy_ns * 100 / window_ns));
}

}  // namespace outboard::softgpu
