// Short forms for what every hand-written call does with handles.
#pragma once

#include <cstdint>

#include "client-lib/session/client.h"
#include "protocol/wire/handle.h"

namespace outboard::client::calls {

template <typename T>
struct KindOf;
template <>
struct KindOf<CUcontext> {
  static constexpr auto value = wire::HandleKind::kContext;
};
template <>
struct KindOf<CUgreenCtx> {
  static constexpr auto value = wire::HandleKind::kGreenContext;
};
template <>
struct KindOf<CUmodule> {
  static constexpr auto value = wire::HandleKind::kModule;
};
template <>
struct KindOf<CUlibrary> {
  static constexpr auto value = wire::HandleKind::kLibrary;
};
template <>
struct KindOf<CUfunction> {
  static constexpr auto value = wire::HandleKind::kFunction;
};
template <>
struct KindOf<CUkernel> {
  static constexpr auto value = wire::HandleKind::kFunction;
};
template <>
struct KindOf<CUstream> {
  static constexpr auto value = wire::HandleKind::kStream;
};
template <>
struct KindOf<CUevent> {
  static constexpr auto value = wire::HandleKind::kEvent;
};
template <>
struct KindOf<CUarray> {
  static constexpr auto value = wire::HandleKind::kArray;
};
template <>
struct KindOf<CUmipmappedArray> {
  static constexpr auto value = wire::HandleKind::kMipmappedArray;
};
template <>
struct KindOf<CUasyncCallbackHandle> {
  static constexpr auto value = wire::HandleKind::kAsyncCallback;
};
template <>
struct KindOf<CUmemoryPool> {
  static constexpr auto value = wire::HandleKind::kMemoryPool;
};
template <>
struct KindOf<CUlinkState> {
  static constexpr auto value = wire::HandleKind::kLinkState;
};
template <>
struct KindOf<CUgraph> {
  static constexpr auto value = wire::HandleKind::kGraph;
};
template <>
struct KindOf<CUgraphNode> {
  static constexpr auto value = wire::HandleKind::kGraphNode;
};
template <>
struct KindOf<CUuserObject> {
  static constexpr auto value = wire::HandleKind::kUserObject;
};
template <>
struct KindOf<CUgraphExec> {
  static constexpr auto value = wire::HandleKind::kGraphExec;
};

// As the application sees it.
template <typename T>
T to_application(wire::Handle handle) {
  return reinterpret_cast<T>(handle_value(KindOf<T>::value, handle));
}

// The live handle behind what the application passed; errors as Client::find_handle has them.
template <typename T>
CUresult find(Client& client, T value, wire::Handle* handle) {
  return client.find_handle(KindOf<T>::value, reinterpret_cast<uint64_t>(value), handle);
}

// The payload of a live handle of the client's own; null if it is none.
template <typename T>
void* find_payload(Client& client, T value) {
  const auto bits = reinterpret_cast<uint64_t>(value);
  if (handle_kind(bits) != KindOf<T>::value) return nullptr;
  return client.handles().payload(KindOf<T>::value, handle_of(bits));
}

inline ContextInfo* find_context(Client& client, CUcontext value) {
  return static_cast<ContextInfo*>(find_payload(client, value));
}
inline FunctionInfo* find_function(Client& client, CUfunction value) {
  if (void* known = find_payload(client, value)) return static_cast<FunctionInfo*>(known);
  return client.modules().adopted_function(handle_of(reinterpret_cast<uint64_t>(value)));
}
inline FunctionInfo* find_function(Client& client, CUkernel value) {
  return find_function(client, reinterpret_cast<CUfunction>(value));
}
inline ModuleInfo* find_module(Client& client, CUmodule value) {
  return static_cast<ModuleInfo*>(find_payload(client, value));
}
inline ModuleInfo* find_module(Client& client, CUlibrary value) {
  return static_cast<ModuleInfo*>(find_payload(client, value));
}

}  // namespace outboard::client::calls
