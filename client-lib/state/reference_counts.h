// References that a program holds to objects which the driver counts itself.
#pragma once

#include <cstdint>
#include <mutex>
#include <unordered_map>

#include "protocol/wire/handle.h"

namespace outboard::client {

// Counts what goes beyond the first reference, which every live handle has. Any thread.
class ReferenceCounts {
 public:
  // One more than those known. An object of the server's that is new here has its first.
  void add(wire::Handle handle) {
    std::lock_guard lock(mutex_);
    const auto [it, added] = beyond_first_.try_emplace(key_of(handle), 0);
    if (!added || handle.index < wire::kServerIndexBase) ++it->second;
  }
  // False: that was the last one.
  bool drop(wire::Handle handle) {
    std::lock_guard lock(mutex_);
    const auto it = beyond_first_.find(key_of(handle));
    if (it == beyond_first_.end()) return false;
    if (it->second == 0) {
      beyond_first_.erase(it);
      return false;
    }
    --it->second;
    return true;
  }

 private:
  static uint64_t key_of(wire::Handle handle) { return uint64_t{handle.generation} << 32 | handle.index; }

  std::mutex mutex_;
  std::unordered_map<uint64_t, uint64_t> beyond_first_;
};

}  // namespace outboard::client
