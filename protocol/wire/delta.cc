#include "protocol/wire/delta.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace outboard::wire {
namespace {

constexpr size_t mask_bytes(size_t body_bytes) { return (body_bytes + 7) / 8; }

// One bit for each of the (at most 8) bytes that differ.
uint8_t differing(const std::byte* a, const std::byte* b, size_t count) {
  if (count == 8) {
    uint64_t x = 0;
    uint64_t y = 0;
    std::memcpy(&x, a, 8);
    std::memcpy(&y, b, 8);
    if (x == y) return 0;
  }
  uint8_t mask = 0;
  for (size_t i = 0; i < count; ++i) mask |= static_cast<uint8_t>((a[i] != b[i] ? 1u : 0u) << i);
  return mask;
}

}  // namespace

const DeltaBases::Slot* DeltaBases::base(uint16_t opcode, size_t bytes) const {
  const size_t index = slot_of(opcode, bytes);
  const Slot& slot = slots_[index];
  return (used_ >> index & 1u) != 0 && slot.opcode == opcode && slot.bytes == bytes ? &slot : nullptr;
}

bool DeltaBases::encode(uint16_t opcode, std::span<const std::byte> body, Writer& out) const {
  const Slot* slot = base(opcode, body.size());
  if (slot == nullptr) return false;
  const size_t masks = mask_bytes(body.size());
  std::array<std::byte, mask_bytes(kMostBytes) + kMostBytes> delta;
  size_t used = masks;
  for (size_t block = 0; block < masks; ++block) {
    const size_t at = block * 8;
    const uint8_t mask =
        differing(body.data() + at, slot->body.data() + at, std::min<size_t>(8, body.size() - at));
    delta[block] = static_cast<std::byte>(mask);
    for (unsigned left = mask; left != 0; left &= left - 1)
      delta[used++] = body[at + static_cast<size_t>(std::countr_zero(left))];
    if (used >= body.size()) return false;
  }
  out.raw(std::span(delta).first(used));
  return true;
}

std::span<const std::byte> DeltaBases::decode(uint16_t opcode, uint64_t body_bytes, Reader& in) {
  Slot& slot = slots_[slot_of(opcode, body_bytes)];
  const auto masks = in.raw(mask_bytes(body_bytes));
  for (size_t block = 0; block < masks.size(); ++block) {
    for (unsigned left = static_cast<uint8_t>(masks[block]); left != 0; left &= left - 1) {
      const size_t at = block * 8 + static_cast<size_t>(std::countr_zero(left));
      if (at >= body_bytes) return in.fail(), std::span<const std::byte>{};
      slot.body[at] = static_cast<std::byte>(in.u8());
    }
  }
  return std::span(slot.body).first(body_bytes);
}

void DeltaBases::remember(uint16_t opcode, std::span<const std::byte> body) {
  const size_t index = slot_of(opcode, body.size());
  Slot& slot = slots_[index];
  slot.opcode = opcode;
  slot.bytes = static_cast<uint16_t>(body.size());
  if (body.data() != slot.body.data()) std::memcpy(slot.body.data(), body.data(), body.size());
  used_ |= 1u << index;
}

}  // namespace outboard::wire
