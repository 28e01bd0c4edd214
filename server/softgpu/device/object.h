// What driver handles name, and the table that turns handles into objects.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <shared_mutex>
#include <vector>

namespace outboard::softgpu {

enum class ObjectKind : uint8_t {
  kNone,
  kContext,
  kModule,
  kLibrary,
  kFunction,
  kKernel,
  kStream,
  kEvent,
  kGraph,
  kGraphNode,
  kGraphExec,
  kPool,
  kArray,
  kMipmappedArray,
  kTexture,
  kSurface,
  kTextureReference,
  kSamplerReference,
  kSurfaceReference,
  kLinkState,
  kPhysicalMemory,
  kUserObject,
  kGreenContext,
  kContextView,
  kResourceDescription,
};

// Every class with handles derives from this and has `static constexpr ObjectKind kKind`.
class Object {
 public:
  virtual ~Object() = default;
  // 0 until the object is in a table. Set once, before anybody else can see the object.
  uint64_t handle() const { return handle_; }

 private:
  friend class HandleTable;
  uint64_t handle_ = 0;
};

// Handle values are {0:8, kind:8, generation:16, index:32}: never a small number (CUDA gives 0, 1
// and 2 meanings of their own), never a pointer, and a destroyed object's handle is not mistaken
// for its successor's. Any thread.
class HandleTable {
 public:
  template <typename T>
  uint64_t add(std::shared_ptr<T> object) {
    return add_object(T::kKind, std::move(object));
  }

  // Null if the handle names no living object of this type.
  template <typename T>
  std::shared_ptr<T> find(uint64_t handle) const {
    return std::static_pointer_cast<T>(find_object(T::kKind, handle));
  }

  // Takes the object out; null if the handle names none of this type.
  template <typename T>
  std::shared_ptr<T> remove(uint64_t handle) {
    return std::static_pointer_cast<T>(remove_object(T::kKind, handle));
  }

  template <typename T>
  std::vector<std::shared_ptr<T>> all() const {
    std::vector<std::shared_ptr<T>> found;
    for (auto& object : all_objects(T::kKind)) found.push_back(std::static_pointer_cast<T>(object));
    return found;
  }

  static ObjectKind kind_of(uint64_t handle) { return static_cast<ObjectKind>((handle >> 48) & 0xff); }

 private:
  struct Slot {
    uint16_t generation = 0;
    ObjectKind kind = ObjectKind::kNone;
    std::shared_ptr<Object> object;
  };

  uint64_t add_object(ObjectKind kind, std::shared_ptr<Object> object);
  std::shared_ptr<Object> find_object(ObjectKind kind, uint64_t handle) const;
  std::shared_ptr<Object> remove_object(ObjectKind kind, uint64_t handle);
  std::vector<std::shared_ptr<Object>> all_objects(ObjectKind kind) const;
  const Slot* slot_locked(ObjectKind kind, uint64_t handle) const;

  mutable std::shared_mutex mutex_;
  std::deque<Slot> slots_;
  std::deque<uint32_t> free_;  // oldest first, so that generations last
};

}  // namespace outboard::softgpu
