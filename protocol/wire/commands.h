// The commands section of a frame: many commands, or many replies, one after the other.
//
// Command: varint opcode | u8 flags | [handle context] | [u8 capture mode] | [varint bulk bytes] |
//          varint body bytes | body
//   flags: bit 0 wants a reply, bit 1 context follows, bit 2 capture mode follows, bit 3 bulk bytes
//   follow, bit 4 the body is a delta (delta.h). Other bits are zero.
//   Context and capture mode hold for this and the following commands of the same frame; at the
//   start of a frame they are the null handle and 0, so a frame means the same wherever it is read.
// Reply: varint sequence of the request | varint CUresult | varint deferred CUresult |
//        [varint opcode that failed, if the deferred result is not 0] | u8 flags |
//        [varint bulk bytes] | varint body bytes | body
//   flags: bit 0 bulk bytes follow. Other bits are zero.
// The bulk bytes of the commands lie in the frame's bulk section, in order and without gaps.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "protocol/base/limits.h"
#include "protocol/base/result.h"
#include "protocol/wire/delta.h"
#include "protocol/wire/frame.h"
#include "protocol/wire/handle.h"
#include "protocol/wire/reader.h"
#include "protocol/wire/writer.h"

namespace outboard::wire {

enum class Opcode : uint16_t;  // protocol/wire/opcodes_gen.h

// What belongs to a command besides its body.
struct CommandFields {
  Opcode opcode{};
  bool wants_reply = false;
  Handle context = {};       // current in the calling thread; null: none
  uint8_t capture_mode = 0;  // CUstreamCaptureMode of the calling thread
};

// Gathers the commands of one frame. One thread at a time.
class CommandWriter {
 public:
  // Whether a command of this size still fits the frame. An empty writer takes every command that
  // is within the limits at all.
  bool fits(size_t body_bytes, uint64_t bulk_bytes) const;

  // The caller keeps the bulk bytes and gives them to FrameSender in the order of its commands.
  void append(const CommandFields& fields, std::span<const std::byte> body, uint64_t bulk_bytes = 0);

  uint32_t count() const { return count_; }
  bool empty() const { return count_ == 0; }
  uint64_t bulk_bytes() const { return bulk_bytes_; }
  std::span<const std::byte> view() const { return out_.view(); }
  void clear();  // for the next frame; keeps the memory

 private:
  Writer out_;
  uint32_t count_ = 0;
  uint64_t bulk_bytes_ = 0;
  Handle context_;
  uint8_t capture_mode_ = 0;
  DeltaBases bases_;
};

struct Command : CommandFields {
  uint64_t sequence = 0;
  std::span<const std::byte> body;  // valid until the reader's next command
  uint64_t bulk_offset = 0;         // in the frame's bulk section
  uint64_t bulk_bytes = 0;
  std::span<const std::byte> bulk;  // empty when the reader was made from a head
};

// `while (reader.next(command)) {...}  if (auto status = reader.end(); !status) ...`
// Views into the frame it was made from, and into itself.
class CommandReader {
 public:
  explicit CommandReader(const Frame& frame) : CommandReader(static_cast<const FrameHead&>(frame)) {
    bulk_ = frame.bulk;
  }
  explicit CommandReader(const FrameHead& head);

  // False at the end and at the first malformed command.
  bool next(Command& out);

  // After next() gave false: whether the section was well formed and held exactly the announced
  // number of commands and bulk bytes. kProtocolViolation otherwise.
  Status end() const;

 private:
  bool malformed(const char* what);

  Reader in_;
  std::span<const std::byte> bulk_;
  uint64_t frame_bulk_bytes_ = 0;
  uint64_t bulk_used_bytes_ = 0;
  uint64_t first_sequence_ = 0;
  uint32_t announced_ = 0;
  uint32_t count_ = 0;
  Handle context_;
  uint8_t capture_mode_ = 0;
  DeltaBases bases_;
  const char* malformed_ = nullptr;
};

struct ReplyFields {
  uint64_t sequence = 0;         // of the request
  uint32_t result = 0;           // CUresult of the request
  uint32_t deferred_result = 0;  // of the first no-reply command before it that failed; 0: none
  Opcode deferred_opcode{};      // which one that was
};

// Gathers the replies of one frame. One thread at a time.
class ReplyWriter {
 public:
  bool fits(size_t body_bytes, uint64_t bulk_bytes) const;
  void append(const ReplyFields& fields, std::span<const std::byte> body, uint64_t bulk_bytes = 0);

  uint32_t count() const { return count_; }
  bool empty() const { return count_ == 0; }
  uint64_t bulk_bytes() const { return bulk_bytes_; }
  std::span<const std::byte> view() const { return out_.view(); }
  void clear();

 private:
  Writer out_;
  uint32_t count_ = 0;
  uint64_t bulk_bytes_ = 0;
};

struct Reply : ReplyFields {
  std::span<const std::byte> body;
  uint64_t bulk_offset = 0;
  uint64_t bulk_bytes = 0;
  std::span<const std::byte> bulk;  // empty when the reader was made from a head
};

class ReplyReader {
 public:
  explicit ReplyReader(const Frame& frame) : ReplyReader(static_cast<const FrameHead&>(frame)) {
    bulk_ = frame.bulk;
  }
  explicit ReplyReader(const FrameHead& head);

  bool next(Reply& out);
  Status end() const;

 private:
  bool malformed(const char* what);

  Reader in_;
  std::span<const std::byte> bulk_;
  uint64_t frame_bulk_bytes_ = 0;
  uint64_t bulk_used_bytes_ = 0;
  uint32_t announced_ = 0;
  uint32_t count_ = 0;
  const char* malformed_ = nullptr;
};

}  // namespace outboard::wire
