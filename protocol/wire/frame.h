// Frames: the unit in which both sides send. A frame is a fixed header, an envelope (control,
// Cap'n Proto), a commands section (compact encoding) and a bulk section (raw bytes).
//
//   offset 0  u32  magic, 'OBF1' as bytes
//          4  u32  envelope bytes, a multiple of 8, at most limits::kEnvelopeBytes
//          8  u32  commands bytes, at most limits::kCommandsBytes
//         12  u32  bulk bytes, at most limits::kBulkBytes
//         16       the three sections, without padding
// All numbers are little endian. The header is checked before memory is taken for what it announces.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "protocol/base/limits.h"
#include "protocol/base/result.h"
#include "protocol/transport/transport.h"
#include "protocol/wire/envelope.h"

namespace outboard::wire {

inline constexpr size_t kFrameHeaderBytes = 16;

struct FrameHeader {
  uint32_t envelope_bytes = 0;
  uint32_t commands_bytes = 0;
  uint32_t bulk_bytes = 0;
};

void write_frame_header(const FrameHeader& header, std::span<std::byte, kFrameHeaderBytes> out);
// kProtocolViolation for another magic or a size above its limit; the message names both.
Result<FrameHeader> parse_frame_header(std::span<const std::byte, kFrameHeaderBytes> bytes);

// One thread at a time.
class FrameSender {
 public:
  explicit FrameSender(transport::Transport& transport) : transport_(transport) {}

  // Sends one frame, whose bulk section is the pieces of `bulk` in order. Nothing is copied; the
  // pieces may be reused when the call returns. kInvalidArgument when a section exceeds its limit
  // (nothing is sent then); otherwise what the transport says.
  Status send(const Envelope& envelope, std::span<const std::byte> commands = {},
              std::span<const transport::ConstBuffer> bulk = {});

  transport::Transport& transport() { return transport_; }

 private:
  transport::Transport& transport_;
  std::vector<transport::ConstBuffer> pieces_;
};

// The part of a frame before its bulk section. `commands` lies in the receiver's memory and is
// valid until its next receive() or receive_head().
struct FrameHead {
  Envelope envelope;
  std::span<const std::byte> commands;
  uint32_t bulk_bytes = 0;
};

struct Frame : FrameHead {
  std::span<const std::byte> bulk;  // in the receiver's memory, valid as long as `commands`
};

enum class ReadAhead {
  kNo,   // takes exactly the bytes of the frame: two or three reads a frame
  kYes,  // reads what is there, so that many small frames take one read
};

// One thread at a time. Memory is bounded by the limits of one frame.
class FrameReceiver {
 public:
  explicit FrameReceiver(transport::Transport& transport, ReadAhead read_ahead = ReadAhead::kYes);

  // The next frame, complete. kDisconnected when the stream ends (the message says whether in the
  // middle of a frame), kProtocolViolation when it is not a frame.
  Result<Frame> receive();

  // The same in two steps, for bulk data that has a destination: the head, then bulk_bytes in any
  // number of receive_bulk() calls. What has not been taken of it when the next head is asked for
  // is skipped.
  Result<FrameHead> receive_head();
  Status receive_bulk(std::span<std::byte> into);
  uint32_t bulk_left_bytes() const { return bulk_left_bytes_; }

  transport::Transport& transport() { return transport_; }

 private:
  Status fill(size_t need_bytes, bool at_frame_start);
  void make_room(size_t need_bytes);
  Status skip_bulk();

  transport::Transport& transport_;
  ReadAhead read_ahead_;
  std::vector<std::byte> buffer_;  // bytes [begin_, end_) were received and not yet used
  size_t begin_ = 0;
  size_t end_ = 0;
  uint32_t bulk_left_bytes_ = 0;
  std::unique_ptr<std::byte[]> bulk_;  // of receive(); grows to the largest bulk section met
  size_t bulk_capacity_ = 0;
};

}  // namespace outboard::wire
