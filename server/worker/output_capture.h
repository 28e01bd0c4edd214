// What kernels print, and what the driver says of kernels that fail: drivers write it to the process's
// standard output and standard error, from where it is taken to the client.
#pragma once

#include <cstdio>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "protocol/base/result.h"

namespace outboard::server {

// Replaces the descriptor of a stream of this process for good.
class OutputCapture {
 public:
  // More than this is dropped until it is taken: a kernel that prints without end must not fill the
  // server's memory, and a full pipe would block the driver.
  static constexpr size_t kMaxBytes = 4 << 20;

  // stdout or stderr. Whoever else writes there has to use another descriptor from then on.
  static Result<std::unique_ptr<OutputCapture>> start(std::FILE* stream);
  ~OutputCapture();

  // Everything that was written before the call and not taken yet. Any thread.
  std::string take();

 private:
  explicit OutputCapture(std::FILE* stream) : stream_(stream) {}
  void drain();
  void read_all_locked();

  std::FILE* const stream_;
  int read_fd_ = -1;
  int original_fd_ = -1;
  int stop_fds_[2] = {-1, -1};
  std::mutex mutex_;
  std::string pending_;
  std::thread reader_;
};

}  // namespace outboard::server
