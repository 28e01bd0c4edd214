// How the client's libnvidia-ml.so.1 finds its server: as its libcuda.so.1 does.
#include <cstdlib>
#include <string>

#include "client-lib/nvml/remote_source.h"
#include "client-lib/session/connect.h"
#include "protocol/base/config.h"
#include "protocol/base/log.h"

namespace outboard::nvml {

Result<std::unique_ptr<Source>> open_source() {
  static const SystemClock clock;
  auto config = load_client_config([](const char* name) -> const char* { return std::getenv(name); });
  if (!config) return fail(config);
  if (config->server.value.empty())
    return fail(ErrorKind::kNotFound, "No GPU server is named; set OUTBOARD_SERVER or use `outboard run`.");
  client::ConnectSettings settings;
  settings.address = config->server.value;
  settings.address_source = config->server.source;
  settings.timeout = config->timeout.value;
  if (config->timeout.given()) settings.welcome_timeout = config->timeout.value;
  settings.purpose = wire::SessionPurpose::kQuery;
  // NVML has no way to hand a sentence over, so it goes to the log.
  auto logger =
      Logger::open({.level = config->log.value, .file_path = config->log_file.value, .name = "libnvidia-ml"});
  return RemoteSource::open(
      [settings, log = logger ? *logger : Logger()]() -> Result<wire::WelcomeInfo> {
        auto connection = client::connect_to_server(settings);
        if (!connection) {
          log.error(connection.error().message);
          return fail(connection);
        }
        connection->transport->shutdown();
        return std::move(connection->welcome);
      },
      clock);
}

}  // namespace outboard::nvml

extern "C" __attribute__((visibility("default"))) const char* outboard_client_version() {
  return OUTBOARD_VERSION;
}
