// The user's configuration with the flags of a command on top.
#pragma once

#include <optional>
#include <string>

#include "pooling/cli/options.h"
#include "protocol/base/config.h"
#include "protocol/base/result.h"

namespace outboard::cli {

Result<ClientConfig> load_configuration(const RunOptions& options);
// For commands that take no other flag of the configuration than --server.
Result<ClientConfig> load_configuration(const std::optional<std::string>& server);

}  // namespace outboard::cli
