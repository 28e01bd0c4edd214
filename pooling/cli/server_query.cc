#include "pooling/cli/server_query.h"

#include <unistd.h>

#include <array>

#include "pooling/cli/configuration.h"
#include "pooling/cli/version.h"
#include "protocol/base/bytes.h"
#include "protocol/transport/connect.h"
#include "protocol/wire/opcodes_gen.h"

namespace outboard::cli {
namespace {

wire::HelloInfo query_hello(const ClientConfig& config) {
  wire::HelloInfo hello;
  hello.client_version = kVersion;
  hello.registry_revision = wire::kRegistryRevision;
  std::array<char, 256> host{};
  gethostname(host.data(), host.size() - 1);
  hello.host_name = host.data();
  hello.process_id = static_cast<uint32_t>(getpid());
  hello.process_name = "outboard";
  hello.user_id = getuid();
  hello.purpose = wire::SessionPurpose::kQuery;
  hello.requested.memory_bytes = config.memory_bytes.value;
  hello.requested.compute_percent = config.compute_percent.value;
  hello.requested.priority = config.priority.value;
  return hello;
}

}  // namespace

Result<ServerAnswer> query_server(const std::string& address, const ClientConfig& config) {
  const auto begun = std::chrono::steady_clock::now();
  const auto connection = transport::connect(address, {.timeout = config.timeout.value, .loopback = nullptr});
  if (!connection) return fail(connection);
  const auto welcome = wire::greet(**connection, query_hello(config), begun + config.timeout.value);
  if (!welcome) return fail(welcome);
  ServerAnswer answer{(*connection)->description(), *welcome, {}};
  answer.took =
      std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - begun);
  (*connection)->shutdown();
  return answer;
}

Status check_driver_choice(const ClientConfig& config, const std::optional<std::string>& driver) {
  if (!driver || config.server.value.empty()) return {};
  return fail(ErrorKind::kInvalidArgument,
              text("--driver chooses the driver of a private server, but ", config.server.source,
                   " names the server ", config.server.value, "; start that one with --driver instead."));
}

Result<ServerInUse> named_or_private_server(const ClientConfig& config,
                                            const std::optional<std::string>& driver,
                                            const std::optional<std::string>& log_level,
                                            SignalQueue& signals) {
  if (const Status possible = check_driver_choice(config, driver); !possible) return fail(possible);
  ServerInUse use;
  if (!config.server.value.empty()) {
    use.address = config.server.value;
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

Result<ServerAnswer> ask_server(const std::optional<std::string>& server,
                                const std::optional<std::string>& driver) {
  const auto config = load_configuration(server);
  if (!config) return fail(config);
  auto signals = SignalQueue::open();
  if (!signals) return fail(signals);
  const auto use = named_or_private_server(*config, driver, std::nullopt, *signals);
  if (!use) return fail(use);
  return query_server(use->address, *config);
}

}  // namespace outboard::cli
