#include "protocol/wire/writer.h"

#include <algorithm>

namespace outboard::wire {

void Writer::grow(size_t more_bytes) {
  constexpr size_t kFirstBytes = 256;  // most commands fit; a stream's buffer is kept and reused
  buffer_.resize(std::max({kFirstBytes, buffer_.size() * 2, used_ + more_bytes}));
}

}  // namespace outboard::wire
