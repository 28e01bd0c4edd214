// What all processes that use one software device must agree on: memory in use, who uses it, and how
// busy it is. A small file in shared memory; processes of one user share a device.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "protocol/base/clock.h"
#include "protocol/base/result.h"

namespace outboard::softgpu {

struct ProcessUse {
  int pid = 0;
  uint64_t used_bytes = 0;
};

// One per process and device. Any thread. Processes that died without a word are found by their pid
// and start time, and what they held is free again.
class SharedState {
 public:
  static constexpr uint32_t kMaxProcesses = 256;

  // Opens or creates `folder`/outboard-softgpu-<uid>-<ordinal>. When that is not possible, or the
  // folder is empty, the state is this process's own and `shared()` is false.
  static std::unique_ptr<SharedState> open(const std::string& folder, uint32_t ordinal);
  ~SharedState();
  SharedState(const SharedState&) = delete;
  SharedState& operator=(const SharedState&) = delete;

  // Takes a place among the processes. False when kMaxProcesses have one.
  bool attach();
  bool shared() const { return shared_; }

  // Adds to what this process uses, unless all processes together would use more than
  // `limit_bytes`: then nothing changes and it returns false.
  bool reserve(uint64_t bytes, uint64_t limit_bytes);
  void release(uint64_t bytes);
  uint64_t used_bytes() const;  // by all living processes
  uint64_t own_used_bytes() const;
  std::vector<ProcessUse> processes() const;

  // Brackets a kernel's execution, for utilisation. `now_ns` is CLOCK_MONOTONIC.
  void begin_busy(uint64_t now_ns);
  void end_busy(uint64_t now_ns);
  // Share of the last second in which any kernel ran, 0 to 100; processes' shares are added up.
  unsigned utilisation_percent(uint64_t now_ns) const;

 private:
  struct Bucket;
  struct Slot;
  struct File;
  SharedState(File* file, bool shared);
  void reap() const;
  void account_locked(uint64_t begin_ns, uint64_t end_ns);
  static bool alive(const Slot& slot);

  File* file_;
  bool shared_;
  Slot* own_ = nullptr;
  mutable std::mutex mutex_;  // guards this process's busy bookkeeping
  unsigned running_ = 0;
};

}  // namespace outboard::softgpu
