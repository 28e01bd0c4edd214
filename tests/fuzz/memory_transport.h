// A connection whose peer said all it will ever say.
#pragma once

#include <algorithm>
#include <cstring>

#include "protocol/transport/transport.h"

namespace outboard::transport::testing {

class MemoryTransport final : public Transport {
 public:
  // Gives at most `most_bytes` at a time, so that reads end in the middle of things.
  MemoryTransport(std::span<const std::byte> incoming, size_t most_bytes)
      : incoming_(incoming), most_bytes_(std::max<size_t>(most_bytes, 1)) {}

  Status send(std::span<const ConstBuffer>) override { return {}; }
  Result<size_t> receive(std::span<std::byte> into) override {
    const size_t now = std::min({into.size(), incoming_.size(), most_bytes_});
    if (now != 0) std::memcpy(into.data(), incoming_.data(), now);
    incoming_ = incoming_.subspan(now);
    return now;
  }
  void set_receive_deadline(SteadyTime) override {}
  void shutdown() override { incoming_ = {}; }
  TransportCounts counts() const override { return {}; }
  std::string description() const override { return "memory"; }

 private:
  std::span<const std::byte> incoming_;
  const size_t most_bytes_;
};

}  // namespace outboard::transport::testing
