// What the user configured, for the process's client.
#pragma once

#include <optional>
#include <string>

#include "client-lib/session/connect.h"
#include "protocol/base/config.h"
#include "protocol/base/log.h"
#include "protocol/base/result.h"
#include "protocol/base/session_stats.h"

namespace outboard::client {

struct Settings {
  // Why there will be no session: the configuration cannot be understood.
  std::optional<Error> error;
  ConnectSettings connect;
  Logger log;
  std::optional<std::string> visible_devices;
  OfferCopies offer_copies = OfferCopies::kAuto;
  SessionStats stats;
};

// Reads the environment and the configuration file; see protocol/base/config.h.
Settings load_settings();

}  // namespace outboard::client
