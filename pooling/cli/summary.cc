#include "pooling/cli/summary.h"

#include <array>
#include <cstdio>

namespace outboard::cli {
namespace {

std::string counted(uint64_t number, const char* one, const char* many) {
  return with_thousands(number) + " " + (number == 1 ? one : many);
}

std::string figures(const ProcessSummary& process) {
  return counted(process.calls, "call", "calls") + ", " +
         counted(process.blocking_round_trips, "blocking round trip", "blocking round trips") + ", " +
         readable_bytes(process.bytes_sent) + " sent, " + readable_bytes(process.bytes_received) + " received, " +
         counted(process.launches, "launch", "launches");
}

}  // namespace

std::string with_thousands(uint64_t number) {
  std::string text = std::to_string(number);
  for (size_t at = text.size(); at > 3; at -= 3) text.insert(at - 3, ",");
  return text;
}

std::string readable_bytes(uint64_t bytes) {
  if (bytes < 1024) return std::to_string(bytes) + " B";
  constexpr std::array<const char*, 5> kUnits = {"KiB", "MiB", "GiB", "TiB", "PiB"};
  double amount = static_cast<double>(bytes) / 1024;
  size_t unit = 0;
  while (amount >= 1024 && unit + 1 < kUnits.size()) {
    amount /= 1024;
    ++unit;
  }
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.1f %s", amount, kUnits[unit]);
  return text.data();
}

std::string summary_line(const std::vector<ProcessSummary>& processes) {
  ProcessSummary sum;
  size_t connected = 0;
  for (const ProcessSummary& process : processes) {
    sum.calls += process.calls;
    sum.blocking_round_trips += process.blocking_round_trips;
    sum.bytes_sent += process.bytes_sent;
    sum.bytes_received += process.bytes_received;
    sum.launches += process.launches;
    if (process.device.empty()) continue;
    ++connected;
    if (sum.device.empty()) {
      sum.device = process.device;
      sum.transport = process.transport;
    }
  }
  if (connected == 0) return "our libcuda was loaded, but the program opened no device";
  return sum.device + " over " + sum.transport + ": " + figures(sum) +
         (connected > 1 ? " (" + std::to_string(connected) + " processes)" : "");
}

std::string process_line(const ProcessSummary& process) {
  const std::string who = process.process_name + " (pid " + std::to_string(process.process_id) + ")";
  return who + ": " + (process.device.empty() ? std::string("no device opened") : process.device + ", " + figures(process));
}

}  // namespace outboard::cli
