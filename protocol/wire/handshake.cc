#include "protocol/wire/handshake.h"

#include <algorithm>

#include "protocol/base/bytes.h"
#include "protocol/wire/envelope.h"
#include "protocol/wire/frame.h"

namespace outboard::wire {
namespace {

// One frame that is an envelope and nothing else, and not a byte more.
Result<Envelope> receive_control(transport::Transport& transport, SteadyTime deadline) {
  FrameReceiver receiver(transport, ReadAhead::kNo);
  transport.set_receive_deadline(deadline);
  auto head = receiver.receive_head();
  transport.set_receive_deadline(transport::Transport::kNoDeadline);
  if (!head) return fail(head);
  if (!head->commands.empty() || head->bulk_bytes != 0) {
    return fail(ErrorKind::kProtocolViolation, text("The peer sent a ", envelope_kind_name(head->envelope),
                                                    " with commands or bulk data before the "
                                                    "session has started."));
  }
  return std::move(head->envelope);
}

template <typename Kind>
Status send_control(transport::Transport& transport, Kind kind) {
  return FrameSender(transport).send(Envelope{.first_sequence = 1, .kind = std::move(kind)});
}

Status check_welcome(const WelcomeInfo& welcome, const HelloInfo& hello) {
  if (welcome.protocol_version >= hello.oldest_protocol_version &&
      welcome.protocol_version <= hello.protocol_version) {
    return {};
  }
  return fail(ErrorKind::kUnsupported,
              text("The server '", printable(welcome.server_name, limits::kNameBytes), "' (version ",
                   printable(welcome.server_version, limits::kNameBytes), ") answered in protocol version ",
                   welcome.protocol_version, "; this client speaks ", hello.oldest_protocol_version, " to ",
                   hello.protocol_version, ". Install the same release on both sides."));
}

}  // namespace

Result<WelcomeInfo> greet(transport::Transport& transport, const HelloInfo& hello, SteadyTime deadline) {
  const auto sent = send_control(transport, hello);
  // A server that refuses at once may close before our hello has gone out; its reason is worth more
  // than our broken pipe.
  if (!sent && sent.error().kind != ErrorKind::kDisconnected) return fail(sent);
  auto answer = receive_control(transport, deadline);
  if (!answer)
    return fail(sent ? answer.error().kind : sent.error().kind,
                sent ? answer.error().message : sent.error().message);
  if (const auto* refusal = answer->as<Refusal>()) {
    return fail(refusal->kind, printable(refusal->message, limits::kMessageBytes));
  }
  auto* welcome = std::get_if<WelcomeInfo>(&answer->kind);
  if (welcome == nullptr) {
    return fail(ErrorKind::kProtocolViolation,
                text("The server at ", transport.description(), " answered the hello with a ",
                     envelope_kind_name(*answer), "; a welcome or a refusal was expected."));
  }
  if (auto status = check_welcome(*welcome, hello); !status) return fail(status);
  return std::move(*welcome);
}

Result<HelloInfo> read_hello(transport::Transport& transport, SteadyTime deadline) {
  auto first = receive_control(transport, deadline);
  if (!first) return fail(first);
  auto* hello = std::get_if<HelloInfo>(&first->kind);
  if (hello == nullptr) {
    return fail(ErrorKind::kProtocolViolation,
                text("The peer began with a ", envelope_kind_name(*first), " instead of a hello."));
  }
  return std::move(*hello);
}

Status send_welcome(transport::Transport& transport, const WelcomeInfo& welcome) {
  return send_control(transport, welcome);
}

Status send_refusal(transport::Transport& transport, ErrorKind kind, const std::string& message) {
  return send_control(transport, Refusal{kind, message});
}

Result<uint32_t> negotiate_version(const HelloInfo& hello) {
  const uint32_t newest = std::min(hello.protocol_version, kProtocolVersion);
  const uint32_t oldest = std::max(hello.oldest_protocol_version, kOldestProtocolVersion);
  if (newest >= oldest) return newest;
  return fail(ErrorKind::kUnsupported,
              text("The client (version ", printable(hello.client_version, limits::kNameBytes),
                   ") speaks protocol versions ", hello.oldest_protocol_version, " to ",
                   hello.protocol_version, ", this server ", kOldestProtocolVersion, " to ", kProtocolVersion,
                   ". Install the same release on both sides."));
}

std::vector<std::byte> encode_hello(const HelloInfo& hello) {
  // Cannot exceed an envelope: every text and list in a hello is cut at its own limit.
  auto encoded = encode_envelope(Envelope{.kind = hello});
  return encoded ? std::move(*encoded) : std::vector<std::byte>{};
}

Result<HelloInfo> decode_hello(std::span<const std::byte> bytes) {
  auto envelope = decode_envelope(bytes);
  if (!envelope) return fail(envelope);
  auto* hello = std::get_if<HelloInfo>(&envelope->kind);
  if (hello == nullptr) {
    return fail(ErrorKind::kInvalidArgument,
                text("These bytes are a ", envelope_kind_name(*envelope), ", not a hello."));
  }
  return std::move(*hello);
}

}  // namespace outboard::wire
