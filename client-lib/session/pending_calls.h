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
  std::span<std::byte> bulk_into;  // where bulk goes; empty: into reply.bulk
  Reply reply;

 private:
  friend class PendingCalls;
  PendingCall* next = nullptr;
  bool done = false;
  std::condition_variable changed;
};

// Replies come in any order. A session has as many calls in flight as it has waiting threads, so
// that a short list beats any map.
// Threads: add and wait from callers; deliver and fail_all from the receiver.
class PendingCalls {
 public:
  // Before the command is sent. False after fail_all(): nothing will ever come.
  bool add(PendingCall& call);
  // Blocks until the call is delivered or failed.
  void wait(PendingCall& call);
  // False when nobody waits for this sequence number: the peer violates the protocol.
  // Bulk that does not fit `bulk_into` is cut; bulk_bytes tells the caller.
  bool deliver(uint64_t sequence, CUresult result, std::span<const std::byte> body,
               std::span<const std::byte> bulk);
  // Ends every call, now and in future, with this result.
  void fail_all(CUresult result);

 private:
  std::mutex mutex_;
  PendingCall* first_ = nullptr;
  bool failed_ = false;
};

}  // namespace outboard::client
