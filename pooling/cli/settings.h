// What `outboard` itself takes from the environment and the configuration file, beneath its flags.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "protocol/base/result.h"
#include "protocol/wire/handshake.h"

namespace outboard::cli {

struct Settings {
  std::string server;  // empty: nobody named one, so a private server is used
  std::string server_source;  // "--server", "OUTBOARD_SERVER", the file's path
  std::chrono::milliseconds timeout{};  // for connecting and greeting
  wire::LeaseTerms lease;               // what sessions will ask for
};

// `server_flag` is the value of --server, when given. Errors are those of the configuration:
// a value that cannot be understood, with its name and where it stands.
Result<Settings> load_settings(const std::optional<std::string>& server_flag);

}  // namespace outboard::cli
