#include "protocol/transport/fault.h"

#include <algorithm>

#include "protocol/base/bytes.h"

namespace outboard::transport {

FaultTransport::FaultTransport(std::unique_ptr<Transport> inner, FaultPlan plan)
    : inner_(std::move(inner)), plan_(std::move(plan)) {}

Status FaultTransport::send(std::span<const ConstBuffer> pieces) {
  if (plan_.before_send) plan_.before_send();
  for (const auto& piece : pieces) {
    if (auto status = send_piece(piece); !status) return status;
  }
  return {};
}

Status FaultTransport::send_piece(ConstBuffer piece) {
  while (!piece.empty()) {
    const uint64_t left = plan_.cut_after_sent_bytes - sent_bytes_;
    if (left == 0) {
      inner_->shutdown();
      return fail(ErrorKind::kDisconnected,
                  text("The connection was cut after ", sent_bytes_, " sent bytes, as planned."));
    }
    const ConstBuffer now = piece.first(std::min<uint64_t>({piece.size(), plan_.most_send_bytes, left}));
    if (auto status = inner_->send({&now, 1}); !status) return status;
    sent_bytes_ += now.size();
    piece = piece.subspan(now.size());
  }
  return {};
}

Result<size_t> FaultTransport::receive(std::span<std::byte> into) {
  if (plan_.before_receive) plan_.before_receive();
  const uint64_t left = plan_.cut_after_received_bytes - received_bytes_;
  if (left == 0) {
    inner_->shutdown();
    return fail(ErrorKind::kDisconnected,
                text("The connection was cut after ", received_bytes_, " received bytes, as planned."));
  }
  auto got = inner_->receive(into.first(std::min<uint64_t>({into.size(), plan_.most_receive_bytes, left})));
  if (got) received_bytes_ += *got;
  return got;
}

}  // namespace outboard::transport
