// Bodies of commands as their difference from the last one that was alike: programs launch the same
// few kernels over and over, and what changes from one to the next is a few bytes.
//
// Delta: one bit for each byte of the body (bit i % 8 of byte i / 8), set where it differs from the
// base; then those bytes. The base is the last body of the same opcode and size in the same frame,
// so that a frame means the same wherever it is read; both sides keep the same few of them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "protocol/wire/reader.h"
#include "protocol/wire/writer.h"

namespace outboard::wire {

class DeltaBases {
 public:
  // Shorter bodies gain nothing; longer ones are rare and would cost memory.
  static constexpr size_t kLeastBytes = 12;
  static constexpr size_t kMostBytes = 512;

  static constexpr bool has_base_size(size_t body_bytes) {
    return body_bytes >= kLeastBytes && body_bytes <= kMostBytes;
  }

  // Appends the delta if it is shorter than the body; false, and nothing, otherwise.
  bool encode(uint16_t opcode, std::span<const std::byte> body, Writer& out) const;
  bool has_base(uint16_t opcode, uint64_t body_bytes) const {
    return has_base_size(body_bytes) && base(opcode, body_bytes) != nullptr;
  }
  // The body, valid until the next decode or remember; only where there is a base. The reader fails
  // when the delta is cut off or names bytes beyond the body.
  std::span<const std::byte> decode(uint16_t opcode, uint64_t body_bytes, Reader& in);
  // After every body of a suitable size, however it travelled.
  void remember(uint16_t opcode, std::span<const std::byte> body);
  // At the start of a frame.
  void forget() { used_ = 0; }

 private:
  static constexpr size_t kSlots = 16;
  struct Slot {
    uint16_t opcode = 0;
    uint16_t bytes = 0;
    std::array<std::byte, kMostBytes> body;
  };
  static size_t slot_of(uint16_t opcode, size_t bytes) { return (opcode * 7u + bytes) % kSlots; }
  const Slot* base(uint16_t opcode, size_t bytes) const;

  std::array<Slot, kSlots> slots_;
  uint32_t used_ = 0;  // a bit for each slot that holds something
};

}  // namespace outboard::wire
