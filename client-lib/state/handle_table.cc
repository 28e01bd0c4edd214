#include "client-lib/state/handle_table.h"

#include <new>

namespace outboard::client {

HandleTable::~HandleTable() {
  for (Kind& kind : kinds_) {
    for (std::atomic<Slot*>& chunk : kind.chunks) delete[] chunk.load(std::memory_order_relaxed);
  }
}

// Takes freed slots first, so that the table stays as small as the live set; the generation tells
// a stale handle from the new one.
HandleTable::Slot* HandleTable::fresh_slot(Kind& kind, uint32_t& index) {
  if (kind.first_free != 0) {
    index = kind.first_free;
    Slot* slot = slot_at(kind, index);
    kind.first_free = slot->next_free;
    return slot;
  }
  if (kind.used >= kMaxSlots) return nullptr;
  index = kind.used;
  std::atomic<Slot*>& chunk = kind.chunks[index / kSlotsPerChunk];
  if (chunk.load(std::memory_order_relaxed) == nullptr) {
    Slot* slots = new (std::nothrow) Slot[kSlotsPerChunk];
    if (slots == nullptr) return nullptr;
    chunk.store(slots, std::memory_order_release);
  }
  ++kind.used;
  return slot_at(kind, index);
}

wire::Handle HandleTable::create(wire::HandleKind kind_name, void* payload, uint32_t owner) {
  Kind& kind = kinds_[static_cast<size_t>(kind_name)];
  std::lock_guard lock(kind.mutex);
  uint32_t index = 0;
  Slot* slot = fresh_slot(kind, index);
  if (slot == nullptr) return {};
  const uint32_t generation = (slot->state.load(std::memory_order_relaxed) & kLastGeneration) + 1;
  slot->owner.store(owner, std::memory_order_relaxed);
  slot->payload.store(payload, std::memory_order_relaxed);
  slot->state.store(kAlive | generation, std::memory_order_release);
  ++kind.live;
  return wire::Handle{index, generation};
}

void HandleTable::reserve_first(wire::HandleKind kind, uint32_t count) {
  for (uint32_t i = 0; i < count; ++i) (void)create(kind);
}

void HandleTable::retire(Kind& kind, Slot& slot, uint32_t index) {
  const uint32_t generation = slot.state.load(std::memory_order_relaxed) & kLastGeneration;
  slot.state.store(generation, std::memory_order_release);
  slot.payload.store(nullptr, std::memory_order_relaxed);
  --kind.live;
  if (generation == kLastGeneration) return;  // used up: reusing it would revive old handles
  slot.next_free = kind.first_free;
  kind.first_free = index;
}

bool HandleTable::destroy(wire::HandleKind kind_name, wire::Handle handle) {
  Slot* slot = find(kind_name, handle);
  if (slot == nullptr) return false;
  Kind& kind = kinds_[static_cast<size_t>(kind_name)];
  std::lock_guard lock(kind.mutex);
  if (slot->state.load(std::memory_order_relaxed) != (kAlive | handle.generation)) return false;
  retire(kind, *slot, handle.index);
  return true;
}

void HandleTable::set_payload(wire::HandleKind kind, wire::Handle handle, void* payload) {
  if (Slot* slot = find(kind, handle)) slot->payload.store(payload, std::memory_order_release);
}

uint32_t HandleTable::live_count(wire::HandleKind kind_name) const {
  const Kind& kind = kinds_[static_cast<size_t>(kind_name)];
  std::lock_guard lock(kind.mutex);
  return kind.live;
}

}  // namespace outboard::client
