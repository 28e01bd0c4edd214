#include "client-lib/session/command_batch.h"

namespace outboard::client {
namespace {

// Flags of a command; see the description of a commands frame in protocol/schema/outboard.capnp.
constexpr uint8_t kWantsReply = 1 << 0;
constexpr uint8_t kHasContext = 1 << 1;
constexpr uint8_t kHasCaptureMode = 1 << 2;
constexpr uint8_t kHasBulk = 1 << 3;

}  // namespace

void CommandBatch::append_encoded(uint16_t opcode, const CommandScope& scope, bool wants_reply, bool has_bulk,
                                  uint64_t bulk_bytes) {
  uint8_t flags = 0;
  if (wants_reply) flags |= kWantsReply;
  if (!scope_said_ || scope.context != scope_.context) flags |= kHasContext;
  if (!scope_said_ || scope.capture_mode != scope_.capture_mode) flags |= kHasCaptureMode;
  if (has_bulk) flags |= kHasBulk;

  commands_.varint(opcode);
  commands_.u8(flags);
  if ((flags & kHasContext) != 0) commands_.handle(scope.context);
  if ((flags & kHasCaptureMode) != 0) commands_.u8(scope.capture_mode);
  if (has_bulk) commands_.varint(bulk_bytes);
  commands_.bytes(body_.view());

  scope_ = scope;
  scope_said_ = true;
  ++count_;
}

}  // namespace outboard::client
