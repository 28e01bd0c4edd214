// What the connection has shown of itself: how long a question takes, and how fast much data goes.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

namespace outboard::client {

// Threads: note_send() from one at a time, the rest from any.
class LinkEstimate {
 public:
  // Shorter sends say more of buffers than of the link.
  static constexpr uint64_t kTellingBytes = 1024 * 1024;
  // How fast a server reads and checks what it has kept (measured: 2 to 3 GB/s from the page cache of an
  // AMD EPYC; half of that to be safe). A link that is faster carries the data sooner than they are found.
  static constexpr double kKeptBytesPerNanosecond = 1.0;

  void note_send(uint64_t bytes, std::chrono::nanoseconds took) {
    if (bytes < kTellingBytes) return;
    // The newest quarter of a gibibyte counts most.
    const bool much = sent_bytes_.load(std::memory_order_relaxed) > 256 * kTellingBytes;
    const auto add = [&](std::atomic<uint64_t>& sum, uint64_t more) {
      const uint64_t before = sum.load(std::memory_order_relaxed);
      sum.store((much ? before / 2 : before) + more, std::memory_order_relaxed);
    };
    add(sent_bytes_, bytes);
    add(sent_nanoseconds_, static_cast<uint64_t>(took.count()));
  }

  // Of a call from its sending to its reply. The shortest is little more than the round trip.
  void note_wait(std::chrono::nanoseconds took) {
    auto known = shortest_wait_.load(std::memory_order_relaxed);
    while (took.count() < known &&
           !shortest_wait_.compare_exchange_weak(known, took.count(), std::memory_order_relaxed)) {
    }
  }

  // Whether to ask first if the server has these data is cheaper than to send them, should it have them.
  bool worth_asking(uint64_t bytes) const {
    const auto took = static_cast<double>(sent_nanoseconds_.load(std::memory_order_relaxed));
    const auto sent = static_cast<double>(sent_bytes_.load(std::memory_order_relaxed));
    const bool known = sent > 0 && took > 0;
    if (known && sent >= kKeptBytesPerNanosecond * took) return false;
    const double sending = static_cast<double>(bytes) * (known ? took / sent : 1 / kKeptBytesPerNanosecond);
    const int64_t asking = shortest_wait_.load(std::memory_order_relaxed);
    return asking == INT64_MAX || sending >= static_cast<double>(asking);
  }

 private:
  std::atomic<uint64_t> sent_bytes_{0};
  std::atomic<uint64_t> sent_nanoseconds_{0};
  std::atomic<int64_t> shortest_wait_{INT64_MAX};
};

}  // namespace outboard::client
