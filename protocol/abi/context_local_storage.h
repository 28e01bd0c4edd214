// What the CUDA runtime keeps per context: (context, key) -> value.
//
// The runtime looks its value up before almost every call, from any thread, and writes it a few
// times per process. Reading therefore takes no lock: it walks a short chain of nodes that are
// never unlinked; writers serialise on a mutex and reuse dead nodes.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <mutex>

namespace outboard::abi {

class ContextLocalStorage {
 public:
  using Context = const void*;
  using Key = const void*;
  // Called as (context, key, value) when the context ends. May be null.
  using Destructor = void (*)(void*, void*, void*);

  ContextLocalStorage() = default;
  // Calls no destructors: the contexts' owners must have dropped them. No other thread may be inside.
  ~ContextLocalStorage();
  ContextLocalStorage(const ContextLocalStorage&) = delete;
  ContextLocalStorage& operator=(const ContextLocalStorage&) = delete;

  // Sets or replaces; the replaced value's destructor is not called, since who replaces a value
  // under its own key still owns it. `context` must not be null. Any thread.
  // False when memory is short.
  bool put(Context context, Key key, void* value, Destructor destructor);

  // False if (context, key) has no value; `value` is then untouched. Any thread, never waits.
  bool get(Context context, Key key, void** value) const;

  // Forgets without calling the destructor: the caller is the owner. False if there was nothing.
  bool remove(Context context, Key key);

  // The context was reset or destroyed: forgets its values, then calls their destructors on this
  // thread with no lock held, so that they may call back. Returns how many values were dropped.
  size_t drop_context(Context context);

 private:
  struct Node;
  static constexpr size_t kBuckets = 64;  // a process has few contexts and about ten keys

  static size_t bucket_of(Context context, Key key);
  Node* find_locked(Context context, Key key) const;

  std::array<std::atomic<Node*>, kBuckets> buckets_{};
  std::mutex writers_;
};

}  // namespace outboard::abi
