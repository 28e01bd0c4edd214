// Whatever a peer sends: frames, and in them commands and replies, end in values or in errors. The
// first byte chooses how the receiver is used.
#include "protocol/wire/commands.h"
#include "protocol/wire/frame.h"
#include "tests/fuzz/expect.h"
#include "tests/fuzz/memory_transport.h"

using namespace outboard;
using namespace outboard::wire;

namespace {

void read_commands(const Frame& frame) {
  CommandReader commands(frame);
  for (Command command; commands.next(command);) {
    OUTBOARD_EXPECT(command.body.size() <= frame.commands.size());
    OUTBOARD_EXPECT(command.bulk.size() <= frame.bulk.size());
  }
  if (!commands.end()) OUTBOARD_EXPECT(commands.end().error().kind == ErrorKind::kProtocolViolation);
}

void read_replies(const Frame& frame) {
  ReplyReader replies(frame);
  for (Reply reply; replies.next(reply);) OUTBOARD_EXPECT(reply.bulk.size() <= frame.bulk.size());
  if (!replies.end()) OUTBOARD_EXPECT(replies.end().error().kind == ErrorKind::kProtocolViolation);
}

// False when the stream is over.
bool whole_frame(FrameReceiver& receiver) {
  const auto frame = receiver.receive();
  if (!frame) {
    OUTBOARD_EXPECT(frame.error().kind == ErrorKind::kDisconnected ||
                    frame.error().kind == ErrorKind::kProtocolViolation);
    return false;
  }
  OUTBOARD_EXPECT(frame->commands.size() <= limits::kCommandsBytes &&
                  frame->bulk.size() <= limits::kBulkBytes);
  read_commands(*frame);
  read_replies(*frame);
  return true;
}

bool frame_in_steps(FrameReceiver& receiver) {
  const auto head = receiver.receive_head();
  if (!head) return false;
  std::array<std::byte, 16> some;
  const size_t taken = std::min<size_t>(some.size(), head->bulk_bytes);
  return receiver.receive_bulk(std::span(some).first(taken)).has_value();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size_bytes) {
  if (size_bytes == 0) return 0;
  const auto choice = data[0];
  const auto incoming = std::as_bytes(std::span(data, size_bytes)).subspan(1);
  transport::testing::MemoryTransport transport(incoming, choice & 0x3f ? choice & 0x3f : incoming.size());
  FrameReceiver receiver(transport, choice & 0x40 ? ReadAhead::kYes : ReadAhead::kNo);
  while (choice & 0x80 ? frame_in_steps(receiver) : whole_frame(receiver)) {
  }
  return 0;
}
