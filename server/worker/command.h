// One command as it lies in a frame (protocol/schema/outboard.capnp describes the encoding).
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "protocol/wire/handle.h"
#include "protocol/wire/reader.h"

namespace outboard::server {

struct Command {
  uint16_t opcode = 0;
  bool wants_reply = false;
  std::optional<wire::Handle> context;  // present: current from this command on
  std::optional<uint8_t> capture_mode;  // likewise
  bool has_bulk = false;
  uint64_t bulk_bytes = 0;          // length in the frame's bulk section
  std::span<const std::byte> body;  // in the frame's buffer
};

// Reads the next command; false when the bytes are not one.
inline bool read_command(wire::Reader& in, Command& command) {
  constexpr uint8_t kWantsReply = 1 << 0;
  constexpr uint8_t kHasContext = 1 << 1;
  constexpr uint8_t kHasCaptureMode = 1 << 2;
  constexpr uint8_t kHasBulk = 1 << 3;
  constexpr uint8_t kAllFlags = kWantsReply | kHasContext | kHasCaptureMode | kHasBulk;
  command = Command{};
  command.opcode = in.varint_as<uint16_t>();
  const uint8_t flags = in.u8();
  if ((flags & ~kAllFlags) != 0) in.fail();
  command.wants_reply = (flags & kWantsReply) != 0;
  if ((flags & kHasContext) != 0) command.context = in.handle();
  if ((flags & kHasCaptureMode) != 0) command.capture_mode = in.u8();
  command.has_bulk = (flags & kHasBulk) != 0;
  if (command.has_bulk) command.bulk_bytes = in.varint();
  command.body = in.bytes();
  return in.ok();
}

}  // namespace outboard::server
