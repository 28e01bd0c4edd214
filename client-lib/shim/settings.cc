#include "client-lib/shim/settings.h"

#include <unistd.h>

#include <cstdlib>

#include "protocol/base/bytes.h"
#include "protocol/base/config.h"

namespace outboard::client {
namespace {

// Where a server listens that was started without options.
std::string default_address() {
  const char* runtime = std::getenv("XDG_RUNTIME_DIR");
  return runtime != nullptr && *runtime != '\0' ? text("unix:", runtime, "/outboard.sock") : "127.0.0.1:7070";
}

Logger open_log(const ClientConfig& config) {
  LogOptions options;
  options.level = config.log.value;
  options.file_path = config.log_file.value;
  options.name = "libcuda";
  auto log = Logger::open(options);
  if (log) return *log;
  // Rather on standard error than nowhere.
  options.file_path.clear();
  auto fallback = Logger::open(options);
  if (!fallback) return {};
  fallback->warn(log.error().message);
  return *fallback;
}

SessionStats open_stats(const std::string& path, const Logger& log) {
  if (path.empty()) return {};
  auto stats = SessionStats::open(path, static_cast<uint32_t>(getpid()), process_name());
  if (stats) return std::move(*stats);
  log.warn(stats.error().message);
  return {};
}

}  // namespace

Settings load_settings() {
  Settings settings;
  const auto loaded = load_client_config([](const char* name) { return std::getenv(name); });
  if (!loaded) settings.error = loaded.error();
  const ClientConfig config = loaded ? *loaded : ClientConfig{};
  settings.log = open_log(config);
  settings.stats = open_stats(config.stats_file.value, settings.log);
  settings.connect.address = config.server.value.empty() ? default_address() : config.server.value;
  settings.connect.address_source = config.server.value.empty() ? "the default" : config.server.source;
  settings.connect.timeout = config.timeout.value;
  // Who names a time wants to wait no longer than that; otherwise a driver may take its own.
  if (config.timeout.given()) settings.connect.welcome_timeout = config.timeout.value;
  settings.connect.lease.memory_bytes = config.memory_bytes.value;
  settings.connect.lease.compute_percent = config.compute_percent.value;
  settings.connect.lease.priority = config.priority.value;
  settings.offer_copies = config.offer_copies.value;
  if (const char* visible = std::getenv("CUDA_VISIBLE_DEVICES")) settings.visible_devices = visible;
  return settings;
}

}  // namespace outboard::client
