#include "client-lib/state/stream_activity.h"

#include <algorithm>

namespace outboard::client {

StreamActivity::Mark StreamActivity::mark(wire::Handle stream) const {
  if (stream.index == 0) return mark_of_all();
  const Mark own = counts_[stream.index % kCounts].mark();
  const Mark legacy = legacy_.mark();
  return {own.visible + legacy.visible, own.quiet + legacy.quiet};
}

StreamActivity::Mark StreamActivity::mark_of_all() const {
  const Mark legacy = legacy_.mark();
  const Mark others = others_.mark();
  return {legacy.visible + others.visible, legacy.quiet + others.quiet};
}

StreamActivity::Need StreamActivity::need(wire::Handle stream, wire::Handle context, const Mark& mark) const {
  return need(key_of_stream(stream, context), mark);
}

StreamActivity::Need StreamActivity::need_of_context(wire::Handle context, const Mark& mark) const {
  return need(key_of_context(context), mark);
}

void StreamActivity::settled(wire::Handle stream, wire::Handle context, const Mark& mark) {
  remember(key_of_stream(stream, context), mark);
}

void StreamActivity::context_settled(wire::Handle context, const Mark& mark) {
  remember(key_of_context(context), mark);
}

// A mark that another thread set meanwhile may be ahead of ours: then nothing is missing either.
StreamActivity::Need StreamActivity::need(Key key, const Mark& mark) const {
  std::lock_guard lock(mutex_);
  const auto found = settled_.find(key);
  if (found == settled_.end() || found->second.visible < mark.visible) return Need::kServer;
  return found->second.quiet < mark.quiet ? Need::kOrder : Need::kNothing;
}

void StreamActivity::remember(Key key, const Mark& mark) {
  std::lock_guard lock(mutex_);
  if (settled_.size() >= kMaxMarks) settled_.clear();
  Mark& known = settled_[key];
  known.visible = std::max(known.visible, mark.visible);
  known.quiet = std::max(known.quiet, mark.quiet);
}

}  // namespace outboard::client
