#include "pooling/cli/summary.h"

#include "protocol/base/bytes.h"

namespace outboard::cli {
namespace {

constexpr size_t kShownNameBytes = 128;

std::string counted(uint64_t number, const char* one, const char* many) {
  return with_thousands(number) + " " + (number == 1 ? one : many);
}

std::string figures(const SessionStatsSnapshot& process) {
  return text(counted(process.calls, "call", "calls"), ", ",
              counted(process.blocking_round_trips, "blocking round trip", "blocking round trips"), ", ",
              human_bytes(process.bytes_sent), " sent, ", human_bytes(process.bytes_received), " received, ",
              counted(process.launches, "launch", "launches"));
}

// The names come from another machine.
std::string device_over_transport(const SessionStatsSnapshot& process) {
  return text(printable(process.device, kShownNameBytes), " over ",
              printable(process.transport, kShownNameBytes));
}

}  // namespace

std::string with_thousands(uint64_t number) {
  std::string digits = std::to_string(number);
  for (size_t at = digits.size(); at > 3; at -= 3) digits.insert(at - 3, ",");
  return digits;
}

std::string summary_line(const SessionStatsFile& stats) {
  SessionStatsSnapshot sum;
  size_t connected = 0;
  for (const SessionStatsSnapshot& process : stats.processes) {
    sum.calls += process.calls;
    sum.blocking_round_trips += process.blocking_round_trips;
    sum.bytes_sent += process.bytes_sent;
    sum.bytes_received += process.bytes_received;
    sum.launches += process.launches;
    if (process.device.empty()) continue;
    if (++connected > 1) continue;
    sum.device = process.device;
    sum.transport = process.transport;
  }
  if (connected == 0) return "our libcuda was loaded, but the program opened no device";
  std::string line = text(device_over_transport(sum), ": ", figures(sum));
  if (connected > 1) line += text(" (", connected, " processes)");
  if (stats.not_shown > 0) line += text(" (", stats.not_shown, " more processes were not counted)");
  return line;
}

std::string process_line(const SessionStatsSnapshot& process) {
  const std::string who =
      text(printable(process.process_name, kShownNameBytes), " (pid ", process.process_id, "): ");
  if (process.device.empty()) return who + "no device opened";
  return text(who, device_over_transport(process), ", ", figures(process));
}

}  // namespace outboard::cli
