// Live statistics of client processes, in a small file that they map and others read.
//
// Layout (little endian, this machine only): a header of 64 bytes { u64 magic 'OBSTATS1';
// u32 claimed slots; zeros }, then limits::kStatsSlots slots of 512 bytes: the struct
// Slot of session_stats.cc. A zeroed file of the right size is valid and empty.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/base/result.h"

namespace outboard {

// Only ever counted up, with relaxed atomics, from any thread.
struct SessionCounters {
  std::atomic<uint64_t> calls{0};  // of the CUDA API, local ones included
  std::atomic<uint64_t> commands_sent{0};
  std::atomic<uint64_t> blocking_round_trips{0};  // times a thread waited for the server
  std::atomic<uint64_t> bytes_sent{0};
  std::atomic<uint64_t> bytes_received{0};
  std::atomic<uint64_t> launches{0};
};

// The writing side, one per session. Movable; counters() stay where they are.
class SessionStats {
 public:
  // Counts into memory of its own that nobody else sees.
  SessionStats();
  // Takes a slot in the file at `path`, making the file if it is not there. kInvalidArgument when
  // the file is something else, kOverloaded when all slots are taken.
  static Result<SessionStats> open(const std::string& path, uint32_t process_id,
                                   std::string_view process_name);

  SessionStats(SessionStats&& other) noexcept;
  SessionStats& operator=(SessionStats&& other) noexcept;
  ~SessionStats();  // what was counted stays in the file

  SessionCounters& counters();
  void set_device(std::string_view name);  // cut at 92 bytes
  void set_transport(std::string_view description);

 private:
  struct Mapping;
  explicit SessionStats(Mapping* mapping) : mapping_(mapping) {}
  Mapping* mapping_;
};

// The reading side.
struct SessionStatsSnapshot {
  uint32_t process_id = 0;
  std::string process_name;
  std::string device;     // empty until connected
  std::string transport;  // empty until connected
  uint64_t calls = 0;
  uint64_t commands_sent = 0;
  uint64_t blocking_round_trips = 0;
  uint64_t bytes_sent = 0;
  uint64_t bytes_received = 0;
  uint64_t launches = 0;
};

struct SessionStatsFile {
  std::vector<SessionStatsSnapshot> processes;  // in the order in which they came
  uint32_t not_shown = 0;                       // processes that found no free slot
};

// kNotFound when there is no such file, kInvalidArgument when it is something else.
Result<SessionStatsFile> read_session_stats(const std::string& path);

}  // namespace outboard
