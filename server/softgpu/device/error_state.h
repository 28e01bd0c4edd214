// The error that a context is stuck in after a kernel failed.
#pragma once

#include <atomic>
#include <mutex>
#include <string>

#include "protocol/abi/cuda_abi_gen.h"

namespace outboard::softgpu {

// Any thread. The first error stays; later ones are its consequences.
class ErrorState {
 public:
  CUresult code() const { return static_cast<CUresult>(code_.load(std::memory_order_acquire)); }
  bool failed() const { return code_.load(std::memory_order_acquire) != CUDA_SUCCESS; }

  // True if this is the first.
  bool fail(CUresult code, const std::string& message) {
    std::lock_guard lock(mutex_);
    if (failed()) return false;
    message_ = message;
    code_.store(code, std::memory_order_release);
    return true;
  }
  void clear() {
    std::lock_guard lock(mutex_);
    message_.clear();
    code_.store(CUDA_SUCCESS, std::memory_order_release);
  }
  std::string message() const {
    std::lock_guard lock(mutex_);
    return message_;
  }

 private:
  std::atomic<int> code_{CUDA_SUCCESS};
  mutable std::mutex mutex_;
  std::string message_;
};

}  // namespace outboard::softgpu
