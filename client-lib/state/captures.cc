#include "client-lib/state/captures.h"

#include <algorithm>

namespace outboard::client {

void Captures::begin(wire::Handle stream, wire::Handle context, CUstreamCaptureMode mode, bool into_graph) {
  std::lock_guard lock(mutex_);
  captures_.push_back({stream, context, mode, into_graph, true, std::this_thread::get_id()});
  count_.store(captures_.size(), std::memory_order_release);
}

bool Captures::may_end(wire::Handle stream) const {
  std::lock_guard lock(mutex_);
  return std::none_of(captures_.begin(), captures_.end(), [&](const Capture& c) {
    return c.stream == stream && c.mode != CU_STREAM_CAPTURE_MODE_RELAXED &&
           c.thread != std::this_thread::get_id();
  });
}

bool Captures::into_graph(wire::Handle stream) const {
  std::lock_guard lock(mutex_);
  return std::any_of(captures_.begin(), captures_.end(),
                     [&](const Capture& c) { return c.stream == stream && c.into_graph; });
}

void Captures::end(wire::Handle stream) {
  std::lock_guard lock(mutex_);
  std::erase_if(captures_, [&](const Capture& c) { return c.stream == stream; });
  count_.store(captures_.size(), std::memory_order_release);
}

bool Captures::sure(wire::Handle stream) const {
  std::lock_guard lock(mutex_);
  return std::any_of(captures_.begin(), captures_.end(),
                     [&](const Capture& c) { return c.stream == stream && c.in_order; });
}

void Captures::doubt() {
  std::lock_guard lock(mutex_);
  for (Capture& capture : captures_) capture.in_order = false;
}

std::vector<Captures::Spoilt> Captures::forbidding(CUstreamCaptureMode thread_mode) const {
  std::vector<Spoilt> spoilt;
  if (thread_mode == CU_STREAM_CAPTURE_MODE_RELAXED) return spoilt;
  std::lock_guard lock(mutex_);
  for (const Capture& c : captures_) {
    const bool mine = c.thread == std::this_thread::get_id();
    const bool forbids =
        mine ? c.mode != CU_STREAM_CAPTURE_MODE_RELAXED
             : thread_mode == CU_STREAM_CAPTURE_MODE_GLOBAL && c.mode == CU_STREAM_CAPTURE_MODE_GLOBAL;
    if (forbids) spoilt.push_back({c.stream, c.context});
  }
  return spoilt;
}

}  // namespace outboard::client
