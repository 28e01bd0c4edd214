// The worker's directory of driver objects: (kind, handle of the client) <-> handle of the driver.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <vector>

#include "protocol/base/result.h"
#include "protocol/wire/handle.h"

namespace outboard::server {

// What made an object; lets a session be rebuilt elsewhere later.
struct ObjectOrigin {
  uint16_t opcode = 0;
  uint64_t sequence = 0;
};

// What an object goes with. Both may be nothing; each alone ends the object.
struct ObjectOwners {
  wire::Handle context;
  // The module, library or green context that it came from.
  wire::HandleKind unit_kind = wire::HandleKind::kNone;
  wire::Handle unit;
};

// Driver handles travel in here as 64-bit values, whatever their C type.
// Threads: every function may be called from any thread.
class ObjectTable {
 public:
  // Clients number their objects from 1 and reuse numbers, so an honest one stays far below this.
  static constexpr uint32_t kMaxIndex = 1u << 22;
  // Objects that the driver made known by itself (nodes of captured graphs and the like).
  static constexpr uint32_t kMaxServerIndex = 1u << 22;

  // Names a new object by the client's handle. kProtocolViolation if the handle is null, out of
  // range or taken: a client that errs here can no longer be trusted about anything else.
  Status insert(wire::HandleKind kind, wire::Handle handle, uint64_t native, ObjectOrigin origin,
                const ObjectOwners& owners = {});

  // Names an object that the driver made known: the handle it already has, else a new one with an
  // index from kServerIndexBase up. kOverloaded when kMaxServerIndex are in use.
  Result<wire::Handle> adopt(wire::HandleKind kind, uint64_t native, ObjectOrigin origin,
                             const ObjectOwners& owners = {});

  // Nothing for an unknown handle or one of another generation.
  std::optional<uint64_t> find(wire::HandleKind kind, wire::Handle handle) const;
  std::optional<wire::Handle> handle_of(wire::HandleKind kind, uint64_t native) const;
  std::optional<ObjectOrigin> origin_of(wire::HandleKind kind, wire::Handle handle) const;

  // Empty if unknown.
  ObjectOwners owners_of(wire::HandleKind kind, wire::Handle handle) const;

  // Forgets the object with all that it owns, and returns the driver's handle; nothing if unknown.
  std::optional<uint64_t> erase(wire::HandleKind kind, wire::Handle handle);
  // What the context owns is gone; the context itself may go on.
  void erase_content_of(wire::Handle context);

  // Live objects of one kind, or of all kinds together.
  size_t count(wire::HandleKind kind) const;
  size_t count() const;

 private:
  struct Slot {
    uint64_t native = 0;
    uint32_t generation = 0;
    bool live = false;
    ObjectOrigin origin;
    ObjectOwners owners;
  };
  // Pages are made on demand: a client that uses a large index costs one page, not a large table.
  static constexpr uint32_t kPageSlots = 256;
  using Page = std::array<Slot, kPageSlots>;
  struct Directory {
    std::vector<std::unique_ptr<Page>> client_pages;
    std::vector<std::unique_ptr<Page>> server_pages;
    std::vector<uint32_t> free_server_indices;
    uint32_t next_server_index = 0;
    std::unordered_map<uint64_t, wire::Handle> by_native;
  };

  static bool known_kind(wire::HandleKind kind);
  void remove(Directory& objects, wire::Handle handle, Slot& slot);
  void erase_owned_by(wire::HandleKind owner_kind, wire::Handle owner);
  template <typename IsOwned>
  void erase_if(Directory& objects, std::vector<std::unique_ptr<Page>>& pages, uint32_t first_index,
                IsOwned is_owned, std::vector<wire::Handle>* erased);
  Directory& directory(wire::HandleKind kind) { return directories_[static_cast<size_t>(kind)]; }
  const Directory& directory(wire::HandleKind kind) const { return directories_[static_cast<size_t>(kind)]; }
  const Slot* slot(wire::HandleKind kind, wire::Handle handle) const;
  static Slot& make_slot(std::vector<std::unique_ptr<Page>>& pages, uint32_t index);

  mutable std::mutex mutex_;
  std::array<Directory, static_cast<size_t>(wire::HandleKind::kLimit)> directories_;
};

}  // namespace outboard::server
