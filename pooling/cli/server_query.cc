#include "pooling/cli/server_query.h"

#include <unistd.h>

#include <array>

#include "pooling/cli/version.h"
#include "protocol/transport/connect.h"

namespace outboard::cli {
namespace {

wire::HelloInfo query_hello(const Settings& settings) {
  wire::HelloInfo hello;
  hello.client_version = kVersion;
  std::array<char, 256> host{};
  gethostname(host.data(), host.size() - 1);
  hello.host_name = host.data();
  hello.process_id = static_cast<uint32_t>(getpid());
  hello.process_name = "outboard";
  hello.user_id = getuid();
  hello.purpose = wire::SessionPurpose::kQuery;
  hello.requested = settings.lease;
  return hello;
}

}  // namespace

Result<ServerAnswer> query_server(const std::string& address, const Settings& settings) {
  const auto begun = std::chrono::steady_clock::now();
  const auto connection = transport::connect(address, {.timeout = settings.timeout, .loopback = nullptr});
  if (!connection) return fail(connection);
  const auto welcome = wire::greet(**connection, query_hello(settings), begun + settings.timeout);
  if (!welcome) return fail(welcome);
  ServerAnswer answer{(*connection)->description(), *welcome, {}};
  answer.took = std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - begun);
  (*connection)->shutdown();
  return answer;
}

Result<ServerInUse> named_or_private_server(const Settings& settings, const std::optional<std::string>& driver,
                                            const std::optional<std::string>& log_level, SignalQueue& signals) {
  ServerInUse use;
  if (!settings.server.empty()) {
    if (driver) {
      return fail(ErrorKind::kInvalidArgument, "--driver chooses the driver of a private server, but " +
                                                   settings.server_source + " names the server " + settings.server +
                                                   "; start that one with --driver instead.");
    }
    use.address = settings.server;
    return use;
  }
  const auto paths = find_install_paths();
  if (!paths) return fail(paths);
  auto folder = PrivateFolder::create();
  if (!folder) return fail(folder);
  use.folder.emplace(std::move(*folder));
  PrivateServerOptions options;
  options.server_program = paths->server_program;
  if (driver) options.driver = *driver;
  if (log_level) options.log_level = *log_level;
  auto server = PrivateServer::start(options, *use.folder, signals);
  if (!server) return fail(server);
  use.private_server = std::move(*server);
  use.address = use.private_server->address();
  return use;
}

}  // namespace outboard::cli
