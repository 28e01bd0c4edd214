// Modules: code that belongs to a context.
#include "client-lib/calls/calls_gen.h"
#include "client-lib/calls/handles.h"
#include "client-lib/calls/module_loading.h"
#include "client-lib/calls/module_names.h"
#include "client-lib/session/client.h"

namespace outboard::client::calls {
namespace {

using wire::HandleKind;

CUresult load_module(Client& client, CUmodule* module, std::span<const std::byte> image,
                     const JitArguments& jit) {
  ContextInfo* context = nullptr;
  if (const CUresult result = client.require_context(&context); result != CUDA_SUCCESS) return result;
  LoadArguments arguments;
  arguments.image = image;
  arguments.jit = jit;
  uint64_t handle = 0;
  const CUresult result = load(client, arguments, &handle);
  if (result == CUDA_SUCCESS) *module = reinterpret_cast<CUmodule>(handle);
  return result;
}

}  // namespace

CUresult cuModuleLoadDataEx(Client& client, CUmodule* module, const void* image, unsigned int numOptions,
                            CUjit_option* options, void** optionValues) {
  if (module == nullptr) return CUDA_ERROR_INVALID_VALUE;
  JitArguments jit;
  if (const CUresult r = JitArguments::from(numOptions, options, optionValues, &jit); r != CUDA_SUCCESS)
    return r;
  std::span<const std::byte> bytes;
  std::vector<std::byte> joined;
  if (const CUresult result = measure(client, image, &bytes, &joined); result != CUDA_SUCCESS) return result;
  return load_module(client, module, bytes, jit);
}

CUresult cuModuleLoadData(Client& client, CUmodule* module, const void* image) {
  return cuModuleLoadDataEx(client, module, image, 0, nullptr, nullptr);
}

CUresult cuModuleLoadFatBinary(Client& client, CUmodule* module, const void* fatCubin) {
  return cuModuleLoadDataEx(client, module, fatCubin, 0, nullptr, nullptr);
}

CUresult cuModuleLoad(Client& client, CUmodule* module, const char* fname) {
  if (module == nullptr || fname == nullptr) return CUDA_ERROR_INVALID_VALUE;
  std::vector<std::byte> content;
  if (const CUresult result = read_file(fname, &content); result != CUDA_SUCCESS) return result;
  return load_module(client, module, content, {});
}

CUresult cuModuleUnload(Client& client, CUmodule hmod) {
  ModuleInfo* module = find_module(client, hmod);
  if (module == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  // First the command: numbers are used again as soon as they are forgotten.
  const CUresult result = client.post(wire::UnloadModuleRequest{module->handle, 0});
  forget_names(client, *module);
  client.forget_handle(HandleKind::kModule, module->handle);
  client.modules().retire(*module);
  return result;
}

CUresult cuModuleGetFunction(Client& client, CUfunction* hfunc, CUmodule hmod, const char* name) {
  if (hfunc == nullptr || name == nullptr) return CUDA_ERROR_INVALID_VALUE;
  ModuleInfo* module = find_module(client, hmod);
  if (module == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  FunctionInfo* function = nullptr;
  if (const CUresult result = bind_function(client, *module, name, &function); result != CUDA_SUCCESS)
    return result;
  *hfunc = to_application<CUfunction>(function->handle);
  return CUDA_SUCCESS;
}

CUresult cuModuleGetGlobal_v2(Client& client, CUdeviceptr* dptr, size_t* bytes, CUmodule hmod,
                              const char* name) {
  if (name == nullptr || (dptr == nullptr && bytes == nullptr)) return CUDA_ERROR_INVALID_VALUE;
  ModuleInfo* module = find_module(client, hmod);
  if (module == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  GlobalInfo global;
  if (const CUresult r = find_global(client, *module, module->context, name, false, &global);
      r != CUDA_SUCCESS) {
    return r;
  }
  if (dptr != nullptr) *dptr = global.address;
  if (bytes != nullptr) *bytes = global.size_bytes;
  return CUDA_SUCCESS;
}

CUresult cuModuleGetFunctionCount(Client& client, unsigned int* count, CUmodule mod) {
  if (count == nullptr) return CUDA_ERROR_INVALID_VALUE;
  ModuleInfo* module = find_module(client, mod);
  if (module == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  if (!module->enumerated) return CUDA_ERROR_NOT_SUPPORTED;
  *count = static_cast<unsigned>(module->functions.size());
  return CUDA_SUCCESS;
}

CUresult cuModuleEnumerateFunctions(Client& client, CUfunction* functions, unsigned int numFunctions,
                                    CUmodule mod) {
  if (functions == nullptr) return CUDA_ERROR_INVALID_VALUE;
  ModuleInfo* module = find_module(client, mod);
  if (module == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  if (!module->enumerated) return CUDA_ERROR_NOT_SUPPORTED;
  for (unsigned i = 0; i < numFunctions && i < module->functions.size(); ++i) {
    FunctionInfo* function = nullptr;
    const CUresult result = bind_function(client, *module, module->functions[i]->name.c_str(), &function);
    if (result != CUDA_SUCCESS) return result;
    functions[i] = to_application<CUfunction>(function->handle);
  }
  return CUDA_SUCCESS;
}

// What this driver does by itself: names are known with the load, code is bound when asked for.
CUresult cuModuleGetLoadingMode(Client&, CUmoduleLoadingMode* mode) {
  if (mode == nullptr) return CUDA_ERROR_INVALID_VALUE;
  *mode = CU_MODULE_LAZY_LOADING;
  return CUDA_SUCCESS;
}

}  // namespace outboard::client::calls
