#include "protocol/wire/frame.h"

#include <algorithm>
#include <cstring>

#include "protocol/base/bytes.h"

namespace outboard::wire {
namespace {

constexpr std::array<char, 4> kMagic = {'O', 'B', 'F', '1'};
constexpr size_t kReadAheadBytes = 64u << 10;  // what one client flush is at most in steady state

Status check_section(const char* name, uint64_t size_bytes, uint64_t most_bytes, ErrorKind kind) {
  if (size_bytes <= most_bytes) return {};
  return fail(kind, text("A frame announces ", size_bytes, " bytes of ", name, "; at most ", most_bytes,
                         " are allowed."));
}

Status check_header(const FrameHeader& header, ErrorKind kind) {
  if (auto status = check_section("envelope", header.envelope_bytes, limits::kEnvelopeBytes, kind); !status)
    return status;
  if (auto status = check_section("commands", header.commands_bytes, limits::kCommandsBytes, kind); !status)
    return status;
  if (auto status = check_section("bulk data", header.bulk_bytes, limits::kBulkBytes, kind); !status)
    return status;
  if (header.envelope_bytes == 0 || header.envelope_bytes % 8 != 0) {
    return fail(kind, text("A frame announces an envelope of ", header.envelope_bytes,
                           " bytes; it must be a positive multiple of 8."));
  }
  return {};
}

}  // namespace

void write_frame_header(const FrameHeader& header, std::span<std::byte, kFrameHeaderBytes> out) {
  std::memcpy(out.data(), kMagic.data(), 4);
  std::memcpy(out.data() + 4, &header.envelope_bytes, 4);
  std::memcpy(out.data() + 8, &header.commands_bytes, 4);
  std::memcpy(out.data() + 12, &header.bulk_bytes, 4);
}

Result<FrameHeader> parse_frame_header(std::span<const std::byte, kFrameHeaderBytes> bytes) {
  if (std::memcmp(bytes.data(), kMagic.data(), 4) != 0) {
    return fail(
        ErrorKind::kProtocolViolation,
        text("The peer does not speak Outboard's protocol: a frame starts with the bytes 'OBF1', but '",
             printable(as_text(bytes.first(4)), 4), "' (", to_hex(bytes.first(4)), ") came."));
  }
  FrameHeader header;
  std::memcpy(&header.envelope_bytes, bytes.data() + 4, 4);
  std::memcpy(&header.commands_bytes, bytes.data() + 8, 4);
  std::memcpy(&header.bulk_bytes, bytes.data() + 12, 4);
  if (auto status = check_header(header, ErrorKind::kProtocolViolation); !status) return fail(status);
  return header;
}

Status FrameSender::send(const Envelope& envelope, std::span<const std::byte> commands,
                         std::span<const transport::ConstBuffer> bulk) {
  const auto encoded = encode_envelope(envelope);
  if (!encoded) return fail(encoded);
  uint64_t bulk_bytes = 0;
  for (const auto& piece : bulk) bulk_bytes += piece.size();
  // Checked as 64-bit numbers before they become 32-bit ones.
  constexpr auto kKind = ErrorKind::kInvalidArgument;
  if (auto status = check_section("commands", commands.size(), limits::kCommandsBytes, kKind); !status)
    return status;
  if (auto status = check_section("bulk data", bulk_bytes, limits::kBulkBytes, kKind); !status) return status;
  const FrameHeader header{static_cast<uint32_t>(encoded->size()), static_cast<uint32_t>(commands.size()),
                           static_cast<uint32_t>(bulk_bytes)};
  std::array<std::byte, kFrameHeaderBytes> header_bytes;
  write_frame_header(header, header_bytes);
  pieces_.clear();
  pieces_.push_back(header_bytes);
  pieces_.push_back(*encoded);
  if (!commands.empty()) pieces_.push_back(commands);
  for (const auto& piece : bulk) {
    if (!piece.empty()) pieces_.push_back(piece);
  }
  return transport_.send(pieces_);
}

FrameReceiver::FrameReceiver(transport::Transport& transport, ReadAhead read_ahead)
    : transport_(transport), read_ahead_(read_ahead) {}

// Makes `need_bytes` contiguous bytes possible at begin_.
void FrameReceiver::make_room(size_t need_bytes) {
  if (begin_ == end_) begin_ = end_ = 0;
  if (buffer_.size() - begin_ >= need_bytes) return;
  if (begin_ != end_) std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_);
  end_ -= begin_;
  begin_ = 0;
  if (buffer_.size() < need_bytes) buffer_.resize(std::max(need_bytes, kReadAheadBytes));
}

