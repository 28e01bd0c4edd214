// The control part of a frame as C++ values. The schema (protocol/schema/outboard.capnp) is the
// document; this is the only place that knows its generated types.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "protocol/base/result.h"
#include "protocol/wire/handshake.h"

namespace outboard::wire {

struct Refusal {
  ErrorKind kind = ErrorKind::kInternal;
  std::string message;
};

// The last frame of a side. Orderly when nothing is wrong; otherwise why the session ends.
struct Goodbye {
  bool orderly = true;
  ErrorKind kind = ErrorKind::kInternal;
  std::string message;
};

struct CommandsFrame {};  // the commands section holds requests
struct RepliesFrame {};   // the commands section holds replies

// Something the peer should know that answers no command.
struct Notice {
  enum class Kind : uint8_t {
    kMessage = 0,           // a sentence for the log
    kDeviceOutput = 1,      // what a kernel printed, for the client's standard output
    kHostFunction = 2,      // a stream waits until the client has run host function `number`
    kHostFunctionGone = 3,  // no stream will reach that number any more
    kDriverLog = 4,         // a message of the driver's log, to a client that subscribed
    kDevice = 5,            // what the driver says of a device, to the callback that the client registered
    kDeviceErrors = 6,      // what the driver wrote of failed kernels, for the client's standard error
  };
  Kind kind = Kind::kMessage;
  std::string text;  // at most limits::kMessageBytes, or kNoticeOutputBytes of what is written
  // Of host functions: what the client called them. Of kDriverLog: the CUlogLevel. Of kDevice: index
  // and generation (upper half) of the callback's handle.
  uint64_t number = 0;
  uint32_t type = 0;   // of kDevice: CUasyncNotificationType...
  uint64_t bytes = 0;  // ...and how many bytes the program has over its budget
};

// An acknowledgement without commands or replies, and the answer to "are you there?".
struct Heartbeat {
  bool wants_answer = false;
};

struct Envelope {
  // Sequence of the first command in this frame; command i has first_sequence + i. Sequences start
  // at 1. In frames without commands: the sequence that the next command will have.
  uint64_t first_sequence = 0;
  uint32_t command_count = 0;  // commands or replies in this frame
  // The highest sequence of the peer such that it and all before it were taken off the stream in
  // order. A call that waits counts as taken when its wait begins: its reply comes later, and the
  // commands of other threads behind it must not be held back meanwhile.
  uint64_t acknowledged = 0;
  std::variant<CommandsFrame, RepliesFrame, HelloInfo, WelcomeInfo, Refusal, Goodbye, Notice, Heartbeat> kind;

  template <typename T>
  const T* as() const {
    return std::get_if<T>(&kind);
  }
};

// For error messages: "hello", "commands", ...
std::string_view envelope_kind_name(const Envelope& envelope);

// kInvalidArgument when the result would exceed limits::kEnvelopeBytes or a text its limit.
Result<std::vector<std::byte>> encode_envelope(const Envelope& envelope);

// Everything in the result has been checked against its limits. kProtocolViolation otherwise.
// `bytes` needs no alignment.
Result<Envelope> decode_envelope(std::span<const std::byte> bytes);

}  // namespace outboard::wire
