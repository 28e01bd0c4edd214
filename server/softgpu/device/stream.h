// An ordered queue of work, and the points in it that others wait for.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "protocol/abi/cuda_abi_gen.h"
#include "server/softgpu/device/error_state.h"
#include "server/softgpu/device/object.h"

namespace outboard::softgpu {

class Capture;
class Context;
class Executor;
class GreenContext;
class Stream;

// One piece of work. run() is called once, on a worker thread, in stream order; an error becomes the
// context's. After the context has failed only work that says so still runs.
class Work {
 public:
  virtual ~Work() = default;
  virtual CUresult run(std::string& message) = 0;
  virtual bool runs_after_failure() const { return false; }
};

// Reached when `stream` has finished its piece of work number `sequence`.
struct Point {
  std::shared_ptr<Stream> stream;
  uint64_t sequence = 0;

  bool reached() const;
  void wait() const;
};

class Stream : public Object, public std::enable_shared_from_this<Stream> {
 public:
  static constexpr ObjectKind kKind = ObjectKind::kStream;

  // `flags` and `priority` as in cuStreamCreateWithPriority. The executor must outlive the stream.
  Stream(Executor& executor, std::shared_ptr<ErrorState> errors, std::weak_ptr<Context> context,
         unsigned flags, int priority, uint64_t id, std::shared_ptr<GreenContext> green = nullptr);

  // Queues work that starts when everything before it is done and all `after` are reached.
  Point enqueue(std::unique_ptr<Work> work, std::vector<Point> after = {});
  // The last piece queued so far.
  Point tail();
  bool idle() const {
    return completed_.load(std::memory_order_acquire) == queued_.load(std::memory_order_acquire);
  }
  bool completed(uint64_t sequence) const { return completed_.load(std::memory_order_acquire) >= sequence; }
  void wait(uint64_t sequence);

  std::shared_ptr<Context> context() const { return context_.lock(); }
  // Null unless the stream is of one.
  const std::shared_ptr<GreenContext>& green() const { return green_; }
  unsigned flags() const { return flags_; }
  int priority() const { return priority_; }
  uint64_t id() const { return id_; }
  bool blocking() const { return (flags_ & CU_STREAM_NON_BLOCKING) == 0; }

  // The capture that this stream takes part in, or null.
  std::shared_ptr<Capture> capture() const;
  void set_capture(std::shared_ptr<Capture> capture);
  bool capturing() const { return capturing_.load(std::memory_order_acquire); }

  // Called by the executor's workers only.
  void drain();

 private:
  struct Entry {
    std::unique_ptr<Work> work;
    std::vector<Point> after;
  };
  // True if `waiter` will be posted when `sequence` is completed; false if it already is.
  bool add_waiter(uint64_t sequence, const std::shared_ptr<Stream>& waiter);
  bool park_on_dependency(Entry& entry);
  void finish_one();

  Executor& executor_;
  const std::shared_ptr<ErrorState> errors_;
  const std::weak_ptr<Context> context_;
  const unsigned flags_;
  const int priority_;
  const uint64_t id_;
  const std::shared_ptr<GreenContext> green_;

  mutable std::mutex mutex_;
  std::condition_variable done_;
  std::deque<Entry> entries_;
  bool scheduled_ = false;  // a worker drains it, it is in the ready list, or it is parked
  std::atomic<uint64_t> queued_{0};
  std::atomic<uint64_t> completed_{0};
  unsigned sleepers_ = 0;  // host threads in wait()
  struct Waiter {
    uint64_t sequence;
    std::shared_ptr<Stream> stream;
  };
  std::vector<Waiter> waiters_;
  std::atomic<bool> capturing_{false};
  std::shared_ptr<Capture> capture_;
};

// Wraps a callable CUresult(std::string& message) as work.
template <typename F>
class CallableWork final : public Work {
 public:
  CallableWork(F function, bool after_failure)
      : function_(std::move(function)), after_failure_(after_failure) {}
  CUresult run(std::string& message) override { return function_(message); }
  bool runs_after_failure() const override { return after_failure_; }

 private:
  F function_;
  bool after_failure_;
};

template <typename F>
std::unique_ptr<Work> make_work(F function, bool runs_after_failure = false) {
  return std::make_unique<CallableWork<F>>(std::move(function), runs_after_failure);
}

}  // namespace outboard::softgpu
