// Threads of a guest library take no signals but those of their own faults: the application's handlers
// may use thread-local state, or expect to interrupt the application's own calls.
#pragma once

#include <pthread.h>
#include <signal.h>

namespace outboard::client {

// A thread inherits the mask of its creator: keep one of these alive while starting it.
class AllSignalsBlocked {
 public:
  AllSignalsBlocked() {
    sigset_t all;
    sigfillset(&all);
    // A thread's own faults cannot wait, and one of these may be a page that is to be fetched.
    sigdelset(&all, SIGSEGV);
    sigdelset(&all, SIGBUS);
    pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~AllSignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  AllSignalsBlocked(const AllSignalsBlocked&) = delete;
  AllSignalsBlocked& operator=(const AllSignalsBlocked&) = delete;

 private:
  sigset_t before_;
};

}  // namespace outboard::client
