// What daemon and worker tell each other over the control socket (SOCK_SEQPACKET: one packet is one
// message). Both are of the same build, so the encoding may change freely.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "protocol/base/result.h"
#include "protocol/wire/handshake.h"
#include "server/daemon/unique_fd.h"
#include "server/metrics/session_counters.h"
#include "server/worker/export_exchange.h"

namespace outboard::server::control {

// Daemon to worker, first of all: whom to serve, with what.
struct Start {
  uint64_t session_id = 0;
  std::string server_name;
  std::string driver;          // path for dlopen, as a probe found it
  std::string driver_reason;   // a sentence, for the log
  std::string hello;           // wire::encode_hello; its lease terms are what was granted
  uint32_t log_level = 1;      // LogLevel
  std::string log_file;        // empty: standard error
  std::string content_folder;  // see content_store.h; empty: nothing is kept
  uint64_t content_bytes = 0;
  std::vector<wire::ProcessInfo> processes;  // of the same user and machine, for a client that only asks
  bool operator==(const Start&) const = default;
};

// Daemon to worker: end the session in order and say why to the client.
struct Stop {
  std::string reason;
  bool operator==(const Stop&) const = default;
};

// Worker to daemon, once, just before it sends the welcome.
struct Serving {
  uint32_t devices = 0;
  bool operator==(const Serving&) const = default;
};

// Worker to daemon, now and then.
struct Progress {
  SessionTotals totals;
  bool operator==(const Progress&) const = default;
};

// Worker to daemon, last: why the session is over. `orderly` is false for violations and failures.
struct Ended {
  bool orderly = false;
  std::string reason;
  SessionTotals totals;
  bool operator==(const Ended&) const = default;
};

// Worker to daemon, the only message of a probe: which driver works here, or why none does.
struct Probed {
  std::string error;  // empty if a driver was found
  std::string driver;
  std::string reason;
  int32_t driver_version = 0;
  std::vector<std::string> devices;
  bool operator==(const Probed&) const = default;
};

using Message = std::variant<Start, Stop, Serving, Progress, Ended, Probed, ExportRequest, ExportAnswer>;

inline constexpr size_t kMaxMessageBytes = 128 * 1024;  // a hello may have a whole envelope

// Strings too long for kMaxMessageBytes are cut.
std::vector<std::byte> encode(const Message& message);
Result<Message> decode(std::span<const std::byte> packet);

// Sends one packet without blocking: a worker never waits for its daemon. kDisconnected when the
// other side is gone, kOverloaded when it does not read. `descriptor` travels along unless it is -1.
Status send(int fd, const Message& message, int descriptor = -1);
// Receives one packet; nothing at the end of the stream. Blocks unless the socket is non-blocking,
// in which case kOverloaded says that none is there. A descriptor that comes along is put into
// `descriptor`, or closed.
Result<std::optional<Message>> receive(int fd, UniqueFd* descriptor = nullptr);

}  // namespace outboard::server::control
