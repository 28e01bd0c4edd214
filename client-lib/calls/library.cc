// Libraries: code that belongs to no context; its kernels run in whichever is current.
#include "client-lib/calls/calls_gen.h"
#include "client-lib/calls/handles.h"
#include "client-lib/calls/module_loading.h"
#include "client-lib/calls/module_names.h"
#include "client-lib/session/client.h"

namespace outboard::client::calls {
namespace {

using wire::HandleKind;

struct LibraryArguments {
  CUlibraryOption* options = nullptr;
  void** values = nullptr;
  unsigned count = 0;
};

CUresult load_library(Client& client, CUlibrary* library, std::span<const std::byte> image,
                      const JitArguments& jit, const LibraryArguments& options) {
  if (options.count != 0 && options.options == nullptr) return CUDA_ERROR_INVALID_VALUE;
  LoadArguments arguments;
  arguments.kind = HandleKind::kLibrary;
  arguments.image = image;
  arguments.jit = jit;
  for (unsigned i = 0; i < options.count; ++i) {
    // A table of host functions means nothing on another machine. That the image stays where it is
    // (BINARY_IS_PRESERVED) is between the application and us: the server has its own copy.
    if (options.options[i] == CU_LIBRARY_HOST_UNIVERSAL_FUNCTION_AND_DATA_TABLE)
      return CUDA_ERROR_NOT_SUPPORTED;
  }
  uint64_t handle = 0;
  const CUresult result = load(client, arguments, &handle);
  if (result == CUDA_SUCCESS) *library = reinterpret_cast<CUlibrary>(handle);
  return result;
}

CUresult global_of(Client& client, CUlibrary library, const char* name, bool managed, GlobalInfo* global) {
  ModuleInfo* module = find_module(client, library);
  if (module == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  // Managed variables are the library's, whatever context there is; the CUDA runtime asks before any.
  if (managed) return find_global(client, *module, {}, name, true, global);
  ContextInfo* context = nullptr;
  if (const CUresult result = client.require_context(&context); result != CUDA_SUCCESS) return result;
  return find_global(client, *module, context->owner, name, false, global);
}

// A library's module has the functions that the library has; the library's mutex is held.
void list_functions(Client& client, const ModuleInfo& library, ModuleInfo& module) {
  module.enumerated = library.enumerated;
  for (const FunctionInfo* kernel : library.functions) {
    FunctionInfo* function = client.modules().new_function(module, kernel->name);
    function->layout_known = kernel->layout_known;
    function->parameters = kernel->parameters;
    function->parameter_bytes = kernel->parameter_bytes;
  }
}

}  // namespace

CUresult cuLibraryLoadData(Client& client, CUlibrary* library, const void* code, CUjit_option* jitOptions,
                           void** jitOptionsValues, unsigned int numJitOptions,
                           CUlibraryOption* libraryOptions, void** libraryOptionValues,
                           unsigned int numLibraryOptions) {
  if (library == nullptr) return CUDA_ERROR_INVALID_VALUE;
  JitArguments jit;
  if (const CUresult r = JitArguments::from(numJitOptions, jitOptions, jitOptionsValues, &jit);
      r != CUDA_SUCCESS) {
    return r;
  }
  std::span<const std::byte> bytes;
  std::vector<std::byte> joined;
  if (const CUresult result = measure(client, code, &bytes, &joined); result != CUDA_SUCCESS) return result;
  return load_library(client, library, bytes, jit, {libraryOptions, libraryOptionValues, numLibraryOptions});
}

CUresult cuLibraryLoadFromFile(Client& client, CUlibrary* library, const char* fileName,
                               CUjit_option* jitOptions, void** jitOptionsValues, unsigned int numJitOptions,
                               CUlibraryOption* libraryOptions, void** libraryOptionValues,
                               unsigned int numLibraryOptions) {
  if (library == nullptr || fileName == nullptr) return CUDA_ERROR_INVALID_VALUE;
  JitArguments jit;
  if (const CUresult r = JitArguments::from(numJitOptions, jitOptions, jitOptionsValues, &jit);
      r != CUDA_SUCCESS) {
    return r;
  }
  std::vector<std::byte> content;
  if (const CUresult result = read_file(fileName, &content); result != CUDA_SUCCESS) return result;
  return load_library(client, library, content, jit,
                      {libraryOptions, libraryOptionValues, numLibraryOptions});
}

CUresult cuLibraryUnload(Client& client, CUlibrary library) {
  ModuleInfo* module = find_module(client, library);
  if (module == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  // First the command: numbers are used again as soon as they are forgotten.
  const CUresult result = client.post(wire::UnloadModuleRequest{module->handle, 1});
  for (const auto& [context, handle] : module->modules_by_context) {
    ModuleInfo* of_context = find_module(client, to_application<CUmodule>(handle));
    if (of_context == nullptr) continue;  // it went with its context
    forget_names(client, *of_context);
    client.forget_handle(HandleKind::kModule, handle);
    client.modules().retire(*of_context);
  }
  forget_names(client, *module);
  client.forget_handle(HandleKind::kLibrary, module->handle);
  client.modules().retire(*module);
  return result;
}

CUresult cuLibraryGetKernel(Client& client, CUkernel* pKernel, CUlibrary library, const char* name) {
  if (pKernel == nullptr || name == nullptr) return CUDA_ERROR_INVALID_VALUE;
  ModuleInfo* module = find_module(client, library);
  if (module == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  FunctionInfo* kernel = nullptr;
  if (const CUresult result = bind_function(client, *module, name, &kernel); result != CUDA_SUCCESS)
    return result;
  *pKernel = to_application<CUkernel>(kernel->handle);
  return CUDA_SUCCESS;
}

CUresult cuLibraryGetKernelCount(Client& client, unsigned int* count, CUlibrary lib) {
  if (count == nullptr) return CUDA_ERROR_INVALID_VALUE;
  ModuleInfo* module = find_module(client, lib);
  if (module == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  if (!module->enumerated) return CUDA_ERROR_NOT_SUPPORTED;
  *count = static_cast<unsigned>(module->functions.size());
  return CUDA_SUCCESS;
}

CUresult cuLibraryEnumerateKernels(Client& client, CUkernel* kernels, unsigned int numKernels,
                                   CUlibrary lib) {
  if (kernels == nullptr) return CUDA_ERROR_INVALID_VALUE;
  ModuleInfo* module = find_module(client, lib);
  if (module == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  if (!module->enumerated) return CUDA_ERROR_NOT_SUPPORTED;
  for (unsigned i = 0; i < numKernels && i < module->functions.size(); ++i) {
    FunctionInfo* kernel = nullptr;
    const CUresult result = bind_function(client, *module, module->functions[i]->name.c_str(), &kernel);
    if (result != CUDA_SUCCESS) return result;
    kernels[i] = to_application<CUkernel>(kernel->handle);
  }
  return CUDA_SUCCESS;
}

// The library's module in the current context; one per context, whose functions are asked for by
// name.
CUresult cuLibraryGetModule(Client& client, CUmodule* pMod, CUlibrary library) {
  if (pMod == nullptr) return CUDA_ERROR_INVALID_VALUE;
  ModuleInfo* info = find_module(client, library);
  if (info == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  ContextInfo* context = nullptr;
  if (const CUresult result = client.require_context(&context); result != CUDA_SUCCESS) return result;
  std::lock_guard lock(info->mutex);
  const auto known = info->modules_by_context.find(context->owner.index);
  if (known != info->modules_by_context.end() && client.handles().alive(HandleKind::kModule, known->second)) {
    *pMod = to_application<CUmodule>(known->second);
    return CUDA_SUCCESS;
  }
  ModuleInfo* module = client.modules().new_module();
  module->context = context->owner;
  if (const CUresult result = client.create_handle_with(HandleKind::kModule, module, &module->handle);
      result != CUDA_SUCCESS) {
    return result;
  }
  wire::LibraryGetModuleReply reply;
  const CUresult result = client.call(wire::LibraryGetModuleRequest{info->handle, module->handle}, reply);
  if (result != CUDA_SUCCESS) {
    client.forget_handle(HandleKind::kModule, module->handle);
    client.modules().retire(*module);
    return result;
  }
  list_functions(client, *info, *module);
  info->modules_by_context[context->owner.index] = module->handle;
  *pMod = to_application<CUmodule>(module->handle);
  return CUDA_SUCCESS;
}

CUresult cuLibraryGetGlobal(Client& client, CUdeviceptr* dptr, size_t* bytes, CUlibrary library,
                            const char* name) {
  if (name == nullptr || (dptr == nullptr && bytes == nullptr)) return CUDA_ERROR_INVALID_VALUE;
  GlobalInfo global;
  if (const CUresult r = global_of(client, library, name, false, &global); r != CUDA_SUCCESS) return r;
  if (dptr != nullptr) *dptr = global.address;
  if (bytes != nullptr) *bytes = global.size_bytes;
  return CUDA_SUCCESS;
}

CUresult cuLibraryGetManaged(Client& client, CUdeviceptr* dptr, size_t* bytes, CUlibrary library,
                             const char* name) {
  if (name == nullptr || (dptr == nullptr && bytes == nullptr)) return CUDA_ERROR_INVALID_VALUE;
  GlobalInfo global;
  if (const CUresult r = global_of(client, library, name, true, &global); r != CUDA_SUCCESS) return r;
  if (dptr != nullptr) *dptr = global.address;
  if (bytes != nullptr) *bytes = global.size_bytes;
  return CUDA_SUCCESS;
}

CUresult cuKernelGetFunction(Client& client, CUfunction* pFunc, CUkernel kernel) {
  if (pFunc == nullptr) return CUDA_ERROR_INVALID_VALUE;
  FunctionInfo* info = find_function(client, kernel);
  if (info == nullptr || !info->is_kernel) return CUDA_ERROR_INVALID_HANDLE;
  ContextInfo* context = nullptr;
  if (const CUresult result = client.require_context(&context); result != CUDA_SUCCESS) return result;
  FunctionInfo* function = nullptr;
  if (const CUresult result = instance_in_context(client, *info, &function); result != CUDA_SUCCESS)
    return result;
  *pFunc = to_application<CUfunction>(function->handle);
  return CUDA_SUCCESS;
}

CUresult cuKernelGetLibrary(Client& client, CUlibrary* pLib, CUkernel kernel) {
  if (pLib == nullptr) return CUDA_ERROR_INVALID_VALUE;
  const FunctionInfo* info = find_function(client, kernel);
  if (info == nullptr || !info->is_kernel) return CUDA_ERROR_INVALID_HANDLE;
  *pLib = to_application<CUlibrary>(info->module->handle);
  return CUDA_SUCCESS;
}

}  // namespace outboard::client::calls
