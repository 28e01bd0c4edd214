// Control messages: what is accepted can be said again and means the same.
#include "protocol/wire/envelope.h"
#include "tests/fuzz/expect.h"

using namespace outboard;
using namespace outboard::wire;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size_bytes) {
  const auto bytes = std::as_bytes(std::span(data, size_bytes));
  const auto envelope = decode_envelope(bytes);
  if (!envelope) {
    OUTBOARD_EXPECT(envelope.error().kind == ErrorKind::kProtocolViolation);
    return 0;
  }
  const auto said = encode_envelope(*envelope);
  // A message may share parts of itself, and be longer once each stands alone.
  if (!said) {
    OUTBOARD_EXPECT(said.error().kind == ErrorKind::kInvalidArgument);
    return 0;
  }
  const auto again = decode_envelope(*said);
  OUTBOARD_EXPECT(again.has_value());
  OUTBOARD_EXPECT(again->kind.index() == envelope->kind.index());
  OUTBOARD_EXPECT(encode_envelope(*again).value() == *said);
  if (const auto* hello = envelope->as<HelloInfo>()) {
    OUTBOARD_EXPECT(decode_hello(encode_hello(*hello)).has_value());
    const auto version = negotiate_version(*hello);
    if (version) OUTBOARD_EXPECT(*version >= kOldestProtocolVersion && *version <= kProtocolVersion);
  }
  return 0;
}
