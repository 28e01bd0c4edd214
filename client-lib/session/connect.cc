#include "client-lib/session/connect.h"

#include <unistd.h>

#include <cerrno>

#include "protocol/base/bytes.h"
#include "protocol/base/clock.h"
#include "protocol/transport/connect.h"
#include "protocol/wire/handshake.h"
#include "protocol/wire/opcodes_gen.h"

namespace outboard::client {
namespace {

std::string host_name() {
  char name[limits::kNameBytes] = {};
  return gethostname(name, sizeof name - 1) == 0 ? name : "";
}

// What the user can do, by what went wrong.
std::string_view advice(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kInvalidArgument: return "Correct the address.";
    case ErrorKind::kUnsupported:
    case ErrorKind::kProtocolViolation:
      return "Use the same version of Outboard on both sides; if another program listens there, use another "
             "address.";
    case ErrorKind::kPermissionDenied: return "Run the program as the user who started the server.";
    case ErrorKind::kOverloaded:
    case ErrorKind::kQuotaExceeded: return "Try again later, or use another server.";
    default:
      return "Start `outboard-server` there, set OUTBOARD_SERVER to where one runs, or start the program "
             "with "
             "`outboard run`.";
  }
}

tl::unexpected<Error> explain(const ConnectSettings& settings, std::string_view what, const Error& error) {
  return fail(error.kind, text(what, " ", settings.address, " (from ", settings.address_source,
                               "): ", error.message, " ", advice(error.kind)));
}

}  // namespace

std::string process_name() {
  const int saved = errno;
  char path[4096];
  const ssize_t length = readlink("/proc/self/exe", path, sizeof path);
  errno = saved;
  if (length <= 0) return "unknown";
  const std::string full(path, static_cast<size_t>(length));
  return full.substr(full.rfind('/') + 1).substr(0, limits::kNameBytes);
}

Result<Connection> connect_to_server(const ConnectSettings& settings) {
  auto transport = transport::connect(settings.address, {.timeout = settings.timeout});
  if (!transport) return explain(settings, "There is no connection to the GPU server", transport.error());
  wire::HelloInfo hello;
  hello.registry_revision = wire::kRegistryRevision;
  hello.client_version = OUTBOARD_VERSION;
  hello.host_name = host_name();
  hello.process_id = static_cast<uint32_t>(getpid());
  hello.process_name = process_name();
  hello.user_id = geteuid();
  hello.requested = settings.lease;
  hello.purpose = settings.purpose;
  auto welcome = wire::greet(**transport, hello, std::chrono::steady_clock::now() + settings.welcome_timeout);
  if (!welcome) return explain(settings, "No session with the GPU server", welcome.error());
  return Connection{std::move(*transport), std::move(*welcome)};
}

}  // namespace outboard::client
