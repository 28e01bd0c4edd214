#include "server/quota/physical_use.h"

#include <algorithm>

namespace outboard::server {

PhysicalUse::Handle& PhysicalUse::find_locked(uint64_t handle) {
  const auto [it, added] = handles_.try_emplace(handle);
  if (added) {
    it->second.memory = std::make_shared<Memory>();
    it->second.memory->paid_as = handle;
    it->second.memory->references = 1;
    it->second.references = 1;
  }
  return it->second;
}

PhysicalUse::Gone PhysicalUse::end_locked(const Memory& memory) {
  Gone gone{memory.paid_as, memory.keys};
  for (const std::string& key : gone.keys) keys_.erase(key);
  return gone;
}

void PhysicalUse::remember_key_locked(const std::shared_ptr<Memory>& memory, const std::string& key,
                                      bool holds) {
  if (!keys_.try_emplace(key, Key{memory, holds}).second) return;
  memory->keys.push_back(key);
  if (holds) ++memory->descriptors;
}

void PhysicalUse::map(uint64_t address, uint64_t bytes, uint64_t handle) {
  std::lock_guard lock(mutex_);
  std::shared_ptr<Memory> memory = find_locked(handle).memory;
  ++memory->mappings;
  mappings_.insert_or_assign(address, Mapping{bytes, std::move(memory)});
}

void PhysicalUse::retain(uint64_t address, uint64_t handle) {
  std::lock_guard lock(mutex_);
  auto it = mappings_.upper_bound(address);
  if (it == mappings_.begin()) return;
  --it;
  if (address - it->first >= it->second.bytes) return;
  // The last handle may have gone before: then the driver made a new one.
  const auto [entry, added] = handles_.try_emplace(handle, Handle{it->second.memory, 0});
  ++entry->second.references;
  ++entry->second.memory->references;
}

PhysicalUse::Released PhysicalUse::release(uint64_t handle) {
  std::lock_guard lock(mutex_);
  Handle& entry = find_locked(handle);
  const std::shared_ptr<Memory> memory = entry.memory;
  Released released;
  --memory->references;
  released.handle_gone = --entry.references == 0;
  if (released.handle_gone) handles_.erase(handle);
  if (memory->gone()) {
    released.gone = end_locked(*memory);
  } else if (released.handle_gone && memory->paid_as == handle) {
    released.renamed_from = handle;
    released.renamed_to = memory->paid_as = next_name_++;
  }
  return released;
}

std::vector<PhysicalUse::Gone> PhysicalUse::unmap(uint64_t address, uint64_t bytes) {
  std::lock_guard lock(mutex_);
  std::vector<Gone> gone;
  auto it = mappings_.lower_bound(address);
  while (it != mappings_.end() && it->first - address < bytes) {
    Memory& memory = *it->second.memory;
    --memory.mappings;
    if (memory.gone()) gone.push_back(end_locked(memory));
    it = mappings_.erase(it);
  }
  return gone;
}

void PhysicalUse::share(uint64_t handle, const std::string& key, bool holds) {
  std::lock_guard lock(mutex_);
  remember_key_locked(find_locked(handle).memory, key, holds);
}

std::optional<PhysicalUse::Gone> PhysicalUse::close(const std::string& key) {
  std::lock_guard lock(mutex_);
  const auto it = keys_.find(key);
  if (it == keys_.end() || !it->second.holds) return std::nullopt;
  const std::shared_ptr<Memory> memory = it->second.memory;
  --memory->descriptors;
  keys_.erase(it);
  std::erase(memory->keys, key);
  return memory->gone() ? std::optional(end_locked(*memory)) : std::nullopt;
}

bool PhysicalUse::knows(const std::string& key) {
  std::lock_guard lock(mutex_);
  return keys_.contains(key);
}

void PhysicalUse::import(uint64_t handle, const std::string& key) {
  std::lock_guard lock(mutex_);
  const auto known = keys_.find(key);
  if (known == keys_.end()) {
    // The driver may give a handle for it that the session has: then it is no new memory after all.
    const bool had = handles_.contains(handle);
    Handle& entry = find_locked(handle);
    remember_key_locked(entry.memory, key, false);
    if (!had) return;
    ++entry.references;
    ++entry.memory->references;
    return;
  }
  const auto [entry, added] = handles_.try_emplace(handle, Handle{known->second.memory, 0});
  ++entry->second.references;
  ++entry->second.memory->references;
}

uint64_t PhysicalUse::paid_as(uint64_t handle) {
  std::lock_guard lock(mutex_);
  return find_locked(handle).memory->paid_as;
}

}  // namespace outboard::server
