#include "client-lib/session/pending_calls.h"

#include <algorithm>
#include <cstring>

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

// Copies without the lock: a large reply must not hold up other threads' calls. The waiting thread
// cannot leave before `done`, and nobody else finds the call once it is off the list.
bool PendingCalls::deliver(uint64_t sequence, CUresult result, std::span<const std::byte> body,
                           std::span<const std::byte> bulk) {
  std::unique_lock lock(mutex_);
  PendingCall** link = &first_;
  while (*link != nullptr && (*link)->sequence != sequence) link = &(*link)->next;
  PendingCall* call = *link;
  if (call == nullptr) return false;
  *link = call->next;
  lock.unlock();
  call->reply.result = result;
  call->reply.body.assign(body.begin(), body.end());
  call->reply.bulk_bytes = bulk.size();
  if (call->bulk_into.empty()) {
    call->reply.bulk.assign(bulk.begin(), bulk.end());
  } else if (!bulk.empty()) {
    std::memcpy(call->bulk_into.data(), bulk.data(), std::min(bulk.size(), call->bulk_into.size()));
  }
  lock.lock();
  call->done = true;
  call->changed.notify_one();
  return true;
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
