// The commands section alone, without the frame around it: the first bytes say what the envelope
// would have announced.
#include "protocol/wire/commands.h"
#include "tests/fuzz/expect.h"

using namespace outboard;
using namespace outboard::wire;

namespace {

// What was read, written again, must read the same.
void check_commands(const Frame& frame) {
  CommandReader in(frame);
  CommandWriter out;
  for (Command command; in.next(command);) {
    OUTBOARD_EXPECT(command.bulk.size() == command.bulk_bytes);
    out.append(command, command.body, command.bulk_bytes);
  }
  if (!in.end()) return;
  OUTBOARD_EXPECT(out.count() == frame.envelope.command_count);
  OUTBOARD_EXPECT(out.bulk_bytes() == frame.bulk.size());
  Frame again = frame;
  again.commands = out.view();
  CommandReader first(frame);
  CommandReader second(again);
  Command a;
  Command b;
  while (first.next(a)) {
    OUTBOARD_EXPECT(second.next(b));
    OUTBOARD_EXPECT(a.opcode == b.opcode && a.context == b.context && a.capture_mode == b.capture_mode);
    OUTBOARD_EXPECT(a.wants_reply == b.wants_reply && a.bulk_bytes == b.bulk_bytes);
    OUTBOARD_EXPECT(std::equal(a.body.begin(), a.body.end(), b.body.begin(), b.body.end()));
  }
  OUTBOARD_EXPECT(!second.next(b) && second.end());
}

void check_replies(const Frame& frame) {
  ReplyReader in(frame);
  ReplyWriter out;
  for (Reply reply; in.next(reply);) out.append(reply, reply.body, reply.bulk_bytes);
  if (!in.end()) return;
  Frame again = frame;
  again.commands = out.view();
  ReplyReader second(again);
  for (Reply reply; second.next(reply);) {
  }
  OUTBOARD_EXPECT(second.end().has_value());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size_bytes) {
  Reader in(std::as_bytes(std::span(data, size_bytes)));
  Frame frame;
  frame.envelope.first_sequence = 1;
  frame.envelope.command_count = in.u8();
  frame.bulk_bytes = in.u8();
  frame.bulk = in.raw(frame.bulk_bytes);
  if (in.failed()) return 0;
  frame.commands = in.raw(in.remaining());
  check_commands(frame);
  check_replies(frame);
  return 0;
}
