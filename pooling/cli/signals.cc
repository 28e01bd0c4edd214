#include "pooling/cli/signals.h"

#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace outboard::cli {
namespace {

// Those that ask a program for something. SIGTSTP is left alone: stopping ourselves along with the
// program is what a shell's job control expects.
constexpr int kQueued[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGWINCH, SIGCHLD};

}  // namespace

Result<SignalQueue> SignalQueue::open() {
  sigset_t set;
  sigemptyset(&set);
  for (int number : kQueued) sigaddset(&set, number);
  SignalQueue queue;
  queue.fd_ = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
  if (queue.fd_ < 0)
    return fail(ErrorKind::kInternal, std::string("signalfd failed: ") + std::strerror(errno) + ".");
  pthread_sigmask(SIG_BLOCK, &set, &queue.before_);
  return queue;
}

SignalQueue::SignalQueue(SignalQueue&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), before_(other.before_) {}

SignalQueue::~SignalQueue() {
  if (fd_ < 0) return;
  while (take().number != 0) {
  }
  close(fd_);
  pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

SignalQueue::Arrived SignalQueue::take() {
  signalfd_siginfo info{};
  if (read(fd_, &info, sizeof info) != static_cast<ssize_t>(sizeof info)) return {};
  return {static_cast<int>(info.ssi_signo), info.ssi_code == SI_KERNEL};
}

}  // namespace outboard::cli
