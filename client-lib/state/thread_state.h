// What CUDA keeps per host thread: the context stack, the capture mode, the default stream of
// per-thread-default-stream builds. It stays in the client and travels as fields of commands.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "protocol/wire/handle.h"

namespace outboard::client {

struct ThreadState {
  std::vector<wire::Handle> contexts;  // back() is current; empty: none
  uint8_t capture_mode = 0;            // CUstreamCaptureMode; CUDA's default is GLOBAL
  // CU_STREAM_PER_THREAD by context index; made on first use.
  std::vector<std::pair<uint32_t, wire::Handle>> default_streams;

  wire::Handle current() const { return contexts.empty() ? wire::Handle{} : contexts.back(); }
};

// Gives every thread its own ThreadState, for any number of clients in one process.
// The state of a thread dies with the thread; `at_thread_exit` then sees it (on that thread) if the
// owner of these states still exists.
class ThreadStates {
 public:
  using AtThreadExit = std::function<void(ThreadState&)>;

  explicit ThreadStates(AtThreadExit at_thread_exit);
  ~ThreadStates();  // threads that are still alive keep a dead entry until they end
  ThreadStates(const ThreadStates&) = delete;
  ThreadStates& operator=(const ThreadStates&) = delete;

  // The calling thread's. Valid until the thread ends.
  ThreadState& mine();

 private:
  struct Owner;
  friend struct ThreadEntries;
  std::shared_ptr<Owner> owner_;
};

}  // namespace outboard::client
