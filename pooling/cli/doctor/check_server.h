// The checks of `outboard doctor` that need our own parts: libraries and a server.
#pragma once

#include <vector>

#include "pooling/cli/doctor/check.h"
#include "pooling/cli/signals.h"
#include "protocol/base/config.h"
#include "protocol/base/result.h"

namespace outboard::cli {

// Finds our parts, then asks the server that `run` would use (a private one when none is named).
std::vector<Check> check_outboard(const ClientConfig& config, SignalQueue& signals);

}  // namespace outboard::cli
