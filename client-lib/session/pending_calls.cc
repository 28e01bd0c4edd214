#include "client-lib/session/pending_calls.h"

namespace outboard::client {

bool PendingCalls::add(PendingCall& call) {
  std::lock_guard lock(mutex_);
  if (failed_) return false;
  call.next = first_;
  first_ = &call;
  return true;
}

void PendingCalls::wait(PendingCall& call) {
  std::unique_lock lock(mutex_);
  call.changed.wait(lock, [&call] { return call.done; });
}

PendingCall* PendingCalls::take(uint64_t sequence) {
  std::lock_guard lock(mutex_);
  PendingCall** link = &first_;
  while (*link != nullptr && (*link)->sequence != sequence) link = &(*link)->next;
  PendingCall* call = *link;
  if (call != nullptr) *link = call->next;
  return call;
}

// Notifies under the lock: once it is free, the waiting thread may take its stack frame away.
void PendingCalls::complete(PendingCall& call) {
  std::lock_guard lock(mutex_);
  call.done = true;
  call.changed.notify_one();
}

void PendingCalls::fail_all(CUresult result) {
  std::lock_guard lock(mutex_);
  failed_ = true;
  while (first_ != nullptr) {
    PendingCall* call = first_;
    first_ = call->next;
    call->reply.result = result;
    call->done = true;
    call->changed.notify_one();
  }
}

}  // namespace outboard::client
