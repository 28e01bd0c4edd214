// What the client knows about work that may still be under way, so that waiting for a stream that
// cannot have any costs no round trip.
//
// Commands are of three sorts. Visible ones do something whose end the program can observe (a
// kernel, a graph, a callback). Quiet ones have nothing to show but an order (a copy to the device,
// whose source was read before the call returned). The rest, queries for example, are no work. Each
// is noted after it was appended to the session's command stream; a thread that waits takes a mark
// before it asks the server. So whatever a mark counts is before the answer in the stream, and once
// the server has said that a stream is idle, everything up to the mark is done.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>
#include <unordered_map>

#include "protocol/wire/handle.h"

namespace outboard::client {

// Threads: all members from any thread. Noting takes no lock.
class StreamActivity {
 public:
  // A moment: how much work was known that a wait for the stream has to wait for.
  struct Mark {
    uint64_t visible = 0;
    uint64_t quiet = 0;
    friend bool operator==(const Mark&, const Mark&) = default;
  };
  // What a wait needs.
  enum class Need {
    kNothing,  // the stream is known to be idle
    kOrder,    // what comes later must wait for the stream's quiet work, the caller need not
    kServer,   // only the server knows
  };

  // `stream` as it travels: index 0 for the legacy default stream, whose work all blocking streams
  // wait for and which waits for theirs.
  void note_visible(wire::Handle stream) { note(stream, &Counts::visible); }
  void note_quiet(wire::Handle stream) { note(stream, &Counts::quiet); }
  // Work of a stream that is not known.
  void note_anywhere() { legacy_.visible.fetch_add(1, std::memory_order_relaxed); }

  // `context` tells the legacy streams of several contexts apart.
  Mark mark(wire::Handle stream) const;
  Need need(wire::Handle stream, wire::Handle context, const Mark& mark) const;
  // The stream has done, or ordered before everything to come, all that `mark` counts.
  void settled(wire::Handle stream, wire::Handle context, const Mark& mark);

  // The same for all of a context's streams together.
  Mark mark_of_all() const;
  Need need_of_context(wire::Handle context, const Mark& mark) const;
  void context_settled(wire::Handle context, const Mark& mark);

 private:
  struct Counts {
    std::atomic<uint64_t> visible{0};
    std::atomic<uint64_t> quiet{0};
    Mark mark() const {
      return {visible.load(std::memory_order_relaxed), quiet.load(std::memory_order_relaxed)};
    }
  };
  // Streams share counts when there are more of them than this, and then wait needlessly at times.
  static constexpr size_t kCounts = 256;
  // Forgetting a mark costs one round trip. Each is of some 50 bytes.
  static constexpr size_t kMaxMarks = 4096;

  using Key = uint64_t;
  static Key key_of_stream(wire::Handle stream, wire::Handle context) {
    return stream.index == 0 ? key_of_context(context) | 1
                             : uint64_t{stream.index} << 32 | stream.generation << 2;
  }
  static Key key_of_context(wire::Handle context) {
    return uint64_t{context.index} << 32 | context.generation << 2 | 2;
  }
  Counts& counts_of(wire::Handle stream) {
    return stream.index == 0 ? legacy_ : counts_[stream.index % kCounts];
  }
  void note(wire::Handle stream, std::atomic<uint64_t> Counts::* which) {
    // In this order: what mark_of_all() misses, a stream's own mark misses as well.
    (counts_of(stream).*which).fetch_add(1, std::memory_order_relaxed);
    if (stream.index != 0) (others_.*which).fetch_add(1, std::memory_order_relaxed);
  }
  Need need(Key key, const Mark& mark) const;
  void remember(Key key, const Mark& mark);

  Counts legacy_;  // the legacy streams' work, and work of unknown streams
  Counts others_;  // the sum of counts_
  std::array<Counts, kCounts> counts_;
  mutable std::mutex mutex_;
  std::unordered_map<Key, Mark> settled_;
};

}  // namespace outboard::client
