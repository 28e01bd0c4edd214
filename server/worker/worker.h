// One thread's view of a session: what the commands that it runs may use.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "protocol/abi/cuda_abi_gen.h"
#include "protocol/base/result.h"
#include "protocol/wire/handle.h"
#include "protocol/wire/opcodes_gen.h"
#include "server/device/driver_api_gen.h"
#include "server/worker/bulk_buffer.h"
#include "server/worker/session_state.h"

namespace outboard::server {

// Primary contexts have index ordinal + 1 and this generation on every client.
inline constexpr uint32_t kPrimaryContextGeneration = 1;
inline constexpr wire::Handle primary_context_handle(uint32_t device) {
  return {device + 1, kPrimaryContextGeneration};
}

// Threads: belongs to one thread, which it gives a current context; the members that say so may be
// called from any.
class Worker {
 public:
  explicit Worker(SessionState& session) : session_(session) {}

  const DriverApi& driver() const { return session_.driver; }
  SessionState& session() const { return session_; }

  // Makes the command's context current in this thread and sets its capture mode, if they are not
  // already; remembers what `name_object` will note as the origin of what the command creates.
  CUresult enter(wire::Handle context, uint8_t capture_mode);
  void begin_command(wire::Opcode opcode, uint64_t sequence) {
    origin_ = {static_cast<uint16_t>(opcode), sequence};
  }
  wire::Handle current_context() const { return context_; }
  // Where objects belong that are made in it: of a green context it is the primary one.
  wire::Handle owning_context() const;
  // What ends with a context has this owner in the ledger; 0 without a context.
  static uint64_t owner_of(wire::Handle context) {
    return uint64_t{context.generation} << 32 | context.index;
  }
  uint64_t context_owner() const { return owner_of(owning_context()); }

  // Puts work on the current context's device when it is the session's turn. `key`: launches with the
  // same take about the same time.
  template <typename Call>
  CUresult launch(CUstream stream, uint64_t key, Call call) {
    return device_ ? session_.compute.launch(*device_, stream, key, call) : call();
  }

  // The driver's handle, special streams included; nothing if unknown. Any thread.
  std::optional<uint64_t> native(wire::HandleKind kind, wire::Handle handle) const;
  // The same with the driver's type.
  template <typename T>
  std::optional<T> native_as(wire::HandleKind kind, wire::Handle handle) const {
    const auto value = native(kind, handle);
    if (!value) return std::nullopt;
    return reinterpret_cast<T>(static_cast<uintptr_t>(*value));
  }
  CUresult native_stream(wire::Handle handle, CUstream* stream) const;

  // Names what the current command created by the handle that the client chose. Not ok: the client
  // lied, end the session.
  Status name_object(wire::HandleKind kind, wire::Handle handle, uint64_t native);
  template <typename T>
  Status name_object(wire::HandleKind kind, wire::Handle handle, T* native) {
    return name_object(kind, handle, reinterpret_cast<uintptr_t>(native));
  }
  // The same for what ends with others than the command's context.
  Status name_object(wire::HandleKind kind, wire::Handle handle, uint64_t native, const ObjectOwners& owners);
  // The handle of an object that the driver made known; null for 0. Any thread. Not ok: a limit was
  // reached.
  Result<wire::Handle> adopt_object(wire::HandleKind kind, uint64_t native, const ObjectOwners& owners = {});
  // After the driver destroyed it, with all that it owns.
  void forget_object(wire::HandleKind kind, wire::Handle handle);

  // A handler found the client lying: records the sentence, which ends the session. The result is
  // for the handler to return.
  CUresult violation(std::string sentence);
  std::string take_violation();

  // The device of the current context, as ordinal of the ledger.
  CUresult current_device(uint32_t* device) const;

 private:
  SessionState& session_;
  wire::Handle context_;
  std::optional<uint32_t> device_;  // of context_
  bool entered_ = false;
  uint64_t epoch_ = 0;
  uint8_t capture_mode_ = 0;
  ObjectOrigin origin_;
  std::string violation_;
};

}  // namespace outboard::server
