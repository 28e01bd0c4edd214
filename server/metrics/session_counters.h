// What a session did: totals, and per call how often and how often it failed.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <vector>

namespace outboard::server {

// A session's totals at one moment. Bytes are those of the connection, both counted at the server.
struct SessionTotals {
  uint64_t commands = 0;  // everything the client asked for
  uint64_t replies = 0;   // of these, what it waited for
  uint64_t failures = 0;  // commands whose result was not CUDA_SUCCESS
  uint64_t launches = 0;  // kernels and graphs
  uint64_t bytes_received = 0;
  uint64_t bytes_sent = 0;
  uint64_t objects = 0;       // alive in the object table
  uint64_t memory_bytes = 0;  // device memory committed in the ledger, all devices
  uint64_t peak_memory_bytes = 0;
  uint64_t known_uploads = 0;  // code and data that the server had already
  uint64_t known_upload_bytes = 0;
  std::vector<uint64_t> device_memory_bytes;  // the same as memory_bytes, device by device
  friend bool operator==(const SessionTotals&, const SessionTotals&) = default;
};

struct CallCount {
  uint16_t opcode = 0;
  uint64_t calls = 0;
  uint64_t failures = 0;
};

// Threads: every function may be called from any thread; counting never blocks.
class SessionCounters {
 public:
  static constexpr uint16_t kMaxOpcode = 2047;  // larger opcodes share the last cell

  void count_command(uint16_t opcode, bool failed) {
    Cell& cell = cells_[opcode < kMaxOpcode ? opcode : kMaxOpcode];
    cell.calls.fetch_add(1, std::memory_order_relaxed);
    if (failed) cell.failures.fetch_add(1, std::memory_order_relaxed);
  }
  void count_reply() { replies_.fetch_add(1, std::memory_order_relaxed); }
  void count_known_upload(uint64_t bytes) {
    known_uploads_.fetch_add(1, std::memory_order_relaxed);
    known_upload_bytes_.fetch_add(bytes, std::memory_order_relaxed);
  }
  void count_launch() { launches_.fetch_add(1, std::memory_order_relaxed); }

  // Fills in commands, replies, failures, launches and known uploads; the rest is not known here.
  SessionTotals totals() const;
  // Calls that happened, most frequent first.
  std::vector<CallCount> calls() const;

 private:
  struct Cell {
    std::atomic<uint64_t> calls{0};
    std::atomic<uint64_t> failures{0};
  };
  std::array<Cell, kMaxOpcode + 1> cells_;
  std::atomic<uint64_t> replies_{0};
  std::atomic<uint64_t> launches_{0};
  std::atomic<uint64_t> known_uploads_{0};
  std::atomic<uint64_t> known_upload_bytes_{0};
};

}  // namespace outboard::server
