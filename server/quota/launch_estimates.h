// How long launches take, as far as it is known from earlier ones: so that no more is put on a device
// than it can do before somebody else's turn.
#pragma once

#include <cstddef>
#include <cstdint>
#include <unordered_map>

namespace outboard::server {

// Times in nanoseconds. One thread at a time.
class LaunchEstimates {
 public:
  // What a kernel might take that has not run before.
  static constexpr uint64_t kUnknownNs = 200'000;
  static constexpr size_t kMostKeys = 4096;

  uint64_t of(uint64_t key) const {
    const auto found = known_.find(key);
    return found == known_.end() ? kUnknownNs : found->second;
  }
  bool knows(uint64_t key) const { return known_.count(key) != 0; }

  // One launch of this key took so long. Longer is believed at once, shorter bit by bit: an estimate
  // that is too low lets too much through.
  void note(uint64_t key, uint64_t took_ns) {
    if (known_.size() >= kMostKeys && known_.count(key) == 0) known_.clear();
    const auto [entry, first] = known_.try_emplace(key, took_ns);
    if (first) return;
    uint64_t& estimate = entry->second;
    estimate = took_ns >= estimate ? took_ns : estimate - (estimate - took_ns) / 4;
  }

 private:
  std::unordered_map<uint64_t, uint64_t> known_;
};

}  // namespace outboard::server
