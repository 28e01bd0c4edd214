// Signals as things that can be waited for, together with descriptors.
#pragma once

#include <csignal>
#include <cstdint>

#include "protocol/base/result.h"

namespace outboard::cli {

// While one lives, the signals that `run` forwards, and SIGCHLD, are blocked in this thread and
// arrive at fd() instead. At most one per process; made before any other thread.
class SignalQueue {
 public:
  static Result<SignalQueue> open();
  SignalQueue(SignalQueue&& other) noexcept;
  SignalQueue& operator=(SignalQueue&&) = delete;
  ~SignalQueue();  // restores the mask that was there before

  int fd() const { return fd_; }  // readable when a signal waits

  struct Arrived {
    int number = 0;  // 0: none waits
    // Sent by the terminal or the kernel, so to our whole process group: the program, which is in
    // the same group, has it already.
    bool reached_group = false;
  };
  Arrived take();  // never blocks

  // For the child, between fork and exec.
  const sigset_t& mask_before() const { return before_; }

 private:
  SignalQueue() = default;
  int fd_ = -1;
  sigset_t before_{};
};

}  // namespace outboard::cli
