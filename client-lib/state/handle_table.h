// The client's half of the handle table: which handles are alive, and what the client knows of
// the object behind each of them. The client chooses every handle (protocol/wire/handle.h).
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <mutex>

#include "protocol/wire/handle.h"

namespace outboard::client {

// How a handle looks to the application, which only ever sees an opaque pointer:
//   bits 63..56 zero, 55..48 kind, 47..32 generation, 31..0 index.
// Such values are canonical user-space addresses on no machine that maps them, are never null, and
// never collide with the special streams 1 and 2.
constexpr uint64_t handle_value(wire::HandleKind kind, wire::Handle handle) {
  if (handle.index == 0) return handle.generation;  // null, and CUDA's special streams
  return (uint64_t{static_cast<uint8_t>(kind)} << 48) | (uint64_t{handle.generation & 0xFFFFu} << 32) |
         handle.index;
}

constexpr wire::HandleKind handle_kind(uint64_t value) {
  return (value >> 56) != 0 ? wire::HandleKind::kNone : static_cast<wire::HandleKind>((value >> 48) & 0xFFu);
}

constexpr wire::Handle handle_of(uint64_t value) {
  return wire::Handle{static_cast<uint32_t>(value), static_cast<uint32_t>((value >> 32) & 0xFFFFu)};
}

// Handles of every kind, in flat arrays that never move: looking one up takes two loads and no
// lock, creating and destroying take one uncontended mutex.
// Threads: all members from any thread. A slot's payload is the caller's; the table never frees it.
class HandleTable {
 public:
  // Limits: live objects per kind. One chunk is 24 KiB.
  static constexpr uint32_t kSlotsPerChunk = 1024;
  static constexpr uint32_t kMaxChunks = 2048;
  static constexpr uint32_t kMaxSlots = kSlotsPerChunk * kMaxChunks;

  HandleTable() = default;
  ~HandleTable();
  HandleTable(const HandleTable&) = delete;
  HandleTable& operator=(const HandleTable&) = delete;

  // A fresh handle; `owner` is the index of the context it lives in (0: none), so that a context
  // can take its objects with it. Null handle when the kind has no slot left.
  wire::Handle create(wire::HandleKind kind, void* payload = nullptr, uint32_t owner = 0);

  // Makes slots 1..count alive with generation 1 (primary contexts). Only before any create().
  void reserve_first(wire::HandleKind kind, uint32_t count);

  // False when it was not alive.
  bool destroy(wire::HandleKind kind, wire::Handle handle);

  // Destroys everything owned by the context. `on_destroy(kind, handle, payload)` sees each.
  template <typename Function>
  void destroy_owned_by(uint32_t owner, Function on_destroy);

  bool alive(wire::HandleKind kind, wire::Handle handle) const {
    const Slot* slot = find(kind, handle);
    return slot != nullptr;
  }

  // What was given to create(), or null when the handle is not alive.
  void* payload(wire::HandleKind kind, wire::Handle handle) const {
    const Slot* slot = find(kind, handle);
    return slot == nullptr ? nullptr : slot->payload.load(std::memory_order_acquire);
  }
  void set_payload(wire::HandleKind kind, wire::Handle handle, void* payload);

  // Index of the owning context, 0 when there is none or the handle is not alive.
  uint32_t owner(wire::HandleKind kind, wire::Handle handle) const {
    const Slot* slot = find(kind, handle);
    return slot == nullptr ? 0 : slot->owner.load(std::memory_order_relaxed);
  }

  uint32_t live_count(wire::HandleKind kind) const;

 private:
  static constexpr uint32_t kAlive = 0x8000'0000u;
  static constexpr uint32_t kLastGeneration = 0xFFFFu;

  struct Slot {
    std::atomic<uint32_t> state{0};  // kAlive | generation
    std::atomic<uint32_t> owner{0};
    std::atomic<void*> payload{nullptr};
    uint32_t next_free = 0;
  };
  struct Kind {
    std::array<std::atomic<Slot*>, kMaxChunks> chunks{};
    mutable std::mutex mutex;
    uint32_t used = 1;  // slots ever handed out; slot 0 is the null handle
    uint32_t first_free = 0;
    uint32_t live = 0;
  };

  Slot* slot_at(const Kind& kind, uint32_t index) const {
    if (index >= kMaxSlots) return nullptr;
    Slot* chunk = kind.chunks[index / kSlotsPerChunk].load(std::memory_order_acquire);
    return chunk == nullptr ? nullptr : &chunk[index % kSlotsPerChunk];
  }
  Slot* find(wire::HandleKind kind, wire::Handle handle) const {
    const auto k = static_cast<size_t>(kind);
    if (k >= kinds_.size() || handle.index == 0) return nullptr;
    Slot* slot = slot_at(kinds_[k], handle.index);
    if (slot == nullptr) return nullptr;
    const bool same = slot->state.load(std::memory_order_acquire) == (kAlive | handle.generation);
    return same ? slot : nullptr;
  }
  Slot* fresh_slot(Kind& kind, uint32_t& index);
  void retire(Kind& kind, Slot& slot, uint32_t index);

  std::array<Kind, static_cast<size_t>(wire::HandleKind::kLimit)> kinds_;
};

template <typename Function>
void HandleTable::destroy_owned_by(uint32_t owner, Function on_destroy) {
  for (size_t k = 0; k < kinds_.size(); ++k) {
    Kind& kind = kinds_[k];
    std::lock_guard lock(kind.mutex);
    for (uint32_t index = 1; index < kind.used; ++index) {
      Slot* slot = slot_at(kind, index);
      const uint32_t state = slot->state.load(std::memory_order_relaxed);
      if ((state & kAlive) == 0 || slot->owner.load(std::memory_order_relaxed) != owner) continue;
      void* payload = slot->payload.load(std::memory_order_relaxed);
      retire(kind, *slot, index);
      on_destroy(static_cast<wire::HandleKind>(k), wire::Handle{index, state & kLastGeneration}, payload);
    }
  }
}

}  // namespace outboard::client
