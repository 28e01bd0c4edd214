// Calls that wait for their reply.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <span>
#include <vector>

#include "protocol/abi/cuda_abi_gen.h"

namespace outboard::client {

// What came back. `body` is the reply's encoding, empty when the call failed.
struct Reply {
  CUresult result = CUDA_SUCCESS;
  std::vector<std::byte> body;
  std::vector<std::byte> bulk;  // unused when the caller named a destination
  uint64_t bulk_bytes = 0;      // how many came, wherever they went
};

// One call in flight; lives on the stack of the thread that waits.
struct PendingCall {
  uint64_t sequence = 0;
  std::span<std::byte> bulk_into;  // where bulk goes, cut if it does not fit; empty: into reply.bulk
  Reply reply;

  // For the next call, after the last one has been waited for.
  void restart() {
    reply = {};
    done = false;
  }

 private:
  friend class PendingCalls;
  PendingCall* next = nullptr;
  bool done = false;
  std::condition_variable changed;
};

// Replies come in any order. A session has as many calls in flight as it has waiting threads, so
// that a short list beats any map.
// Threads: add and wait from callers; take, complete and fail_all from the receiver.
class PendingCalls {
 public:
  // Before the command is sent. False after fail_all(): nothing will ever come.
  bool add(PendingCall& call);
  // Blocks until the call is delivered or failed.
  void wait(PendingCall& call);
  // The call with this sequence number, now off the list; null when nobody waits for it, which
  // means that the peer violates the protocol. The caller fills `reply` and completes it: the
  // waiting thread cannot leave before.
  PendingCall* take(uint64_t sequence);
  void complete(PendingCall& call);
  // Ends every call, now and in future, with this result.
  void fail_all(CUresult result);

 private:
  std::mutex mutex_;
  PendingCall* first_ = nullptr;
  bool failed_ = false;
};

}  // namespace outboard::client
