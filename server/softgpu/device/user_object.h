// Objects of the application that graphs keep alive.
#pragma once

#include <memory>
#include <mutex>
#include <utility>

#include "protocol/abi/cuda_abi_gen.h"
#include "server/softgpu/device/object.h"

namespace outboard::softgpu {

// Destroyed when its last reference is released; references are counted, not owned one by one.
class UserObject : public Object {
 public:
  static constexpr ObjectKind kKind = ObjectKind::kUserObject;

  UserObject(HandleTable& handles, void* pointer, CUhostFn destroy, unsigned count)
      : handles_(handles), pointer_(pointer), destroy_(destroy), count_(count) {}

  void retain(unsigned count) {
    std::lock_guard lock(mutex_);
    count_ += count;
  }
  void release(unsigned count) {
    {
      std::lock_guard lock(mutex_);
      if (count_ == 0) return;
      count_ -= count < count_ ? count : count_;
      if (count_ != 0) return;
    }
    handles_.remove<UserObject>(handle());
    destroy_(pointer_);
  }

 private:
  HandleTable& handles_;
  void* const pointer_;
  const CUhostFn destroy_;
  std::mutex mutex_;
  uint64_t count_;
};

// References that a graph holds; a copy of it holds as many of its own.
class UserReferences {
 public:
  // Takes references over that the caller had.
  UserReferences(std::shared_ptr<UserObject> object, unsigned count)
      : object_(std::move(object)), count_(count) {}
  UserReferences(const UserReferences& other) : object_(other.object_), count_(other.count_) {
    if (object_ != nullptr) object_->retain(count_);
  }
  UserReferences(UserReferences&& other) noexcept
      : object_(std::move(other.object_)), count_(std::exchange(other.count_, 0)) {}
  UserReferences& operator=(UserReferences other) noexcept {
    std::swap(object_, other.object_);
    std::swap(count_, other.count_);
    return *this;
  }
  ~UserReferences() {
    if (object_ != nullptr) object_->release(count_);
  }

  const UserObject* object() const { return object_.get(); }
  unsigned count() const { return count_; }
  void give_up(unsigned count) {
    count_ -= count;
    object_->release(count);
  }

 private:
  std::shared_ptr<UserObject> object_;
  unsigned count_;
};

}  // namespace outboard::softgpu