// Receives until `need_bytes` lie at begin_.
Status FrameReceiver::fill(size_t need_bytes, bool at_frame_start) {
  if (end_ - begin_ >= need_bytes) return {};
  make_room(need_bytes);
  while (end_ - begin_ < need_bytes) {
    const size_t missing = need_bytes - (end_ - begin_);
    const size_t room = read_ahead_ == ReadAhead::kYes ? buffer_.size() - end_ : missing;
    const auto got = transport_.receive(std::span(buffer_).subspan(end_, room));
    if (!got) return fail(got);
    if (*got == 0) {
      const bool between_frames = at_frame_start && begin_ == end_;
      return fail(ErrorKind::kDisconnected, text("The peer closed the connection (", transport_.description(),
                                                 ")", between_frames ? "." : " in the middle of a frame."));
    }
    end_ += *got;
  }
  return {};
}

Result<FrameHead> FrameReceiver::receive_head() {
  if (auto status = skip_bulk(); !status) return fail(status);
  if (auto status = fill(kFrameHeaderBytes, true); !status) return fail(status);
  const auto header = parse_frame_header(
      std::span<const std::byte, kFrameHeaderBytes>(buffer_.data() + begin_, kFrameHeaderBytes));
  if (!header) return fail(header);
  const size_t head_bytes = kFrameHeaderBytes + header->envelope_bytes + header->commands_bytes;
  if (auto status = fill(head_bytes, false); !status) return fail(status);
  const std::span<const std::byte> all(buffer_.data() + begin_ + kFrameHeaderBytes,
                                       head_bytes - kFrameHeaderBytes);
  begin_ += head_bytes;
  bulk_left_bytes_ = header->bulk_bytes;
  auto envelope = decode_envelope(all.first(header->envelope_bytes));
  if (!envelope) return fail(envelope);
  return FrameHead{std::move(*envelope), all.subspan(header->envelope_bytes), header->bulk_bytes};
}

Status FrameReceiver::receive_bulk(std::span<std::byte> into) {
  if (into.size() > bulk_left_bytes_) {
    return fail(ErrorKind::kInternal, text("More bulk data was asked for (", into.size(),
                                           " bytes) than the frame has left (", bulk_left_bytes_, ")."));
  }
  bulk_left_bytes_ -= static_cast<uint32_t>(into.size());
  const size_t ready = std::min(into.size(), end_ - begin_);
  if (ready != 0) std::memcpy(into.data(), buffer_.data() + begin_, ready);
  begin_ += ready;  // `commands` of the head stays where it is: nothing is moved here
  return transport::receive_exactly(transport_, into.subspan(ready));
}

Status FrameReceiver::skip_bulk() {
  std::array<std::byte, 4096> waste;
  while (bulk_left_bytes_ != 0) {
    const size_t next = std::min<size_t>(waste.size(), bulk_left_bytes_);
    if (auto status = receive_bulk(std::span(waste).first(next)); !status) return status;
  }
  return {};
}

Result<Frame> FrameReceiver::receive() {
  auto head = receive_head();
  if (!head) return fail(head);
  const size_t bulk_bytes = head->bulk_bytes;
  if (bulk_bytes > bulk_capacity_) {
    bulk_ = std::make_unique_for_overwrite<std::byte[]>(bulk_bytes);
    bulk_capacity_ = bulk_bytes;
  }
  const std::span<std::byte> bulk(bulk_.get(), bulk_bytes);
  if (auto status = receive_bulk(bulk); !status) return fail(status);
  return Frame{std::move(*head), bulk};
}

}  // namespace outboard::wire
