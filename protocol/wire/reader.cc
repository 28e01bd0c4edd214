#include "protocol/wire/reader.h"

namespace outboard::wire {

// Accepts one encoding per value: a final zero byte (other than the only one) and bits beyond the
// 64th are refused, so that two frames with the same meaning are the same bytes.
uint64_t Reader::long_varint() {
  uint64_t value = 0;
  for (unsigned shift = 0; shift < 64; shift += 7) {
    if (next_ == end_) break;
    const auto byte = static_cast<uint8_t>(*next_++);
    const uint64_t bits = byte & 0x7f;
    if (shift == 63 && bits > 1) break;
    value |= bits << shift;
    if (byte < 0x80) {
      if (byte == 0 && shift != 0) break;
      return value;
    }
  }
  fail();
  return 0;
}

}  // namespace outboard::wire
