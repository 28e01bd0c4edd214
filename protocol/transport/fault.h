// A transport that misbehaves on purpose: for tests of everything above it.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>

#include "protocol/transport/transport.h"

namespace outboard::transport {

struct FaultPlan {
  static constexpr uint64_t kNever = std::numeric_limits<uint64_t>::max();

  // The connection breaks for both sides when this many bytes have gone out or come in; the bytes
  // before the cut are delivered.
  uint64_t cut_after_sent_bytes = kNever;
  uint64_t cut_after_received_bytes = kNever;
  // The largest amount that one receive() gives, and that one send() hands on at a time.
  size_t most_receive_bytes = std::numeric_limits<size_t>::max();
  size_t most_send_bytes = std::numeric_limits<size_t>::max();
  // Called before every send() and receive(); for delays or for switching something in the test.
  std::function<void()> before_send = {};
  std::function<void()> before_receive = {};
};

class FaultTransport final : public Transport {
 public:
  FaultTransport(std::unique_ptr<Transport> inner, FaultPlan plan);

  Status send(std::span<const ConstBuffer> pieces) override;
  Result<size_t> receive(std::span<std::byte> into) override;
  void set_receive_deadline(SteadyTime deadline) override { inner_->set_receive_deadline(deadline); }
  void shutdown() override { inner_->shutdown(); }
  TransportCounts counts() const override { return inner_->counts(); }
  std::string description() const override { return inner_->description() + " (with faults)"; }
  int native_handle() const override { return inner_->native_handle(); }

 private:
  Status send_piece(ConstBuffer piece);

  const std::unique_ptr<Transport> inner_;
  const FaultPlan plan_;
  uint64_t sent_bytes_ = 0;      // sender's
  uint64_t received_bytes_ = 0;  // receiver's
};

}  // namespace outboard::transport
