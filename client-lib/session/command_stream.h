// The one ordered stream of a session's commands: every thread's calls are appended to it, so that
// what happened before in the program happens before on the device.
//
// When does a batch leave? A call that waits sends at once. Commands nobody waits for are sent at
// once when the link is idle (all that was sent is acknowledged); else they gather until the
// acknowledgement arrives or kFlushBytes are there. There are no timers: under load the batches
// grow by themselves, without load nothing is delayed.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <span>

#include "client-lib/session/command_batch.h"
#include "client-lib/session/pending_calls.h"
#include "protocol/base/result.h"

namespace outboard::client {

// Threads: all members from any thread, but run_background on one only.
class CommandStream {
 public:
  static constexpr size_t kFlushBytes = 64 * 1024;
  // A poster waits when this much has gathered behind a send in progress.
  static constexpr size_t kMaxOpenBytes = 1024 * 1024;
  // Bulk data up to this size is copied into the batch; larger data is sent from where it lies,
  // by the thread that issues it, before the call returns.
  static constexpr size_t kCopiedBulkBytes = 32 * 1024;

  // Puts a batch on the wire, its own bulk first, then `more_bulk`. Never called twice at a time.
  using SendBatch = std::function<Status(const CommandBatch& batch, std::span<const std::byte> more_bulk)>;
  // Told once, without the lock, when a send failed.
  using OnFailure = std::function<void(const Error&)>;

  CommandStream(SendBatch send, OnFailure on_failure);

  // Appends a command that nobody waits for. False when the stream is closed.
  template <typename Request>
  bool post(const CommandScope& scope, const Request& request);
  // The same with data, which the caller may reuse afterwards.
  template <typename Request>
  bool post(const CommandScope& scope, const Request& request, std::span<const std::byte> bulk);

  // Appends a command and registers `call` for its reply; the caller then waits for it.
  template <typename Request>
  bool call(const CommandScope& scope, const Request& request, PendingCalls& pending, PendingCall& call,
            std::span<const std::byte> bulk = {});

  // Sends what has gathered, if nobody is sending already. False when the stream is closed.
  bool flush();

  // At process exit: sends what has gathered and then `last` if no other thread is in the way, and
  // closes the stream. False when somebody was.
  bool try_send_last(const std::function<Status()>& last);

  // The peer has processed everything up to this sequence number.
  void acknowledge(uint64_t sequence);

  // Sends what an acknowledgement has made due, until close(). The thread that receives must never
  // send itself: both sides could then wait for each other's full buffers.
  void run_background();

  // Every thread inside returns false, now and in future.
  void close();

  uint64_t last_sent() const { return last_sent_.load(std::memory_order_relaxed); }

 private:
  using Lock = std::unique_lock<std::mutex>;

  bool wait_for_room(Lock& lock);
  bool wait_for_turn(Lock& lock);
  void after_post(Lock& lock);
  bool send_open(Lock& lock, std::span<const std::byte> more_bulk);
  bool idle() const { return acknowledged_ >= last_sent_.load(std::memory_order_relaxed); }

  const SendBatch send_;
  const OnFailure on_failure_;

  std::mutex mutex_;
  std::condition_variable turn_;        // `sending_` ended
  std::condition_variable background_;  // `due_` or closed
  CommandBatch open_;                   // gathers
  CommandBatch flying_;                 // belongs to the thread that sends
  bool sending_ = false;
  bool urgent_ = false;  // somebody waits for something in open_
  bool due_ = false;     // for run_background
  bool closed_ = false;
  uint64_t acknowledged_ = 0;
  std::atomic<uint64_t> last_sent_{0};
};

template <typename Request>
bool CommandStream::post(const CommandScope& scope, const Request& request) {
  Lock lock(mutex_);
  if (!wait_for_room(lock)) return false;
  open_.append(scope, false, request, 0);
  after_post(lock);
  return true;
}

template <typename Request>
bool CommandStream::post(const CommandScope& scope, const Request& request, std::span<const std::byte> bulk) {
  Lock lock(mutex_);
  if (bulk.size() > kCopiedBulkBytes) {
    if (!wait_for_turn(lock)) return false;
    open_.append(scope, false, request, bulk.size());
    return send_open(lock, bulk);
  }
  if (!wait_for_room(lock)) return false;
  open_.append(scope, false, request, bulk.size());
  open_.add_bulk(bulk);
  after_post(lock);
  return true;
}

template <typename Request>
bool CommandStream::call(const CommandScope& scope, const Request& request, PendingCalls& pending,
                         PendingCall& call, std::span<const std::byte> bulk) {
  Lock lock(mutex_);
  const bool large = bulk.size() > kCopiedBulkBytes;
  if (!(large ? wait_for_turn(lock) : wait_for_room(lock))) return false;
  call.sequence = open_.next_sequence();
  if (!pending.add(call)) return false;
  open_.append(scope, true, request, bulk.size());
  if (!large) open_.add_bulk(bulk);
  if (sending_) {
    urgent_ = true;
    return true;
  }
  // A failed send ends the session, which ends the call: the caller may wait in any case.
  (void)send_open(lock, large ? bulk : std::span<const std::byte>{});
  return true;
}

}  // namespace outboard::client
