#include "client-lib/session/mirror_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "protocol/base/bytes.h"

namespace outboard::client {

MirrorFile::~MirrorFile() {
  if (file_ >= 0) close(file_);
}

bool MirrorFile::open() {
  if (file_ < 0) file_ = memfd_create("outboard-mirror", MFD_CLOEXEC);
  return file_ >= 0;
}

Result<MirrorFile::Part> MirrorFile::allocate(uint64_t bytes) {
  Part part{end_, bytes, nullptr};
  if (!open() || ftruncate(file_, static_cast<off_t>(end_ + bytes)) != 0) {
    return fail(ErrorKind::kInternal,
                text("The system has no file in memory of ", end_ + bytes,
                     " bytes for memory that host and device use: ", std::strerror(errno), "."));
  }
  void* ours =
      mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file_, static_cast<off_t>(part.offset));
  if (ours == MAP_FAILED) {
    return fail(ErrorKind::kInternal,
                text("The system does not map ", bytes,
                     " bytes for memory that host and device use: ", std::strerror(errno), "."));
  }
  madvise(ours, bytes, MADV_DONTFORK);
  part.ours = static_cast<std::byte*>(ours);
  end_ += bytes;
  return part;
}

void MirrorFile::release(const Part& part) {
  munmap(part.ours, part.bytes);
  // What cannot be given back is given back with the process.
  (void)fallocate(file_, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, static_cast<off_t>(part.offset),
                  static_cast<off_t>(part.bytes));
}

bool MirrorFile::map(const Part& part, uint64_t address, int protection, bool replace) const {
  void* wanted = reinterpret_cast<void*>(address);
  void* at = mmap(wanted, part.bytes, protection, MAP_SHARED | (replace ? MAP_FIXED : MAP_FIXED_NOREPLACE),
                  file_, static_cast<off_t>(part.offset));
  if (at == MAP_FAILED) return false;
  if (at != wanted) {  // an old kernel takes the address for a hint
    munmap(at, part.bytes);
    return false;
  }
  madvise(at, part.bytes, MADV_DONTFORK);
  return true;
}

MirrorFile::Stretch MirrorFile::touched(const Part& part, uint64_t first, uint64_t last) const {
  const off_t data = lseek(file_, static_cast<off_t>(part.offset + first), SEEK_DATA);
  // A file system that knows no holes says that all of it is data.
  if (data < 0) return errno == ENXIO ? Stretch{} : Stretch{first, last};
  const uint64_t begin = static_cast<uint64_t>(data) - part.offset;
  if (begin >= last) return {};
  const off_t hole = lseek(file_, data, SEEK_HOLE);
  const uint64_t end = hole < 0 ? last : static_cast<uint64_t>(hole) - part.offset;
  return {begin, std::min(end, last)};
}

}  // namespace outboard::client
