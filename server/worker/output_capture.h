// What kernels print: drivers write it to the process's standard output, from where it is taken to
// the client.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "protocol/base/result.h"

namespace outboard::server {

// Replaces descriptor 1 of this process for good.
class OutputCapture {
 public:
  // More than this is dropped until it is taken: a kernel that prints without end must not fill the
  // server's memory, and a full pipe would block the driver.
  static constexpr size_t kMaxBytes = 4 << 20;

  static Result<std::unique_ptr<OutputCapture>> start();
  ~OutputCapture();

  // Everything that was printed before the call and not taken yet. Any thread.
  std::string take();

 private:
  OutputCapture() = default;
  void drain();
  void read_all_locked();

  int read_fd_ = -1;
  int original_fd_ = -1;
  int stop_fds_[2] = {-1, -1};
  std::mutex mutex_;
  std::string pending_;
  std::thread reader_;
};

}  // namespace outboard::server
