#include "pooling/cli/configuration.h"

#include <cstdlib>
#include <vector>

namespace outboard::cli {
namespace {

const char* own_variable(const char* name) { return std::getenv(name); }

void add(std::vector<ConfigFlag>& flags, const char* key, const std::optional<std::string>& value,
         const char* flag) {
  if (value) flags.push_back({key, *value, flag});
}

std::optional<std::string> as_text(const std::optional<uint64_t>& number) {
  if (!number) return std::nullopt;
  return std::to_string(*number);
}

}  // namespace

Result<ClientConfig> load_configuration(const RunOptions& options) {
  std::vector<ConfigFlag> flags;
  add(flags, "server", options.server, "--server");
  add(flags, "log", options.log_level, "--log-level");
  add(flags, "memory", as_text(options.memory_bytes), "--memory");
  add(flags, "compute", as_text(options.compute_percent), "--compute");
  return load_client_config(own_variable, flags);
}

Result<ClientConfig> load_configuration(const std::optional<std::string>& server) {
  std::vector<ConfigFlag> flags;
  add(flags, "server", server, "--server");
  return load_client_config(own_variable, flags);
}

}  // namespace outboard::cli
