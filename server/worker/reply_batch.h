// Replies gathered for one frame (protocol/schema/outboard.capnp describes the encoding).
#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "protocol/abi/cuda_abi_gen.h"
#include "protocol/wire/writer.h"
#include "server/worker/bulk_buffer.h"

namespace outboard::server {

// The first failure among commands that nobody waited for, told with the next reply.
struct DeferredError {
  CUresult result = CUDA_SUCCESS;
  uint16_t opcode = 0;
};

struct Reply {
  uint64_t sequence = 0;
  CUresult result = CUDA_SUCCESS;
  DeferredError deferred;
  std::span<const std::byte> body;
  bool has_bulk = false;
  BulkBuffer bulk;
};

class ReplyBatch {
 public:
  void append(Reply reply) {
    constexpr uint8_t kHasBulk = 1 << 0;
    out_.varint(reply.sequence);
    out_.varint(static_cast<uint32_t>(reply.result));
    out_.varint(static_cast<uint32_t>(reply.deferred.result));
    if (reply.deferred.result != CUDA_SUCCESS) out_.varint(reply.deferred.opcode);
    out_.u8(reply.has_bulk ? kHasBulk : 0);
    if (reply.has_bulk) out_.varint(reply.bulk.size());
    out_.bytes(reply.body);
    ++count_;
    if (!reply.bulk.empty()) {
      bulk_bytes_ += reply.bulk.size();
      bulk_.push_back(std::move(reply.bulk));
    }
  }

  bool empty() const { return count_ == 0; }
  uint32_t count() const { return count_; }
  size_t bulk_bytes() const { return bulk_bytes_; }
  std::span<const std::byte> encoded() const { return out_.view(); }
  std::span<const BulkBuffer> bulk() const { return bulk_; }

  void clear() {
    out_.clear();
    bulk_.clear();
    bulk_bytes_ = 0;
    count_ = 0;
  }

 private:
  wire::Writer out_;
  std::vector<BulkBuffer> bulk_;
  size_t bulk_bytes_ = 0;
  uint32_t count_ = 0;
};

}  // namespace outboard::server
