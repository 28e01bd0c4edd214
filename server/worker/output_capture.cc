#include "server/worker/output_capture.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

namespace outboard::server {

Result<std::unique_ptr<OutputCapture>> OutputCapture::start(std::FILE* stream) {
  std::unique_ptr<OutputCapture> capture(new OutputCapture(stream));
  const int descriptor = ::fileno(stream);
  int output[2];
  if (::pipe2(output, O_CLOEXEC) != 0) {
    return fail(ErrorKind::kInternal,
                std::string("A pipe for kernels' output could not be made: ") + std::strerror(errno) + ".");
  }
  capture->read_fd_ = output[0];
  ::fcntl(output[0], F_SETFL, O_NONBLOCK);
  capture->original_fd_ = ::fcntl(descriptor, F_DUPFD_CLOEXEC, 10);
  std::fflush(stream);
  const bool replaced = ::dup2(output[1], descriptor) >= 0;
  ::close(output[1]);
  if (!replaced || ::pipe2(capture->stop_fds_, O_CLOEXEC) != 0) {
    return fail(ErrorKind::kInternal,
                std::string("A standard stream could not be replaced: ") + std::strerror(errno) + ".");
  }
  // Drivers write through stdio; what stays in its buffer would come too late.
  std::setvbuf(stream, nullptr, _IOLBF, BUFSIZ);
  capture->reader_ = std::thread([self = capture.get()] { self->drain(); });
  return capture;
}

OutputCapture::~OutputCapture() {
  if (reader_.joinable()) {
    ::close(stop_fds_[1]);
    reader_.join();
    ::close(stop_fds_[0]);
  }
  if (original_fd_ >= 0) {
    std::fflush(stream_);
    ::dup2(original_fd_, ::fileno(stream_));
    ::close(original_fd_);
  }
  if (read_fd_ >= 0) ::close(read_fd_);
}

std::string OutputCapture::take() {
  std::fflush(stream_);
  std::lock_guard lock(mutex_);
  read_all_locked();
  return std::exchange(pending_, {});
}

void OutputCapture::read_all_locked() {
  char chunk[16384];
  while (true) {
    const ssize_t got = ::read(read_fd_, chunk, sizeof chunk);
    if (got <= 0) return;
    const size_t room = kMaxBytes - pending_.size();
    pending_.append(chunk, std::min(static_cast<size_t>(got), room));
  }
}

// Keeps the pipe from filling up between two synchronisations.
void OutputCapture::drain() {
  while (true) {
    pollfd waiting[2] = {{read_fd_, POLLIN, 0}, {stop_fds_[0], POLLIN, 0}};
    if (::poll(waiting, 2, -1) < 0 && errno != EINTR) return;
    if (waiting[1].revents != 0) return;
    std::lock_guard lock(mutex_);
    read_all_locked();
  }
}

}  // namespace outboard::server
