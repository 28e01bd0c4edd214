// The captures that are in progress: calls that could interfere with one have to ask.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "protocol/abi/cuda_abi_gen.h"

namespace outboard::softgpu {

class Capture;

// Threads: all members from any thread.
class CaptureList {
 public:
  bool any() const { return count_.load(std::memory_order_acquire) != 0; }
  void add(const std::shared_ptr<Capture>& capture);
  void remove(const Capture& capture);

  // What a call has to return that a capture forbids the calling thread, whose mode this is: captures
  // of its own forbid it unless they are relaxed, those of other threads if they are global. They are
  // spoilt.
  CUresult check(CUstreamCaptureMode thread_mode);

 private:
  std::mutex mutex_;
  std::vector<std::weak_ptr<Capture>> captures_;
  std::atomic<size_t> count_{0};
};

}  // namespace outboard::softgpu
