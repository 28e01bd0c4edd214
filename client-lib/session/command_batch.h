// The commands gathered for one frame, encoded as protocol/schema/outboard.capnp describes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "protocol/wire/handle.h"
#include "protocol/wire/writer.h"

namespace outboard::client {

// What a command says about the thread that issued it.
struct CommandScope {
  wire::Handle context;      // current context, null if none
  uint8_t capture_mode = 0;  // CUstreamCaptureMode
};

// Memory is kept from frame to frame, so that a steady stream of commands allocates nothing.
class CommandBatch {
 public:
  // Copies of small bulk data live in the batch; larger data is sent from where it lies.
  static constexpr size_t kReserveBytes = 128 * 1024;

  CommandBatch() : commands_(kReserveBytes), body_(4096) {}

  // Appends one command. `bulk_bytes` are announced (not present when `has_bulk` is false); the
  // caller adds them with add_bulk, or sends them from elsewhere at the end of the frame.
  template <typename Request>
  void append(const CommandScope& scope, bool wants_reply, const Request& request, bool has_bulk,
              uint64_t bulk_bytes) {
    body_.clear();
    request.encode(body_);
    append_encoded(static_cast<uint16_t>(Request::kOpcode), scope, wants_reply, has_bulk, bulk_bytes);
  }

  void add_bulk(std::span<const std::byte> data) { bulk_.insert(bulk_.end(), data.begin(), data.end()); }

  // Starts the next frame, whose first command has this sequence number. The scope is said anew in
  // every frame, so that a frame can be read (and replayed) by itself.
  void reset(uint64_t first_sequence) {
    commands_.clear();
    bulk_.clear();
    count_ = 0;
    first_sequence_ = first_sequence;
    scope_said_ = false;
  }

  bool empty() const { return count_ == 0; }
  uint32_t count() const { return count_; }
  uint64_t first_sequence() const { return first_sequence_; }
  uint64_t next_sequence() const { return first_sequence_ + count_; }
  std::span<const std::byte> commands() const { return commands_.view(); }
  std::span<const std::byte> bulk() const { return bulk_; }
  size_t size_bytes() const { return commands_.size() + bulk_.size(); }

 private:
  void append_encoded(uint16_t opcode, const CommandScope& scope, bool wants_reply, bool has_bulk,
                      uint64_t bulk_bytes);

  wire::Writer commands_;
  wire::Writer body_;
  std::vector<std::byte> bulk_;
  uint32_t count_ = 0;
  uint64_t first_sequence_ = 1;
  bool scope_said_ = false;
  CommandScope scope_;  // what the frame said last
};

}  // namespace outboard::client
