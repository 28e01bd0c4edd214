#include "server/softgpu/device/shareable.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string>

#include "server/softgpu/device/limits.h"

namespace outboard::softgpu {
namespace {

constexpr uint64_t kMagic = 0x3145524148534247;  // changes with the layout
constexpr int kSeals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;

static_assert(sizeof(ShareableRecord) <= kPageBytes);

}  // namespace

int create_shareable(ShareableRecord* record) {
  record->magic = kMagic;
  if (getrandom(record->secret, sizeof record->secret, 0) != sizeof record->secret) return -1;
  const int file = memfd_create("outboard-softgpu", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  if (file < 0) return -1;
  const bool made =
      ftruncate(file, static_cast<off_t>(record->bytes + kPageBytes)) == 0 &&
      pwrite(file, record, sizeof *record, static_cast<off_t>(record->bytes)) == sizeof *record &&
      fcntl(file, F_ADD_SEALS, kSeals) == 0;
  if (made) return file;
  close(file);
  return -1;
}

std::optional<ShareableRecord> read_shareable(int file) {
  struct stat info = {};
  if (fstat(file, &info) != 0 || !S_ISREG(info.st_mode) || info.st_size < off_t{kPageBytes})
    return std::nullopt;
  const int seals = fcntl(file, F_GET_SEALS);
  if (seals < 0 || (seals & kSeals) != kSeals) return std::nullopt;
  ShareableRecord record;
  const off_t at = info.st_size - off_t{kPageBytes};
  if (pread(file, &record, sizeof record, at) != sizeof record) return std::nullopt;
  const bool sound = record.magic == kMagic && record.bytes == static_cast<uint64_t>(at) &&
                     (record.kind == ShareableKind::kMemory || record.kind == ShareableKind::kPool);
  return sound ? std::optional(record) : std::nullopt;
}

SharedName name_shareable(const ShareableRecord& record, int file) {
  return {kMagic, getpid(), file, 0, record.device, {record.secret[0], record.secret[1]}};
}

int open_shareable(const SharedName& name) {
  if (name.magic != kMagic || name.pid <= 0 || name.file < 0) return -1;
  const std::string path = "/proc/" + std::to_string(name.pid) + "/fd/" + std::to_string(name.file);
  // The name may be old or invented and lead to anything: nothing that waits or changes when opened.
  const int file = open(path.c_str(), O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (file < 0) return -1;
  const auto record = read_shareable(file);
  if (record && record->secret[0] == name.secret[0] && record->secret[1] == name.secret[1]) return file;
  close(file);
  return -1;
}

}  // namespace outboard::softgpu
