// What a run did, in words, from the statistics that the clients of its processes kept.
#pragma once

#include <cstdint>
#include <string>

#include "protocol/base/session_stats.h"

namespace outboard::cli {

// "Outboard software device over unix /run/x: 1,234 calls, 12 blocking round trips, 3.1 MiB sent, ..."
std::string summary_line(const SessionStatsFile& stats);
std::string process_line(const SessionStatsSnapshot& process);

std::string with_thousands(uint64_t number);  // "1,234,567"

}  // namespace outboard::cli
