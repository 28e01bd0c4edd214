// What a run did, read from the statistics that the clients of its processes kept.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "protocol/base/result.h"

namespace outboard::cli {

// One process that loaded our libcuda.
struct ProcessSummary {
  uint32_t process_id = 0;
  std::string process_name;
  std::string device;     // empty: it never connected
  std::string transport;
  uint64_t calls = 0;
  uint64_t blocking_round_trips = 0;
  uint64_t bytes_sent = 0;
  uint64_t bytes_received = 0;
  uint64_t launches = 0;
};

// kNotFound when no process of the run wrote any.
Result<std::vector<ProcessSummary>> read_summaries(const std::string& stats_path);

// "Outboard SoftGPU over unix socket: 1,234 calls, 12 blocking round trips, 3.1 MiB sent, ..."
std::string summary_line(const std::vector<ProcessSummary>& processes);
std::string process_line(const ProcessSummary& process);

std::string with_thousands(uint64_t number);  // "1,234,567"
std::string readable_bytes(uint64_t bytes);   // "512 B", "3.1 MiB"

}  // namespace outboard::cli
