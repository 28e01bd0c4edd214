// What the user configured, for the process's client.
#pragma once

#include <optional>
#include <string>

#include "client-lib/session/connect.h"
#include "protocol/base/log.h"

namespace outboard::client {

struct Settings {
  ConnectSettings connect;
  Logger log;
  std::optional<std::string> visible_devices;
  std::string stats_file_path;
};

// Environment before file before defaults. Never fails: what is wrong is said in the log, and the
// default is used.
Settings load_settings();

}  // namespace outboard::client
