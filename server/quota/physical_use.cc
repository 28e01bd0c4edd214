#include "server/quota/physical_use.h"

namespace outboard::server {

PhysicalUse::Handle& PhysicalUse::find(uint64_t handle) {
  const auto [it, added] = handles_.try_emplace(handle);
  if (added) {
    it->second.memory = std::make_shared<Memory>(Memory{handle, 1, 0});
    it->second.references = 1;
  }
  return it->second;
}

void PhysicalUse::map(uint64_t address, uint64_t bytes, uint64_t handle) {
  std::shared_ptr<Memory> memory = find(handle).memory;
  ++memory->mappings;
  mappings_.insert_or_assign(address, Mapping{bytes, std::move(memory)});
}

void PhysicalUse::retain(uint64_t address, uint64_t handle) {
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
  Handle& entry = find(handle);
  const std::shared_ptr<Memory> memory = entry.memory;
  Released released;
  --memory->references;
  released.handle_gone = --entry.references == 0;
  if (released.handle_gone) handles_.erase(handle);
  if (memory->gone()) released.paid_for = memory->created_as;
  return released;
}

std::vector<uint64_t> PhysicalUse::unmap(uint64_t address, uint64_t bytes) {
  std::vector<uint64_t> gone;
  auto it = mappings_.lower_bound(address);
  while (it != mappings_.end() && it->first - address < bytes) {
    Memory& memory = *it->second.memory;
    --memory.mappings;
    if (memory.gone()) gone.push_back(memory.created_as);
    it = mappings_.erase(it);
  }
  return gone;
}

}  // namespace outboard::server
