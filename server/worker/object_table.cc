#include "server/worker/object_table.h"

#include <string>

namespace outboard::server {

using wire::Handle;
using wire::HandleKind;

bool ObjectTable::known_kind(HandleKind kind) {
  return kind > HandleKind::kNone && kind < HandleKind::kLimit;
}

ObjectTable::Slot& ObjectTable::make_slot(std::vector<std::unique_ptr<Page>>& pages, uint32_t index) {
  const size_t page = index / kPageSlots;
  if (page >= pages.size()) pages.resize(page + 1);
  if (!pages[page]) pages[page] = std::make_unique<Page>();
  return (*pages[page])[index % kPageSlots];
}

const ObjectTable::Slot* ObjectTable::slot(HandleKind kind, Handle handle) const {
  if (!known_kind(kind)) return nullptr;
  const bool by_server = handle.index >= wire::kServerIndexBase;
  const Directory& objects = directory(kind);
  const auto& pages = by_server ? objects.server_pages : objects.client_pages;
  const uint32_t index = by_server ? handle.index - wire::kServerIndexBase : handle.index;
  const size_t page = index / kPageSlots;
  if (page >= pages.size() || !pages[page]) return nullptr;
  const Slot& slot = (*pages[page])[index % kPageSlots];
  return slot.live && slot.generation == handle.generation ? &slot : nullptr;
}

Status ObjectTable::insert(HandleKind kind, Handle handle, uint64_t native, ObjectOrigin origin,
                           const ObjectOwners& owners) {
  const auto violation = [&](const char* what) {
    return fail(ErrorKind::kProtocolViolation,
                "The client named a new object of kind " + std::to_string(static_cast<int>(kind)) +
                    " with the handle (" + std::to_string(handle.index) + ", generation " +
                    std::to_string(handle.generation) + "), which " + what + ".");
  };
  if (!known_kind(kind)) return violation("is of a kind that does not exist");
  if (handle.index == 0) return violation("is a null handle");
  if (handle.index >= kMaxIndex) return violation("is above the limit of 4194303");
  std::lock_guard lock(mutex_);
  Directory& objects = directory(kind);
  Slot& slot = make_slot(objects.client_pages, handle.index);
  if (slot.live) return violation("is in use");
  slot = Slot{native, handle.generation, true, origin, owners};
  objects.by_native[native] = handle;
  return {};
}

Result<Handle> ObjectTable::adopt(HandleKind kind, uint64_t native, ObjectOrigin origin,
                                  const ObjectOwners& owners) {
  if (!known_kind(kind)) return fail(ErrorKind::kInternal, "An object of an unknown kind cannot be named.");
  std::lock_guard lock(mutex_);
  Directory& objects = directory(kind);
  if (auto known = objects.by_native.find(native); known != objects.by_native.end()) return known->second;
  uint32_t index = 0;
  if (!objects.free_server_indices.empty()) {
    index = objects.free_server_indices.back();
    objects.free_server_indices.pop_back();
  } else if (objects.next_server_index < kMaxServerIndex) {
    index = objects.next_server_index++;
  } else {
    return fail(ErrorKind::kOverloaded, "The session has 4194304 objects of kind " +
                                            std::to_string(static_cast<int>(kind)) +
                                            " that the driver made; that is the limit.");
  }
  Slot& slot = make_slot(objects.server_pages, index);
  slot = Slot{native, slot.generation + 1, true, origin, owners};
  const Handle handle{wire::kServerIndexBase + index, slot.generation};
  objects.by_native[native] = handle;
  return handle;
}

std::optional<uint64_t> ObjectTable::find(HandleKind kind, Handle handle) const {
  std::lock_guard lock(mutex_);
  const Slot* found = slot(kind, handle);
  if (found == nullptr) return std::nullopt;
  return found->native;
}

std::optional<Handle> ObjectTable::handle_of(HandleKind kind, uint64_t native) const {
  if (!known_kind(kind)) return std::nullopt;
  std::lock_guard lock(mutex_);
  const auto& by_native = directory(kind).by_native;
  const auto it = by_native.find(native);
  if (it == by_native.end()) return std::nullopt;
  return it->second;
}

std::optional<ObjectOrigin> ObjectTable::origin_of(HandleKind kind, Handle handle) const {
  std::lock_guard lock(mutex_);
  const Slot* found = slot(kind, handle);
  if (found == nullptr) return std::nullopt;
  return found->origin;
}

ObjectOwners ObjectTable::owners_of(HandleKind kind, Handle handle) const {
  std::lock_guard lock(mutex_);
  const Slot* found = slot(kind, handle);
  return found == nullptr ? ObjectOwners{} : found->owners;
}

std::optional<uint64_t> ObjectTable::erase(HandleKind kind, Handle handle) {
  std::lock_guard lock(mutex_);
  Slot* found = const_cast<Slot*>(slot(kind, handle));
  if (found == nullptr) return std::nullopt;
  const uint64_t native = found->native;
  remove(directory(kind), handle, *found);
  erase_owned_by(kind, handle);
  return native;
}

void ObjectTable::erase_content_of(Handle context) {
  std::lock_guard lock(mutex_);
  erase_owned_by(HandleKind::kContext, context);
}

void ObjectTable::remove(Directory& objects, Handle handle, Slot& slot) {
  slot.live = false;
  if (auto it = objects.by_native.find(slot.native); it != objects.by_native.end() && it->second == handle)
    objects.by_native.erase(it);
  if (handle.index >= wire::kServerIndexBase)
    objects.free_server_indices.push_back(handle.index - wire::kServerIndexBase);
}

template <typename IsOwned>
void ObjectTable::erase_if(Directory& objects, std::vector<std::unique_ptr<Page>>& pages,
                           uint32_t first_index, IsOwned is_owned, std::vector<Handle>* erased) {
  for (size_t page = 0; page < pages.size(); ++page) {
    if (!pages[page]) continue;
    for (uint32_t i = 0; i < kPageSlots; ++i) {
      Slot& slot = (*pages[page])[i];
      if (!slot.live || !is_owned(slot.owners)) continue;
      const Handle handle{first_index + static_cast<uint32_t>(page) * kPageSlots + i, slot.generation};
      remove(objects, handle, slot);
      erased->push_back(handle);
    }
  }
}

// Owners end seldom, so that a search costs less than lists in which every object would have to be kept.
void ObjectTable::erase_owned_by(HandleKind owner_kind, Handle owner) {
  const bool by_context = owner_kind == HandleKind::kContext;
  const bool may_own = by_context || owner_kind == HandleKind::kModule ||
                       owner_kind == HandleKind::kLibrary || owner_kind == HandleKind::kGreenContext;
  if (!may_own) return;
  const auto is_owned = [&](const ObjectOwners& owners) {
    return by_context ? owners.context == owner : owners.unit_kind == owner_kind && owners.unit == owner;
  };
  std::vector<Handle> modules;
  for (size_t kind = 0; kind < directories_.size(); ++kind) {
    Directory& objects = directories_[kind];
    std::vector<Handle> erased;
    erase_if(objects, objects.client_pages, 0, is_owned, &erased);
    erase_if(objects, objects.server_pages, wire::kServerIndexBase, is_owned, &erased);
    if (kind == static_cast<size_t>(HandleKind::kModule)) modules = std::move(erased);
  }
  for (const Handle module : modules) erase_owned_by(HandleKind::kModule, module);
}

size_t ObjectTable::count(HandleKind kind) const {
  if (!known_kind(kind)) return 0;
  std::lock_guard lock(mutex_);
  return directory(kind).by_native.size();
}

size_t ObjectTable::count() const {
  std::lock_guard lock(mutex_);
  size_t total = 0;
  for (const Directory& objects : directories_) total += objects.by_native.size();
  return total;
}

}  // namespace outboard::server
