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

// Daemon to worker: put work on this device, at most so much of its time under way at once. Renews the
// credit of a turn that goes on. UINT64_MAX: as much as it likes.
struct Turn {
  uint32_t device = 0;
  uint64_t credit_ns = 0;
  bool operator==(const Turn&) const = default;
};

// Daemon to worker: end the turn, which is over when nothing is under way any more.
struct Yield {
  uint32_t device = 0;
  bool operator==(const Yield&) const = default;
};

// Worker to daemon: there is work for a device, and no turn.
struct Want {
  uint32_t device = 0;
  bool operator==(const Want&) const = default;
};

// Worker to daemon: so much device time was used since the last report. `idle`: the turn is kept, but
// there is nothing to do at present.
struct Used {
  uint32_t device = 0;
  uint64_t used_ns = 0;
  bool idle = false;
  bool operator==(const Used&) const = default;
};

// Worker to daemon: the turn is over, with the last of what was used. `more`: it wants another.
struct TurnOver {
  uint32_t device = 0;
  uint64_t used_ns = 0;
  bool more = false;
  bool operator==(const TurnOver&) const = default;
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

using Message = std::variant<Start, Stop, Serving, Progress, Ended, Probed, ExportRequest, ExportAnswer, Turn,
                             Yield, Want, Used, TurnOver>;

inline constexpr size_t kMaxMessageBytes = 128 * 1024;  // a hello may have a whole envelope

// Strings too long for kMaxMessageBytes are cut.
std::vector<std::byte> encode(const Message& message);
Result<Message> decode(std::span<const std::byte> packet);

// Sends one packet without blocking: a worker never waits for its daemon. kDisconnected when the
// other side is gone, kOverloaded when it does not read. `descriptor` travels along unless it is -1.
Status send(int fd, const Message& message, int descriptor = -1);
// The same for what must not be lost: waits while the other side does not read.
Status send_surely(int fd, const Message& message);
// Receives one packet; nothing at the end of the stream. Blocks unless the socket is non-blocking,
// in which case kOverloaded says that none is there. A descriptor that comes along is put into
// `descriptor`, or closed.
Result<std::optional<Message>> receive(int fd, UniqueFd* descriptor = nullptr);

}  // namespace outboard::server::control
