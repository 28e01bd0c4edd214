#include "protocol/base/session_stats.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <new>
#include <utility>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "protocol/base/bytes.h"
#include "protocol/base/limits.h"

namespace outboard {
namespace {

constexpr uint64_t kMagic = 0x3153'5441'5453'424f;  // "OBSTATS1" as bytes

// A text that another process may read while it is written: the length, stored last, says what of
// it counts.
template <size_t N>
struct SharedText {
  std::atomic<uint32_t> size_bytes;
  char content[N];

  void write(std::string_view value) {
    size_bytes.store(0, std::memory_order_release);
    const size_t kept = std::min(value.size(), N);
    std::memcpy(content, value.data(), kept);
    size_bytes.store(static_cast<uint32_t>(kept), std::memory_order_release);
  }
  std::string read() const {
    const size_t kept = std::min<size_t>(size_bytes.load(std::memory_order_acquire), N);
    return printable({content, kept}, N);
  }
};

struct Header {
  std::atomic<uint64_t> magic;
  std::atomic<uint32_t> claimed;  // slots handed out; above kStatsSlots: how many came too late
  char zeros[52];
};

struct Slot {
  std::atomic<uint32_t> process_id;  // stored last: the slot is in use
  SharedText<60> process_name;
  SharedText<92> device;
  SharedText<92> transport;
  alignas(64) SessionCounters counters;
  char zeros[128];
};

struct Layout {
  Header header;
  Slot slots[limits::kStatsSlots];
};

static_assert(sizeof(Header) == 64 && sizeof(Slot) == 512);
static_assert(std::atomic<uint64_t>::is_always_lock_free, "a lock would not work between processes");

Result<Layout*> map_file(const std::string& path, int open_flags, int protection) {
  const auto failed = [&](ErrorKind kind, const char* why) {
    return fail(kind, text("The statistics file '", path, "' cannot be used: ", why, "."));
  };
  const int fd = ::open(path.c_str(), open_flags | O_CLOEXEC | O_NOCTTY, 0600);
  if (fd < 0)
    return failed(errno == ENOENT ? ErrorKind::kNotFound : ErrorKind::kPermissionDenied,
                  std::strerror(errno));
  struct stat file{};
  bool usable = ::fstat(fd, &file) == 0 && S_ISREG(file.st_mode);
  if (usable && file.st_size == 0 && protection == (PROT_READ | PROT_WRITE)) {
    // Two processes may do this at the same time, and do the same.
    usable = ::ftruncate(fd, sizeof(Layout)) == 0;
  } else if (usable) {
    usable = file.st_size == sizeof(Layout);
  }
  void* mapped = usable ? ::mmap(nullptr, sizeof(Layout), protection, MAP_SHARED, fd, 0) : MAP_FAILED;
  const int error = errno;
  ::close(fd);
  if (!usable) return failed(ErrorKind::kInvalidArgument, "it is not one of ours");
  if (mapped == MAP_FAILED) return failed(ErrorKind::kInternal, std::strerror(error));
  return static_cast<Layout*>(mapped);
}

}  // namespace

// Either a mapped file, or private memory.
struct SessionStats::Mapping {
  Layout* file = nullptr;
  std::unique_ptr<Slot> own;
  Slot* slot = nullptr;

  ~Mapping() {
    if (file != nullptr) ::munmap(file, sizeof(Layout));
  }
};

SessionStats::SessionStats() : mapping_(new Mapping) {
  mapping_->own = std::make_unique<Slot>();
  mapping_->slot = mapping_->own.get();
}

SessionStats::SessionStats(SessionStats&& other) noexcept
    : mapping_(std::exchange(other.mapping_, nullptr)) {}

SessionStats& SessionStats::operator=(SessionStats&& other) noexcept {
  std::swap(mapping_, other.mapping_);
  return *this;
}

SessionStats::~SessionStats() { delete mapping_; }

Result<SessionStats> SessionStats::open(const std::string& path, uint32_t process_id,
                                        std::string_view process_name) {
  const auto mapped = map_file(path, O_RDWR | O_CREAT, PROT_READ | PROT_WRITE);
  if (!mapped) return fail(mapped);
  auto mapping = std::make_unique<Mapping>();
  mapping->file = *mapped;
  Header& header = mapping->file->header;
  uint64_t magic = 0;
  if (!header.magic.compare_exchange_strong(magic, kMagic) && magic != kMagic) {
    return fail(ErrorKind::kInvalidArgument,
                text("The file '", path, "' is not a statistics file of this version."));
  }
  const uint32_t index = header.claimed.fetch_add(1);
  if (index >= limits::kStatsSlots) {
    return fail(ErrorKind::kOverloaded, text("The statistics file '", path, "' already has the ",
                                             limits::kStatsSlots, " processes that it can hold."));
  }
  mapping->slot = &mapping->file->slots[index];
  mapping->slot->process_name.write(process_name);
  mapping->slot->process_id.store(process_id, std::memory_order_release);
  return SessionStats(mapping.release());
}

SessionCounters& SessionStats::counters() { return mapping_->slot->counters; }
void SessionStats::set_device(std::string_view name) { mapping_->slot->device.write(name); }
void SessionStats::set_transport(std::string_view description) {
  mapping_->slot->transport.write(description);
}

Result<SessionStatsFile> read_session_stats(const std::string& path) {
  const auto mapped = map_file(path, O_RDONLY, PROT_READ);
  if (!mapped) return fail(mapped);
  const Layout& file = **mapped;
  SessionStatsFile out;
  const uint64_t magic = file.header.magic.load();
  const uint32_t claimed = file.header.claimed.load();
  const uint32_t used = std::min<uint32_t>(claimed, limits::kStatsSlots);
  out.not_shown = claimed - used;
  for (uint32_t i = 0; i < used; ++i) {
    const Slot& slot = file.slots[i];
    const uint32_t process_id = slot.process_id.load(std::memory_order_acquire);
    if (process_id == 0) continue;  // claimed a moment ago
    const SessionCounters& counters = slot.counters;
    out.processes.push_back({process_id, slot.process_name.read(), slot.device.read(), slot.transport.read(),
                             counters.calls, counters.commands_sent, counters.blocking_round_trips,
                             counters.bytes_sent, counters.bytes_received, counters.launches});
  }
  ::munmap(*mapped, sizeof(Layout));
  if (magic != kMagic && magic != 0) {
    return fail(ErrorKind::kInvalidArgument,
                text("The file '", path, "' is not a statistics file of this version."));
  }
  return out;
}

}  // namespace outboard
