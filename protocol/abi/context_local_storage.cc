#include "protocol/abi/context_local_storage.h"

#include <cstdint>
#include <new>
#include <vector>

namespace outboard::abi {
namespace {

// The value of a node that holds nothing; no caller can have this address.
char g_absent_marker;
void* const kAbsent = &g_absent_marker;

}  // namespace

// A node's identity changes only while its value is kAbsent. A reader that saw identity, value,
// then the same identity again has therefore read that identity's value: the store of a value under
// another identity is a release that the reader's load acquired, so the second look would differ.
struct ContextLocalStorage::Node {
  std::atomic<Context> context{nullptr};
  std::atomic<Key> key{nullptr};
  std::atomic<void*> value{kAbsent};
  Destructor destructor = nullptr;  // under writers_
  Node* next = nullptr;             // set before the node is published

  bool is(Context wanted_context, Key wanted_key) const {
    return context.load(std::memory_order_acquire) == wanted_context &&
           key.load(std::memory_order_acquire) == wanted_key;
  }
};

ContextLocalStorage::~ContextLocalStorage() {
  for (auto& bucket : buckets_) {
    for (Node* node = bucket.load(); node != nullptr;) {
      Node* const next = node->next;
      delete node;
      node = next;
    }
  }
}

size_t ContextLocalStorage::bucket_of(Context context, Key key) {
  // Handles differ in their low bits, addresses of keys above bit 3: fold both into the low bits.
  const uint64_t mixed = reinterpret_cast<uintptr_t>(context) * 31 + (reinterpret_cast<uintptr_t>(key) >> 3);
  return (mixed ^ (mixed >> 12) ^ (mixed >> 32)) % kBuckets;
}

ContextLocalStorage::Node* ContextLocalStorage::find_locked(Context context, Key key) const {
  for (Node* node = buckets_[bucket_of(context, key)].load(); node != nullptr; node = node->next) {
    if (node->value.load() != kAbsent && node->is(context, key)) return node;
  }
  return nullptr;
}

bool ContextLocalStorage::get(Context context, Key key, void** value) const {
  const auto& bucket = buckets_[bucket_of(context, key)];
  for (const Node* node = bucket.load(std::memory_order_acquire); node != nullptr; node = node->next) {
    if (!node->is(context, key)) continue;
    void* const found = node->value.load(std::memory_order_acquire);
    if (found == kAbsent || !node->is(context, key)) continue;
    *value = found;
    return true;
  }
  return false;
}

bool ContextLocalStorage::put(Context context, Key key, void* value, Destructor destructor) {
  const std::lock_guard lock(writers_);
  if (Node* existing = find_locked(context, key)) {
    existing->destructor = destructor;
    existing->value.store(value, std::memory_order_release);
    return true;
  }
  auto& bucket = buckets_[bucket_of(context, key)];
  Node* node = bucket.load();
  while (node != nullptr && node->value.load() != kAbsent) node = node->next;
  const bool is_new = node == nullptr;
  if (is_new) node = new (std::nothrow) Node;
  if (node == nullptr) return false;
  node->context.store(context, std::memory_order_release);
  node->key.store(key, std::memory_order_release);
  node->destructor = destructor;
  node->value.store(value, std::memory_order_release);
  if (is_new) {
    node->next = bucket.load();
    bucket.store(node, std::memory_order_release);
  }
  return true;
}

bool ContextLocalStorage::remove(Context context, Key key) {
  const std::lock_guard lock(writers_);
  Node* const node = find_locked(context, key);
  if (node == nullptr) return false;
  node->value.store(kAbsent, std::memory_order_release);
  return true;
}

size_t ContextLocalStorage::drop_context(Context context) {
  struct Dropped {
    Key key;
    void* value;
    Destructor destructor;
  };
  std::vector<Dropped> dropped;
  {
    const std::lock_guard lock(writers_);
    for (auto& bucket : buckets_) {
      for (Node* node = bucket.load(); node != nullptr; node = node->next) {
        if (node->context.load() != context || node->value.load() == kAbsent) continue;
        dropped.push_back({node->key.load(), node->value.load(), node->destructor});
        node->value.store(kAbsent, std::memory_order_release);
      }
    }
  }
  for (const Dropped& entry : dropped) {
    if (entry.destructor == nullptr) continue;
    entry.destructor(const_cast<void*>(context), const_cast<void*>(entry.key), entry.value);
  }
  return dropped.size();
}

}  // namespace outboard::abi
