#include "server/metrics/session_counters.h"

#include <algorithm>

namespace outboard::server {

SessionTotals SessionCounters::totals() const {
  SessionTotals totals;
  for (const Cell& cell : cells_) {
    totals.commands += cell.calls.load(std::memory_order_relaxed);
    totals.failures += cell.failures.load(std::memory_order_relaxed);
  }
  totals.replies = replies_.load(std::memory_order_relaxed);
  totals.launches = launches_.load(std::memory_order_relaxed);
  totals.known_uploads = known_uploads_.load(std::memory_order_relaxed);
  totals.known_upload_bytes = known_upload_bytes_.load(std::memory_order_relaxed);
  return totals;
}

std::vector<CallCount> SessionCounters::calls() const {
  std::vector<CallCount> counts;
  for (size_t opcode = 0; opcode < cells_.size(); ++opcode) {
    const uint64_t calls = cells_[opcode].calls.load(std::memory_order_relaxed);
    if (calls == 0) continue;
    counts.push_back(
        {static_cast<uint16_t>(opcode), calls, cells_[opcode].failures.load(std::memory_order_relaxed)});
  }
  std::sort(counts.begin(), counts.end(), [](const CallCount& a, const CallCount& b) {
    return a.calls != b.calls ? a.calls > b.calls : a.opcode < b.opcode;
  });
  return counts;
}

}  // namespace outboard::server
