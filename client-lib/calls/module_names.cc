#include "client-lib/calls/module_names.h"

#include <unistd.h>

#include "client-lib/calls/module_loading.h"
#include "protocol/base/bytes.h"
#include "protocol/wire/messages_memory_gen.h"

namespace outboard::client::calls {
namespace {

using wire::Handle;
using wire::HandleKind;

uint8_t kind_number(const ModuleInfo& module) { return module.kind == HandleKind::kLibrary ? 1 : 0; }

// Functions of a module end with its context. Those of a library do not: only their instances do.
CUresult new_handle(Client& client, FunctionInfo* function, uint32_t context_index, Handle* handle) {
  *handle = client.handles().create(HandleKind::kFunction, function, context_index);
  return handle->is_null() ? CUDA_ERROR_OUT_OF_MEMORY : CUDA_SUCCESS;
}

// The driver cannot list its functions: asks for this one. The module's mutex is held.
CUresult ask_for_function(Client& client, ModuleInfo& module, const char* name, FunctionInfo** out) {
  FunctionInfo* function = client.modules().new_function(module, name);
  Handle handle;
  CUresult result = new_handle(client, function, module.context.index, &handle);
  if (result == CUDA_SUCCESS) {
    wire::GetFunctionReply reply;
    result = client.call(wire::GetFunctionRequest{module.handle, kind_number(module), name, handle}, reply);
    if (result == CUDA_SUCCESS) fill_function(*function, reply.description);
  }
  if (result != CUDA_SUCCESS) {
    client.forget_handle(HandleKind::kFunction, handle);
    module.functions_by_name.erase(name);
    module.functions.pop_back();
    return result;
  }
  function->handle = handle;
  *out = function;
  return CUDA_SUCCESS;
}

// Host code uses a managed variable where the device has it.
CUresult mirror_variable(Client& client, const GlobalInfo& global) {
  if (client.mirrors().covers(global.address)) return CUDA_SUCCESS;
  const auto page = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  uint64_t base = global.address;
  uint64_t bytes = (global.size_bytes + page - 1) / page * page;
  if (base % page != 0) {
    // The driver packs several into one allocation: that is mirrored then.
    wire::MemGetAddressRangeReply range;
    const CUresult result = client.call(wire::MemGetAddressRangeRequest{global.address}, range);
    if (result != CUDA_SUCCESS) return result;
    base = range.base;
    bytes = range.size_bytes;
  }
  // Content moves in the first device's primary context: the variables themselves belong to none.
  const CUresult added = client.mirrors().add(base, bytes, {1, 1}, PageState::kDevice);
  if (added == CUDA_SUCCESS) return CUDA_SUCCESS;
  client.log_once(
      LogLevel::kError, "managed variable",
      text("The managed variable at ", hex_number(global.address), " cannot be used by host code: its ",
           bytes, " bytes from ", hex_number(base), " on are not free in this process."));
  return CUDA_ERROR_NOT_SUPPORTED;
}

}  // namespace

CUresult bind_function(Client& client, ModuleInfo& module, const char* name, FunctionInfo** out) {
  std::lock_guard lock(module.mutex);
  const auto it = module.functions_by_name.find(name);
  if (it == module.functions_by_name.end()) {
    return module.enumerated ? CUDA_ERROR_NOT_FOUND : ask_for_function(client, module, name, out);
  }
  FunctionInfo* function = it->second;
  if (function->handle.is_null()) {
    Handle handle;
    CUresult result = new_handle(client, function, module.context.index, &handle);
    if (result != CUDA_SUCCESS) return result;
    result = client.post(wire::BindFunctionRequest{module.handle, kind_number(module), name, handle});
    if (result != CUDA_SUCCESS) {
      client.forget_handle(HandleKind::kFunction, handle);
      return result;
    }
    function->handle = handle;
  }
  *out = function;
  return CUDA_SUCCESS;
}

CUresult find_global(Client& client, ModuleInfo& module, Handle context, const char* name, bool managed,
                     GlobalInfo* global) {
  std::lock_guard lock(module.mutex);
  // A managed variable is the same in all contexts, and is one only if the driver says so.
  const std::pair<std::string, uint32_t> key(name, managed ? UINT32_MAX : context.index);
  if (const auto it = module.globals.find(key); it != module.globals.end()) {
    *global = it->second;
    return CUDA_SUCCESS;
  }
  wire::GetGlobalReply reply;
  const CUresult result =
      client.call(wire::GetGlobalRequest{module.handle, kind_number(module), managed, name}, reply);
  if (result != CUDA_SUCCESS) return result;
  global->address = reply.address;
  global->size_bytes = reply.size_bytes;
  if (managed) {
    if (const CUresult mirrored = mirror_variable(client, *global); mirrored != CUDA_SUCCESS) return mirrored;
  }
  module.globals.emplace(key, *global);
  MemoryRange range;
  range.base = reply.address;
  range.bytes = reply.size_bytes;
  range.kind = managed ? MemoryKind::kManaged : MemoryKind::kGlobal;
  range.context = context;
  // Fails where two names share one address, which is then known already.
  (void)client.device_memory().insert(range);
  return CUDA_SUCCESS;
}

void forget_names(Client& client, ModuleInfo& module) {
  std::lock_guard lock(module.mutex);
  for (FunctionInfo* function : module.functions) {
    if (!function->handle.is_null()) client.forget_handle(HandleKind::kFunction, function->handle);
    for (const auto& [context, instance] : function->instances) {
      client.forget_handle(HandleKind::kFunction, instance->handle);
    }
  }
  for (const auto& [name, global] : module.globals) {
    const auto range = client.device_memory().remove(global.address);
    if (range && range->kind == MemoryKind::kManaged) (void)client.mirrors().remove(global.address);
  }
  module.globals.clear();
}

CUresult instance_in_context(Client& client, FunctionInfo& kernel, FunctionInfo** out) {
  std::lock_guard lock(kernel.module->mutex);
  const Handle context = client.owning_context();
  const auto it = kernel.instances.find(context.index);
  if (it != kernel.instances.end() && client.handles().alive(HandleKind::kFunction, it->second->handle)) {
    *out = it->second;
    return CUDA_SUCCESS;
  }
  FunctionInfo* instance = client.modules().copy_function(kernel);
  Handle handle;
  CUresult result = new_handle(client, instance, context.index, &handle);
  if (result != CUDA_SUCCESS) return result;
  result = client.post(wire::KernelGetFunctionRequest{kernel.handle, handle});
  if (result != CUDA_SUCCESS) {
    client.forget_handle(HandleKind::kFunction, handle);
    return result;
  }
  instance->handle = handle;
  kernel.instances[context.index] = instance;
  *out = instance;
  return CUDA_SUCCESS;
}

}  // namespace outboard::client::calls
