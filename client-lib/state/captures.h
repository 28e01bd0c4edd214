// Captures of streams that the application has begun, with the thread and mode that decide who may do
// what meanwhile. The server's threads are not the application's, so this cannot be left to the driver.
#pragma once

#include <atomic>
#include <mutex>
#include <thread>
#include <vector>

#include "protocol/abi/cuda_abi_gen.h"
#include "protocol/wire/handle.h"

namespace outboard::client {

// Threads: all members from any thread.
class Captures {
 public:
  // Whether any stream captures. Cheap.
  bool any() const { return count_.load(std::memory_order_acquire) != 0; }

  void begin(wire::Handle stream, wire::Handle context, CUstreamCaptureMode mode, bool into_graph);
  // The mode and thread of a capture that began in this stream allow the calling thread to end it.
  bool may_end(wire::Handle stream) const;
  // The application gave the graph, and need not ask for it at the end.
  bool into_graph(wire::Handle stream) const;
  void end(wire::Handle stream);

  // Whether a capture that is in order began in this stream.
  bool sure(wire::Handle stream) const;
  // A capture may have been spoilt; which one, only the server knows.
  void doubt();

  struct Spoilt {
    wire::Handle stream;
    wire::Handle context;
  };
  // The captures that forbid the calling thread, whose mode this is, what could interfere with a
  // capture: its own unless begun as relaxed, and those of others that were begun as global.
  std::vector<Spoilt> forbidding(CUstreamCaptureMode thread_mode) const;

 private:
  struct Capture {
    wire::Handle stream;
    wire::Handle context;
    CUstreamCaptureMode mode;
    bool into_graph;
    bool in_order;
    std::thread::id thread;
  };
  mutable std::mutex mutex_;
  std::vector<Capture> captures_;
  std::atomic<size_t> count_{0};
};

}  // namespace outboard::client
