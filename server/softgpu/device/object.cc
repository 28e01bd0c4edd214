#include "server/softgpu/device/object.h"

#include <mutex>
#include <new>

#include "server/softgpu/device/limits.h"

namespace outboard::softgpu {

uint64_t HandleTable::add_object(ObjectKind kind, std::shared_ptr<Object> object) {
  std::unique_lock lock(mutex_);
  uint32_t index = 0;
  if (free_.empty()) {
    if (slots_.size() == kMaxObjects) throw std::bad_alloc();
    index = static_cast<uint32_t>(slots_.size());
    slots_.emplace_back();
  } else {
    index = free_.front();
    free_.pop_front();
  }
  Slot& slot = slots_[index];
  ++slot.generation;
  slot.kind = kind;
  object->handle_ = uint64_t{static_cast<uint8_t>(kind)} << 48 | uint64_t{slot.generation} << 32 | index;
  slot.object = std::move(object);
  return slot.object->handle_;
}

const HandleTable::Slot* HandleTable::slot_locked(ObjectKind kind, uint64_t handle) const {
  const auto index = static_cast<uint32_t>(handle);
  if (index >= slots_.size() || handle >> 56 != 0 || kind_of(handle) != kind) return nullptr;
  const Slot& slot = slots_[index];
  if (slot.kind != kind || slot.generation != static_cast<uint16_t>(handle >> 32)) return nullptr;
  return &slot;
}

std::shared_ptr<Object> HandleTable::find_object(ObjectKind kind, uint64_t handle) const {
  std::shared_lock lock(mutex_);
  const Slot* slot = slot_locked(kind, handle);
  return slot == nullptr ? nullptr : slot->object;
}

std::shared_ptr<Object> HandleTable::remove_object(ObjectKind kind, uint64_t handle) {
  std::unique_lock lock(mutex_);
  if (slot_locked(kind, handle) == nullptr) return nullptr;
  const auto index = static_cast<uint32_t>(handle);
  Slot& slot = slots_[index];
  slot.kind = ObjectKind::kNone;
  free_.push_back(index);
  return std::move(slot.object);
}

std::vector<std::shared_ptr<Object>> HandleTable::all_objects(ObjectKind kind) const {
  std::shared_lock lock(mutex_);
  std::vector<std::shared_ptr<Object>> found;
  for (const Slot& slot : slots_) {
    if (slot.kind == kind) found.push_back(slot.object);
  }
  return found;
}

}  // namespace outboard::softgpu
