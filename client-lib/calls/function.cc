// Functions and kernels: attributes and parameters are known since the load.
#include "client-lib/calls/calls_gen.h"
#include "client-lib/calls/handles.h"
#include "client-lib/calls/module_loading.h"
#include "client-lib/session/client.h"
#include "protocol/wire/messages_module_gen.h"

namespace outboard::client::calls {
namespace {

// Attributes that a program may set, with the range the client can check.
CUresult check_attribute(Client& client, const FunctionInfo& function, uint32_t attribute, int value,
                         uint32_t server_device) {
  switch (attribute) {
    case CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES: {
      const Device* device = client.devices().on_server(server_device);
      const int64_t limit =
          device->attribute_or(CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN, INT32_MAX);
      const int64_t fixed = function.attributes.get(CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES).value_or(0);
      return value < 0 || value + fixed > limit ? CUDA_ERROR_INVALID_VALUE : CUDA_SUCCESS;
    }
    case CU_FUNC_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT:
      return value < -1 || value > 100 ? CUDA_ERROR_INVALID_VALUE : CUDA_SUCCESS;
    case CU_FUNC_ATTRIBUTE_REQUIRED_CLUSTER_WIDTH:
    case CU_FUNC_ATTRIBUTE_REQUIRED_CLUSTER_HEIGHT:
    case CU_FUNC_ATTRIBUTE_REQUIRED_CLUSTER_DEPTH:
    case CU_FUNC_ATTRIBUTE_NON_PORTABLE_CLUSTER_SIZE_ALLOWED:
    case CU_FUNC_ATTRIBUTE_CLUSTER_SCHEDULING_POLICY_PREFERENCE: return CUDA_SUCCESS;
    default: return CUDA_ERROR_INVALID_VALUE;
  }
}

CUresult ask(Client& client, const FunctionInfo& function, uint32_t attribute, int32_t device, int* value) {
  wire::FunctionGetAttributeReply reply;
  const CUresult result =
      client.call(wire::FunctionGetAttributeRequest{function.handle, attribute, device}, reply);
  if (result == CUDA_SUCCESS) *value = reply.value;
  return result;
}

CUresult set_cache_config(Client& client, const FunctionInfo& function, CUfunc_cache config, int32_t device) {
  if (config < CU_FUNC_CACHE_PREFER_NONE || config > CU_FUNC_CACHE_PREFER_EQUAL)
    return CUDA_ERROR_INVALID_VALUE;
  return client.post(
      wire::FunctionSetCacheConfigRequest{function.handle, static_cast<uint32_t>(config), device});
}

CUresult parameter_info(const FunctionInfo& function, size_t index, size_t* offset, size_t* size) {
  if (!function.layout_known) return CUDA_ERROR_NOT_SUPPORTED;
  if (index >= function.parameters.size()) return CUDA_ERROR_INVALID_VALUE;
  *offset = function.parameters[index].offset_bytes;
  if (size != nullptr) *size = function.parameters[index].size_bytes;
  return CUDA_SUCCESS;
}

}  // namespace

CUresult cuFuncGetAttribute(Client& client, int* pi, CUfunction_attribute attrib, CUfunction hfunc) {
  if (pi == nullptr) return CUDA_ERROR_INVALID_VALUE;
  FunctionInfo* function = find_function(client, hfunc);
  if (function == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  if (const auto known = function->attributes.get(attrib)) {
    *pi = *known;
    return CUDA_SUCCESS;
  }
  const CUresult result = ask(client, *function, attrib, -1, pi);
  if (result == CUDA_SUCCESS) function->attributes.set(attrib, *pi);
  return result;
}

CUresult cuKernelGetAttribute(Client& client, int* pi, CUfunction_attribute attrib, CUkernel kernel,
                              CUdevice dev) {
  if (pi == nullptr) return CUDA_ERROR_INVALID_VALUE;
  FunctionInfo* function = find_function(client, kernel);
  if (function == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  int32_t device = 0;
  if (const CUresult result = client.server_device(dev, &device); result != CUDA_SUCCESS) return result;
  // What came with the load holds for one device; where there are more, each is asked.
  const bool one_device = client.devices().server_count() == 1;
  if (one_device) {
    if (const auto known = function->attributes.get(attrib)) {
      *pi = *known;
      return CUDA_SUCCESS;
    }
  }
  const CUresult result = ask(client, *function, attrib, device, pi);
  if (result == CUDA_SUCCESS && one_device) function->attributes.set(attrib, *pi);
  return result;
}

CUresult cuFuncSetAttribute(Client& client, CUfunction hfunc, CUfunction_attribute attrib, int value) {
  FunctionInfo* function = find_function(client, hfunc);
  if (function == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  ContextInfo* context = nullptr;
  if (const CUresult result = client.require_context(&context); result != CUDA_SUCCESS) return result;
  const CUresult checked = check_attribute(client, *function, attrib, value, context->device);
  if (checked != CUDA_SUCCESS) return checked;
  wire::FunctionSetAttributeRequest request;
  request.function = function->handle;
  request.attribute = static_cast<uint32_t>(attrib);
  request.value = value;
  request.device = -1;
  const CUresult result = client.post(request);
  if (result == CUDA_SUCCESS) function->attributes.set(attrib, value);
  return result;
}

CUresult cuKernelSetAttribute(Client& client, CUfunction_attribute attrib, int val, CUkernel kernel,
                              CUdevice dev) {
  FunctionInfo* function = find_function(client, kernel);
  if (function == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  int32_t device = 0;
  if (const CUresult result = client.server_device(dev, &device); result != CUDA_SUCCESS) return result;
  const CUresult checked = check_attribute(client, *function, attrib, val, static_cast<uint32_t>(device));
  if (checked != CUDA_SUCCESS) return checked;
  wire::FunctionSetAttributeRequest request;
  request.function = function->handle;
  request.attribute = static_cast<uint32_t>(attrib);
  request.value = val;
  request.device = device;
  const CUresult result = client.post(request);
  if (result != CUDA_SUCCESS) return result;
  std::lock_guard lock(function->module->mutex);
  function->attributes.set(attrib, val);
  for (const auto& [context, instance] : function->instances) instance->attributes.set(attrib, val);
  return CUDA_SUCCESS;
}

CUresult cuFuncSetCacheConfig(Client& client, CUfunction hfunc, CUfunc_cache config) {
  const FunctionInfo* function = find_function(client, hfunc);
  if (function == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  return set_cache_config(client, *function, config, -1);
}

CUresult cuKernelSetCacheConfig(Client& client, CUkernel kernel, CUfunc_cache config, CUdevice dev) {
  const FunctionInfo* function = find_function(client, kernel);
  if (function == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  int32_t device = 0;
  if (const CUresult result = client.server_device(dev, &device); result != CUDA_SUCCESS) return result;
  return set_cache_config(client, *function, config, device);
}

CUresult cuFuncGetModule(Client& client, CUmodule* hmod, CUfunction hfunc) {
  if (hmod == nullptr) return CUDA_ERROR_INVALID_VALUE;
  const FunctionInfo* function = find_function(client, hfunc);
  if (function == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  if (function->module->kind == wire::HandleKind::kLibrary) {
    return cuLibraryGetModule(client, hmod, to_application<CUlibrary>(function->module->handle));
  }
  *hmod = to_application<CUmodule>(function->module->handle);
  return CUDA_SUCCESS;
}

CUresult cuFuncGetName(Client& client, const char** name, CUfunction hfunc) {
  if (name == nullptr) return CUDA_ERROR_INVALID_VALUE;
  const FunctionInfo* function = find_function(client, hfunc);
  if (function == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  *name = function->name.c_str();
  return CUDA_SUCCESS;
}

CUresult cuKernelGetName(Client& client, const char** name, CUkernel hfunc) {
  return cuFuncGetName(client, name, reinterpret_cast<CUfunction>(hfunc));
}

CUresult cuFuncGetParamInfo(Client& client, CUfunction func, size_t paramIndex, size_t* paramOffset,
                            size_t* paramSize) {
  if (paramOffset == nullptr) return CUDA_ERROR_INVALID_VALUE;
  const FunctionInfo* function = find_function(client, func);
  if (function == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  return parameter_info(*function, paramIndex, paramOffset, paramSize);
}

CUresult cuKernelGetParamInfo(Client& client, CUkernel kernel, size_t paramIndex, size_t* paramOffset,
                              size_t* paramSize) {
  return cuFuncGetParamInfo(client, reinterpret_cast<CUfunction>(kernel), paramIndex, paramOffset, paramSize);
}

// The server's driver loads code when it likes; for the application everything bound is loaded.
CUresult cuFuncIsLoaded(Client& client, CUfunctionLoadingState* state, CUfunction function) {
  if (state == nullptr) return CUDA_ERROR_INVALID_VALUE;
  if (find_function(client, function) == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  *state = CU_FUNCTION_LOADING_STATE_LOADED;
  return CUDA_SUCCESS;
}

CUresult cuFuncLoad(Client& client, CUfunction function) {
  return find_function(client, function) == nullptr ? CUDA_ERROR_INVALID_HANDLE : CUDA_SUCCESS;
}

}  // namespace outboard::client::calls
