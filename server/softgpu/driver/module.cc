// Modules: programs in one context.
#include "server/softgpu/device/module.h"

#include "server/softgpu/device/note.h"
#include "server/softgpu/driver/driver.h"
#include "server/softgpu/driver/program.h"

using namespace outboard::softgpu;

namespace {

CUresult load(Context& context, std::shared_ptr<const ptx::Program> program, CUmodule* handle) {
  std::shared_ptr<Module> module;
  std::string message;
  const CUresult result = Module::load(context, std::move(program), {}, {}, &module, &message);
  if (result != CUDA_SUCCESS) {
    note(message);
    return result;
  }
  *handle = to_handle<CUmodule>(*module);
  context.add_module(std::move(module));
  return CUDA_SUCCESS;
}

template <typename F>
CUresult with_module(CUmodule handle, F&& function) noexcept {
  return with_platform([&](Platform& platform) -> CUresult {
    const auto module = find<Module>(platform, handle);
    return module == nullptr ? CUDA_ERROR_INVALID_HANDLE : function(*module);
  });
}

}  // namespace

extern "C" {

CUresult cuModuleLoadDataEx(CUmodule* handle, const void* image, unsigned int count, CUjit_option* options,
                            void** values) {
  return outside_captures([&](Context& context) -> CUresult {
    if (handle == nullptr || image == nullptr || (count != 0 && (options == nullptr || values == nullptr))) {
      return CUDA_ERROR_INVALID_VALUE;
    }
    std::shared_ptr<const ptx::Program> program;
    const CUresult result =
        compile_at(context.platform(), image, JitOptions(count, options, values), &program);
    return result == CUDA_SUCCESS ? load(context, std::move(program), handle) : result;
  });
}

CUresult cuModuleLoadData(CUmodule* handle, const void* image) {
  return cuModuleLoadDataEx(handle, image, 0, nullptr, nullptr);
}
CUresult cuModuleLoadFatBinary(CUmodule* handle, const void* image) {
  return cuModuleLoadData(handle, image);
}

CUresult cuModuleLoad(CUmodule* handle, const char* path) {
  return outside_captures([&](Context& context) -> CUresult {
    if (handle == nullptr) return CUDA_ERROR_INVALID_VALUE;
    std::shared_ptr<const ptx::Program> program;
    const CUresult result = compile_file(context.platform(), path, JitOptions(0, nullptr, nullptr), &program);
    return result == CUDA_SUCCESS ? load(context, std::move(program), handle) : result;
  });
}

CUresult cuModuleUnload(CUmodule handle) {
  return with_any_context([&](Context& current) -> CUresult {
    const auto module = find<Module>(current.platform(), handle);
    if (module == nullptr) return CUDA_ERROR_INVALID_HANDLE;
    Context& owner = module->context();
    // Modules of libraries go with their library.
    if (owner.remove_module(module.get()) == nullptr) return CUDA_ERROR_INVALID_HANDLE;
    (void)owner.synchronize();
    module->unload();
    current.platform().handles().remove<Module>(module->handle());
    return CUDA_SUCCESS;
  });
}

// Programs are compiled as a whole when they are loaded; EAGER makes the runtime load all of them at
// start-up, so the honest answer is the other one.
CUresult cuModuleGetLoadingMode(CUmoduleLoadingMode* mode) {
  if (mode == nullptr) return CUDA_ERROR_INVALID_VALUE;
  *mode = CU_MODULE_LAZY_LOADING;
  return CUDA_SUCCESS;
}

CUresult cuModuleGetFunction(CUfunction* function, CUmodule handle, const char* name) {
  return with_module(handle, [&](Module& module) -> CUresult {
    if (function == nullptr || name == nullptr) return CUDA_ERROR_INVALID_VALUE;
    const auto found = module.find_function(name);
    if (found == nullptr) return CUDA_ERROR_NOT_FOUND;
    *function = to_handle<CUfunction>(*found);
    return CUDA_SUCCESS;
  });
}

CUresult cuModuleGetFunctionCount(unsigned int* count, CUmodule handle) {
  return with_module(handle, [&](Module& module) -> CUresult {
    if (count == nullptr) return CUDA_ERROR_INVALID_VALUE;
    *count = static_cast<unsigned>(module.functions().size());
    return CUDA_SUCCESS;
  });
}

CUresult cuModuleEnumerateFunctions(CUfunction* functions, unsigned int count, CUmodule handle) {
  return with_module(handle, [&](Module& module) -> CUresult {
    if (functions == nullptr || count == 0) return CUDA_ERROR_INVALID_VALUE;
    for (size_t i = 0; i < count && i < module.functions().size(); ++i) {
      functions[i] = to_handle<CUfunction>(*module.functions()[i]);
    }
    return CUDA_SUCCESS;
  });
}

CUresult cuModuleGetGlobal_v2(CUdeviceptr* address, size_t* bytes, CUmodule handle, const char* name) {
  return with_module(handle, [&](Module& module) -> CUresult {
    if (name == nullptr) return CUDA_ERROR_INVALID_VALUE;
    uint64_t at = 0;
    uint64_t size = 0;
    if (!module.find_global(name, &at, &size)) return CUDA_ERROR_NOT_FOUND;
    if (address != nullptr) *address = at;
    if (bytes != nullptr) *bytes = size;
    return CUDA_SUCCESS;
  });
}

}  // extern "C"
