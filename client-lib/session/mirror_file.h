// Memory that is mapped twice: where the program sees it, with the protection of the moment, and where
// we see it, always readable and writable. One file in memory holds it all.
#pragma once

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <span>

#include "protocol/base/result.h"

namespace outboard::client {

class MirrorFile {
 public:
  MirrorFile() = default;
  ~MirrorFile();
  MirrorFile(const MirrorFile&) = delete;
  MirrorFile& operator=(const MirrorFile&) = delete;

  struct Part {
    uint64_t offset = 0;
    uint64_t bytes = 0;
    std::byte* ours = nullptr;
  };

  // Whole pages, zero and without memory until touched.
  Result<Part> allocate(uint64_t bytes);
  void release(const Part& part);
  // Maps the part where the program will see it. `replace`: in place of what is there; else only where
  // nothing is. Not inherited by forked children, as device memory is not.
  bool map(const Part& part, uint64_t address, int protection, bool replace) const;
  // Of [first, last) relative to the part, the first stretch that was ever touched; empty if none is.
  struct Stretch {
    uint64_t begin = 0;
    uint64_t end = 0;
  };
  Stretch touched(const Part& part, uint64_t first, uint64_t last) const;

 private:
  bool open();

  int file_ = -1;
  uint64_t end_ = 0;  // offsets are never used again: the file is sparse
};

}  // namespace outboard::client
