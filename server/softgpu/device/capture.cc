#include <algorithm>
#include <set>

#include "server/softgpu/device/capture_list.h"
#include "server/softgpu/device/graph.h"

namespace outboard::softgpu {

void CaptureList::add(const std::shared_ptr<Capture>& capture) {
  std::lock_guard lock(mutex_);
  std::erase_if(captures_, [](const auto& other) { return other.expired(); });
  captures_.push_back(capture);
  count_.store(captures_.size(), std::memory_order_release);
}

void CaptureList::remove(const Capture& capture) {
  std::lock_guard lock(mutex_);
  std::erase_if(captures_, [&](const auto& other) {
    const auto locked = other.lock();
    return locked == nullptr || locked.get() == &capture;
  });
  count_.store(captures_.size(), std::memory_order_release);
}

CUresult CaptureList::check(CUstreamCaptureMode thread_mode) {
  if (!any() || thread_mode == CU_STREAM_CAPTURE_MODE_RELAXED) return CUDA_SUCCESS;
  CUresult result = CUDA_SUCCESS;
  std::lock_guard lock(mutex_);
  for (const auto& each : captures_) {
    const auto capture = each.lock();
    if (capture == nullptr) continue;
    const bool mine = capture->thread() == std::this_thread::get_id();
    const bool forbids = mine ? capture->mode() != CU_STREAM_CAPTURE_MODE_RELAXED
                              : thread_mode == CU_STREAM_CAPTURE_MODE_GLOBAL &&
                                    capture->mode() == CU_STREAM_CAPTURE_MODE_GLOBAL;
    if (!forbids) continue;
    capture->invalidate();
    result = CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
  }
  return result;
}

Capture::Member* Capture::member_locked(const Stream& stream) {
  const auto it = std::find_if(members_.begin(), members_.end(),
                               [&](const Member& m) { return m.stream.get() == &stream; });
  return it == members_.end() ? nullptr : &*it;
}

void Capture::join(const std::shared_ptr<Stream>& stream, const NodeList& nodes) {
  {
    std::lock_guard lock(mutex_);
    Member* member = member_locked(*stream);
    if (member == nullptr) {
      members_.push_back({stream, {}});
      member = &members_.back();
    }
    for (const auto& node : nodes) {
      if (std::find(member->position.begin(), member->position.end(), node) == member->position.end()) {
        member->position.push_back(node);
      }
    }
  }
  if (stream->capture() == nullptr) stream->set_capture(origin_->capture());
}

NodeList Capture::position(const Stream& stream) {
  std::lock_guard lock(mutex_);
  const Member* member = member_locked(stream);
  return member == nullptr ? NodeList{} : member->position;
}

void Capture::set_position(const Stream& stream, NodeList nodes, bool append) {
  std::lock_guard lock(mutex_);
  Member* member = member_locked(stream);
  if (member == nullptr) return;
  if (!append) member->position.clear();
  for (auto& node : nodes) {
    if (std::find(member->position.begin(), member->position.end(), node) == member->position.end()) {
      member->position.push_back(std::move(node));
    }
  }
}

CUresult Capture::add(Stream& stream, Operation operation) {
  if (invalidated()) return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
  std::lock_guard lock(mutex_);
  Member* member = member_locked(stream);
  if (member == nullptr) return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
  std::vector<GraphNode*> dependencies;
  for (const auto& node : member->position) dependencies.push_back(node.get());
  member->position = {graph_->add(std::move(operation), dependencies)};
  return CUDA_SUCCESS;
}

CUresult Capture::end() {
  std::vector<Member> members;
  {
    std::lock_guard lock(mutex_);
    members.swap(members_);
  }
  for (const Member& member : members) member.stream->set_capture(nullptr);
  if (invalidated()) return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
  // Everything that the origin's last nodes depend on has been joined.
  std::set<const GraphNode*> joined;
  std::vector<const GraphNode*> pending;
  for (const Member& member : members) {
    if (member.stream != origin_) continue;
    for (const auto& node : member.position) pending.push_back(node.get());
  }
  while (!pending.empty()) {
    const GraphNode* node = pending.back();
    pending.pop_back();
    if (!joined.insert(node).second) continue;
    pending.insert(pending.end(), node->dependencies.begin(), node->dependencies.end());
  }
  for (const Member& member : members) {
    for (const auto& node : member.position) {
      if (joined.count(node.get()) == 0) return CUDA_ERROR_STREAM_CAPTURE_UNJOINED;
    }
  }
  return CUDA_SUCCESS;
}

}  // namespace outboard::softgpu
