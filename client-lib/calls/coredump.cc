// Settings of core dumps of the device; see protocol/abi/coredump_settings.h.
#include "client-lib/calls/calls_gen.h"
#include "client-lib/calls/handles.h"
#include "client-lib/session/client.h"

namespace outboard::client::calls {
namespace {

constexpr uint64_t kGlobal = abi::CoredumpSettings::kGlobal;

// The current context's settings are kept under its handle.
CUresult current_scope(Client& client, uint64_t* scope) {
  ContextInfo* context = nullptr;
  if (const CUresult result = client.require_context(&context); result != CUDA_SUCCESS) return result;
  *scope = handle_value(wire::HandleKind::kContext, context->handle);
  return CUDA_SUCCESS;
}

}  // namespace

CUresult cuCoredumpGetAttribute(Client& client, CUcoredumpSettings attrib, void* value, size_t* size) {
  uint64_t scope = 0;
  if (const CUresult result = current_scope(client, &scope); result != CUDA_SUCCESS) return result;
  return client.coredump_settings().get(scope, attrib, value, size);
}

CUresult cuCoredumpGetAttributeGlobal(Client& client, CUcoredumpSettings attrib, void* value, size_t* size) {
  return client.coredump_settings().get(kGlobal, attrib, value, size);
}

CUresult cuCoredumpSetAttribute(Client& client, CUcoredumpSettings attrib, void* value, size_t* size) {
  uint64_t scope = 0;
  if (const CUresult result = current_scope(client, &scope); result != CUDA_SUCCESS) return result;
  return client.coredump_settings().set(scope, attrib, value, size);
}

CUresult cuCoredumpSetAttributeGlobal(Client& client, CUcoredumpSettings attrib, void* value, size_t* size) {
  return client.coredump_settings().set(kGlobal, attrib, value, size);
}

}  // namespace outboard::client::calls
