// The commands gathered for one frame, with the small bulk data that goes with them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "protocol/wire/commands.h"

namespace outboard::client {

// What a command says about the thread that issued it.
struct CommandScope {
  wire::Handle context;      // current context, null if none
  uint8_t capture_mode = 0;  // CUstreamCaptureMode
};

// Memory is kept from frame to frame, so that a steady stream of commands allocates nothing.
class CommandBatch {
 public:
  // Appends one command whose bulk data, if any, the caller adds with add_bulk or sends from
  // elsewhere at the end of the frame.
  template <typename Request>
  void append(const CommandScope& scope, bool wants_reply, const Request& request, uint64_t bulk_bytes) {
    body_.clear();
    request.encode(body_);
    writer_.append(wire::CommandFields{Request::kOpcode, wants_reply, scope.context, scope.capture_mode},
                   body_.view(), bulk_bytes);
  }

  void add_bulk(std::span<const std::byte> data) { bulk_.insert(bulk_.end(), data.begin(), data.end()); }

  // Starts the next frame, whose first command has this sequence number.
  void reset(uint64_t first_sequence) {
    writer_.clear();
    bulk_.clear();
    first_sequence_ = first_sequence;
  }

  bool empty() const { return writer_.empty(); }
  uint32_t count() const { return writer_.count(); }
  uint64_t first_sequence() const { return first_sequence_; }
  uint64_t next_sequence() const { return first_sequence_ + writer_.count(); }
  std::span<const std::byte> commands() const { return writer_.view(); }
  std::span<const std::byte> bulk() const { return bulk_; }
  size_t size_bytes() const { return writer_.view().size() + bulk_.size(); }

 private:
  wire::CommandWriter writer_;
  wire::Writer body_;
  std::vector<std::byte> bulk_;
  uint64_t first_sequence_ = 1;
};

}  // namespace outboard::client
