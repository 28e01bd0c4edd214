// Which streams may still be at work, as far as the client can tell: from what it sent and what it has
// waited for since. While none is, host and device cannot touch the same memory at the same time.
#pragma once

#include <algorithm>
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "protocol/wire/handle.h"

namespace outboard::client {

// Threads: one at a time.
class DeviceWork {
 public:
  bool busy() const { return !streams_.empty(); }
  // Everything submitted up to now has a number that is not above this one. Taken before a wait is
  // sent: what other threads submit meanwhile is not waited for.
  uint64_t mark() const { return last_; }

  void submitted(wire::Handle stream) {
    ++last_;
    const uint64_t key = key_of(stream);
    for (Stream& known : streams_) {
      if (known.key != key) continue;
      known.last = last_;
      return;
    }
    streams_.push_back({key, last_});
  }
  void recorded(wire::Handle event, wire::Handle stream) {
    if (busy()) events_.insert_or_assign(bits(event), Stream{key_of(stream), last_});
  }

  void stream_done(wire::Handle stream, uint64_t mark) { done(key_of(stream), mark); }
  void event_done(wire::Handle event) {
    const auto it = events_.find(bits(event));
    if (it == events_.end()) return;
    done(it->second.key, it->second.last);
  }
  void all_done(uint64_t mark) {
    std::erase_if(streams_, [mark](const Stream& stream) { return stream.last <= mark; });
    if (!busy()) events_.clear();
  }

 private:
  struct Stream {
    uint64_t key = 0;
    uint64_t last = 0;  // number of its last submission
  };

  static uint64_t bits(wire::Handle handle) { return uint64_t{handle.generation} << 32 | handle.index; }
  // NULL and CU_STREAM_LEGACY are one stream.
  static uint64_t key_of(wire::Handle stream) { return stream.index == 0 ? 0 : bits(stream); }
  void done(uint64_t key, uint64_t mark) {
    std::erase_if(streams_, [&](const Stream& stream) { return stream.key == key && stream.last <= mark; });
    if (!busy()) events_.clear();
  }

  uint64_t last_ = 0;
  std::vector<Stream> streams_;  // those at work: a handful
  std::unordered_map<uint64_t, Stream> events_;
};

}  // namespace outboard::client
