#include "client-lib/shim/settings.h"

#include <unistd.h>

#include <cstdlib>

#include "protocol/base/bytes.h"

namespace outboard::client {
namespace {

std::optional<std::string> variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

}  // namespace

Settings load_settings() {
  Settings settings;
  LogOptions log;
  log.name = "libcuda";
  if (const auto level = variable("OUTBOARD_LOG")) {
    if (const auto parsed = parse_log_level(*level)) log.level = *parsed;
  }
  if (const auto file = variable("OUTBOARD_LOG_FILE")) log.file_path = *file;
  if (auto logger = Logger::open(log)) settings.log = *logger;
  if (const auto server = variable("OUTBOARD_SERVER")) {
    settings.connect.address = *server;
    settings.connect.address_source = "the variable OUTBOARD_SERVER";
  } else {
    const auto runtime = variable("XDG_RUNTIME_DIR");
    settings.connect.address = runtime ? "unix:" + *runtime + "/outboard.sock" : "127.0.0.1:7070";
    settings.connect.address_source = "the default";
  }
  settings.visible_devices = variable("CUDA_VISIBLE_DEVICES");
  settings.stats_file_path = variable("OUTBOARD_STATS_FILE").value_or("");
  return settings;
}

}  // namespace outboard::client
