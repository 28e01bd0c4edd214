// A point in a stream with the time at which it was reached.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "server/softgpu/device/interprocess.h"
#include "server/softgpu/device/object.h"
#include "server/softgpu/device/stream.h"

namespace outboard::softgpu {

class GraphNode;

// One recording. Recording an event again makes another, so that who waits for the first still does.
struct EventRecord {
  Point point;
  std::shared_ptr<std::atomic<uint64_t>> time_ns;  // CLOCK_MONOTONIC; 0 until reached
  // An event that processes share: number of the recording, which is another process's if `foreign` is set.
  std::shared_ptr<SharedEvent> foreign;
  uint32_t number = 0;

  bool reached() const { return foreign != nullptr ? foreign->reached(number) : point.reached(); }
  void wait() const {
    if (foreign != nullptr) {
      foreign->wait(number);
    } else {
      point.wait();
    }
  }
};

// What an event means inside a capture: the nodes that a stream which waits for it will follow.
struct CapturedEvent {
  std::shared_ptr<Capture> capture;
  std::vector<std::shared_ptr<GraphNode>> nodes;
};

class Event : public Object {
 public:
  static constexpr ObjectKind kKind = ObjectKind::kEvent;

  Event(unsigned flags, uint64_t context, std::shared_ptr<SharedEvent> shared = nullptr)
      : flags_(flags), context_(context), shared_(std::move(shared)) {}

  unsigned flags() const { return flags_; }
  bool timed() const { return (flags_ & CU_EVENT_DISABLE_TIMING) == 0; }
  uint64_t context() const { return context_; }
  // Null unless other processes can know the event.
  const std::shared_ptr<SharedEvent>& shared() const { return shared_; }

  void set_record(EventRecord record) {
    std::lock_guard lock(mutex_);
    record_ = std::move(record);
    captured_ = {};
  }
  // An event never recorded has a null stream in its point, which counts as reached.
  EventRecord record() const {
    std::lock_guard lock(mutex_);
    if (shared_ == nullptr) return record_;
    const uint32_t last = shared_->recorded();
    return last == record_.number ? record_ : EventRecord{{}, nullptr, shared_, last};
  }
  void set_captured(CapturedEvent captured) {
    std::lock_guard lock(mutex_);
    captured_ = std::move(captured);
  }
  CapturedEvent captured() const {
    std::lock_guard lock(mutex_);
    return captured_;
  }

 private:
  const unsigned flags_;
  const uint64_t context_;
  const std::shared_ptr<SharedEvent> shared_;
  mutable std::mutex mutex_;
  EventRecord record_;
  CapturedEvent captured_;
};

}  // namespace outboard::softgpu
