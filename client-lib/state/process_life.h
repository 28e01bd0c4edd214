// Whether this process may still talk to the server: not after fork() in the child, not once the
// library's own end has begun. Read at the start of every call, so it is one load.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstdint>

namespace outboard::client {

enum class LifePhase : uint32_t {
  kFresh = 0,   // cuInit has not succeeded in this process
  kReady = 1,   // connected
  kEnding = 2,  // the process is exiting: calls are answered with CUDA_ERROR_DEINITIALIZED
  kForked = 3,  // child of an initialised parent: CUDA_ERROR_NOT_INITIALIZED for ever, as CUDA does
};

// The phase lives in a page that the kernel zeroes in a fork()ed child (MADV_WIPEONFORK, Linux
// 4.14), so that even a raw clone() is noticed; where the kernel lacks it, a pthread_atfork handler
// does the same job for fork().
class ProcessLife {
 public:
  ProcessLife();
  ~ProcessLife();
  ProcessLife(const ProcessLife&) = delete;
  ProcessLife& operator=(const ProcessLife&) = delete;

  bool ready() const {
    return cell_->load(std::memory_order_acquire) == static_cast<uint32_t>(LifePhase::kReady);
  }
  LifePhase phase() const;
  void set_ready();
  void set_ending();

  // What the atfork handler does in the child; public for tests.
  void forget_in_child();

 private:
  std::atomic<uint32_t>* cell_ = nullptr;  // in its own page, or &fallback_
  std::atomic<uint32_t> fallback_{0};
  std::atomic<pid_t> ready_pid_{0};  // process in which set_ready() happened, 0 before
};

}  // namespace outboard::client
