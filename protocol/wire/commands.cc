#include "protocol/wire/commands.h"

#include "protocol/base/bytes.h"

namespace outboard::wire {
namespace {

enum CommandFlag : uint8_t {
  kWantsReply = 1,
  kHasContext = 2,
  kHasCaptureMode = 4,
  kHasBulk = 8,
  kIsDelta = 16,
  kAllCommandFlags = 31,
};
enum ReplyFlag : uint8_t { kReplyHasBulk = 1 };

// Everything of a command or reply but its body, at its longest: sequence, results, opcode, flags,
// handle, capture mode, two lengths.
constexpr size_t kMostOverheadBytes = 64;

bool frame_has_room(size_t used_bytes, size_t body_bytes, uint64_t bulk_used_bytes, uint64_t bulk_bytes) {
  return used_bytes + body_bytes + kMostOverheadBytes <= limits::kCommandsBytes &&
         bulk_used_bytes + bulk_bytes <= limits::kBulkBytes;
}

Status section_end(const char* what, const char* malformed, uint32_t count, uint32_t announced,
                   uint64_t bulk_used_bytes, uint64_t bulk_bytes) {
  if (malformed != nullptr) {
    return fail(ErrorKind::kProtocolViolation,
                text("The peer sent a frame whose ", what, " number ", count + 1, " of ", announced,
                     " is malformed: ", malformed, "."));
  }
  if (bulk_used_bytes != bulk_bytes) {
    return fail(ErrorKind::kProtocolViolation,
                text("The peer sent a frame with ", bulk_bytes, " bytes of bulk data, but its ", what,
                     " entries use ", bulk_used_bytes, "."));
  }
  return {};
}

}  // namespace

bool CommandWriter::fits(size_t body_bytes, uint64_t bulk_bytes) const {
  return frame_has_room(out_.size(), body_bytes, bulk_bytes_, bulk_bytes);
}

void CommandWriter::append(const CommandFields& fields, std::span<const std::byte> body,
                           uint64_t bulk_bytes) {
  uint8_t flags = 0;
  if (fields.wants_reply) flags |= kWantsReply;
  if (fields.context != context_) flags |= kHasContext;
  if (fields.capture_mode != capture_mode_) flags |= kHasCaptureMode;
  if (bulk_bytes != 0) flags |= kHasBulk;
  const auto opcode = static_cast<uint16_t>(fields.opcode);
  out_.varint(opcode);
  const size_t flags_at = out_.size();
  out_.u8(flags);
  if (flags & kHasContext) out_.handle(context_ = fields.context);
  if (flags & kHasCaptureMode) out_.u8(capture_mode_ = fields.capture_mode);
  if (flags & kHasBulk) out_.varint(bulk_bytes);
  out_.varint(body.size());
  if (DeltaBases::has_base_size(body.size())) {
    if (bases_.encode(opcode, body, out_)) {
      out_.overwrite_u8(flags_at, flags | kIsDelta);
    } else {
      out_.raw(body);
    }
    bases_.remember(opcode, body);
  } else {
    out_.raw(body);
  }
  bulk_bytes_ += bulk_bytes;
  ++count_;
}

void CommandWriter::clear() {
  out_.clear();
  count_ = 0;
  bulk_bytes_ = 0;
  context_ = {};
  capture_mode_ = 0;
  bases_.forget();
}

CommandReader::CommandReader(const FrameHead& head)
    : in_(head.commands),
      frame_bulk_bytes_(head.bulk_bytes),
      first_sequence_(head.envelope.first_sequence),
      announced_(head.envelope.command_count) {}

bool CommandReader::malformed(const char* what) {
  malformed_ = what;
  return false;
}

bool CommandReader::next(Command& out) {
  if (malformed_ != nullptr) return false;
  if (count_ == announced_) return in_.finished() ? false : malformed("there are more bytes than commands");
  const auto opcode = in_.varint_as<uint16_t>();
  out.opcode = static_cast<Opcode>(opcode);
  const uint8_t flags = in_.u8();
  if (flags & ~kAllCommandFlags) return malformed("it has unknown flags");
  if (flags & kHasContext) context_ = in_.handle();
  if (flags & kHasCaptureMode) capture_mode_ = in_.u8();
  out.bulk_bytes = flags & kHasBulk ? in_.varint() : 0;
  const uint64_t body_bytes = in_.varint();
  if ((flags & kIsDelta) != 0 && !bases_.has_base(opcode, body_bytes))
    return malformed("it is a difference from a command that was not there");
  out.body = flags & kIsDelta ? bases_.decode(opcode, body_bytes, in_) : in_.raw(body_bytes);
  if (in_.failed()) return malformed("it is cut off or a number in it is too large");
  if (DeltaBases::has_base_size(body_bytes)) bases_.remember(opcode, out.body);
  if (out.bulk_bytes > frame_bulk_bytes_ - bulk_used_bytes_)
    return malformed("it claims more bulk data than the frame has");
  out.wants_reply = (flags & kWantsReply) != 0;
  out.context = context_;
  out.capture_mode = capture_mode_;
  out.sequence = first_sequence_ + count_;
  out.bulk_offset = bulk_used_bytes_;
  out.bulk = bulk_.empty() ? bulk_ : bulk_.subspan(bulk_used_bytes_, out.bulk_bytes);
  bulk_used_bytes_ += out.bulk_bytes;
  ++count_;
  return true;
}

Status CommandReader::end() const {
  return section_end("command", malformed_, count_, announced_, bulk_used_bytes_, frame_bulk_bytes_);
}

bool ReplyWriter::fits(size_t body_bytes, uint64_t bulk_bytes) const {
  return frame_has_room(out_.size(), body_bytes, bulk_bytes_, bulk_bytes);
}

void ReplyWriter::append(const ReplyFields& fields, std::span<const std::byte> body, uint64_t bulk_bytes) {
  out_.varint(fields.sequence);
  out_.varint(fields.result);
  out_.varint(fields.deferred_result);
  if (fields.deferred_result != 0) out_.varint(static_cast<uint16_t>(fields.deferred_opcode));
  out_.u8(bulk_bytes != 0 ? kReplyHasBulk : 0);
  if (bulk_bytes != 0) out_.varint(bulk_bytes);
  out_.bytes(body);
  bulk_bytes_ += bulk_bytes;
  ++count_;
}

void ReplyWriter::clear() {
  out_.clear();
  count_ = 0;
  bulk_bytes_ = 0;
}

ReplyReader::ReplyReader(const FrameHead& head)
    : in_(head.commands), frame_bulk_bytes_(head.bulk_bytes), announced_(head.envelope.command_count) {}

bool ReplyReader::malformed(const char* what) {
  malformed_ = what;
  return false;
}

bool ReplyReader::next(Reply& out) {
  if (malformed_ != nullptr) return false;
  if (count_ == announced_) return in_.finished() ? false : malformed("there are more bytes than replies");
  out.sequence = in_.varint();
  out.result = in_.varint_as<uint32_t>();
  out.deferred_result = in_.varint_as<uint32_t>();
  out.deferred_opcode = static_cast<Opcode>(out.deferred_result != 0 ? in_.varint_as<uint16_t>() : 0);
  const uint8_t flags = in_.u8();
  if (flags & ~kReplyHasBulk) return malformed("it has unknown flags");
  out.bulk_bytes = flags & kReplyHasBulk ? in_.varint() : 0;
  out.body = in_.bytes();
  if (in_.failed()) return malformed("it is cut off or a number in it is too large");
  if (out.bulk_bytes > frame_bulk_bytes_ - bulk_used_bytes_)
    return malformed("it claims more bulk data than the frame has");
  out.bulk_offset = bulk_used_bytes_;
  out.bulk = bulk_.empty() ? bulk_ : bulk_.subspan(bulk_used_bytes_, out.bulk_bytes);
  bulk_used_bytes_ += out.bulk_bytes;
  ++count_;
  return true;
}

Status ReplyReader::end() const {
  return section_end("reply", malformed_, count_, announced_, bulk_used_bytes_, frame_bulk_bytes_);
}

}  // namespace outboard::wire
