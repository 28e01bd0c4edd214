// Libraries and kernels: programs that belong to no context.
#include "server/softgpu/device/module.h"
#include "server/softgpu/device/note.h"
#include "server/softgpu/driver/driver.h"
#include "server/softgpu/driver/program.h"

using namespace outboard::softgpu;

namespace {

CUresult make_library(Platform& platform, std::shared_ptr<const ptx::Program> program, CUlibrary* handle) {
  auto library = std::make_shared<Library>(platform, std::move(program));
  if (const CUresult result = library->prepare(); result != CUDA_SUCCESS) {
    library->unload();
    return result;
  }
  *handle = reinterpret_cast<CUlibrary>(platform.handles().add(std::move(library)));
  return CUDA_SUCCESS;
}

template <typename F>
CUresult with_library(CUlibrary handle, F&& function) noexcept {
  return with_platform([&](Platform& platform) -> CUresult {
    const auto library = find<Library>(platform, handle);
    return library == nullptr ? CUDA_ERROR_INVALID_HANDLE : function(*library);
  });
}

// The library's module in the current context: function(Module&).
template <typename F>
CUresult with_library_module(CUlibrary handle, F&& function) noexcept {
  return with_context([&](Context& context) {
    return with_library(handle, [&](Library& library) -> CUresult {
      std::shared_ptr<Module> module;
      std::string message;
      const CUresult result = library.module_in(context, &module, &message);
      if (result == CUDA_SUCCESS) return function(*module);
      note(message);
      return result;
    });
  });
}

template <typename F>
CUresult with_kernel(CUkernel handle, F&& function) noexcept {
  return with_platform([&](Platform& platform) -> CUresult {
    const auto kernel = find<Kernel>(platform, handle);
    return kernel == nullptr ? CUDA_ERROR_INVALID_HANDLE : function(*kernel);
  });
}

// function(Kernel&, FunctionSettings& on that device).
template <typename F>
CUresult with_kernel_on(CUkernel handle, CUdevice device, F&& function) noexcept {
  return with_kernel(handle, [&](Kernel& kernel) -> CUresult {
    if (Driver::instance().platform().device(device) == nullptr) return CUDA_ERROR_INVALID_DEVICE;
    return function(kernel, *kernel.settings(device));
  });
}

}  // namespace

extern "C" {

CUresult cuLibraryLoadData(CUlibrary* handle, const void* code, CUjit_option* options, void** values,
                           unsigned int count, CUlibraryOption*, void**, unsigned int) {
  return with_platform([&](Platform& platform) -> CUresult {
    if (handle == nullptr || code == nullptr || (count != 0 && (options == nullptr || values == nullptr))) {
      return CUDA_ERROR_INVALID_VALUE;
    }
    std::shared_ptr<const ptx::Program> program;
    const CUresult result = compile_at(platform, code, JitOptions(count, options, values), &program);
    return result == CUDA_SUCCESS ? make_library(platform, std::move(program), handle) : result;
  });
}

CUresult cuLibraryLoadFromFile(CUlibrary* handle, const char* path, CUjit_option* options, void** values,
                               unsigned int count, CUlibraryOption*, void**, unsigned int) {
  return with_platform([&](Platform& platform) -> CUresult {
    if (handle == nullptr || (count != 0 && (options == nullptr || values == nullptr)))
      return CUDA_ERROR_INVALID_VALUE;
    std::shared_ptr<const ptx::Program> program;
    const CUresult result = compile_file(platform, path, JitOptions(count, options, values), &program);
    return result == CUDA_SUCCESS ? make_library(platform, std::move(program), handle) : result;
  });
}

CUresult cuLibraryUnload(CUlibrary handle) {
  return with_platform([&](Platform& platform) -> CUresult {
    const auto library = platform.handles().remove<Library>(reinterpret_cast<uint64_t>(handle));
    if (library == nullptr) return CUDA_ERROR_INVALID_HANDLE;
    library->unload();
    return CUDA_SUCCESS;
  });
}

CUresult cuLibraryGetKernel(CUkernel* kernel, CUlibrary handle, const char* name) {
  return with_library(handle, [&](Library& library) -> CUresult {
    if (kernel == nullptr || name == nullptr) return CUDA_ERROR_INVALID_VALUE;
    const auto found = library.find_kernel(name);
    if (found == nullptr) return CUDA_ERROR_NOT_FOUND;
    *kernel = to_handle<CUkernel>(*found);
    return CUDA_SUCCESS;
  });
}

CUresult cuLibraryGetKernelCount(unsigned int* count, CUlibrary handle) {
  return with_library(handle, [&](Library& library) -> CUresult {
    if (count == nullptr) return CUDA_ERROR_INVALID_VALUE;
    *count = static_cast<unsigned>(library.kernels().size());
    return CUDA_SUCCESS;
  });
}

CUresult cuLibraryEnumerateKernels(CUkernel* kernels, unsigned int count, CUlibrary handle) {
  return with_library(handle, [&](Library& library) -> CUresult {
    if (kernels == nullptr || count == 0) return CUDA_ERROR_INVALID_VALUE;
    for (size_t i = 0; i < count && i < library.kernels().size(); ++i) {
      kernels[i] = to_handle<CUkernel>(*library.kernels()[i]);
    }
    return CUDA_SUCCESS;
  });
}

CUresult cuLibraryGetModule(CUmodule* handle, CUlibrary library) {
  return with_library_module(library, [&](Module& module) -> CUresult {
    if (handle == nullptr) return CUDA_ERROR_INVALID_VALUE;
    *handle = to_handle<CUmodule>(module);
    return CUDA_SUCCESS;
  });
}

CUresult cuLibraryGetGlobal(CUdeviceptr* address, size_t* bytes, CUlibrary library, const char* name) {
  return with_library_module(library, [&](Module& module) {
    return cuModuleGetGlobal_v2(address, bytes, to_handle<CUmodule>(module), name);
  });
}

CUresult cuLibraryGetManaged(CUdeviceptr* address, size_t* bytes, CUlibrary handle, const char* name) {
  return with_library(handle, [&](Library& library) -> CUresult {
    if (name == nullptr) return CUDA_ERROR_INVALID_VALUE;
    uint64_t at = 0;
    uint64_t size = 0;
    if (!library.find_managed(name, &at, &size)) return CUDA_ERROR_NOT_FOUND;
    if (address != nullptr) *address = at;
    if (bytes != nullptr) *bytes = size;
    return CUDA_SUCCESS;
  });
}

// Functions with one address for host and device do not exist here, see the device attribute.
CUresult cuLibraryGetUnifiedFunction(void**, CUlibrary, const char*) { return CUDA_ERROR_NOT_FOUND; }

CUresult cuKernelGetFunction(CUfunction* function, CUkernel handle) {
  return with_context([&](Context& context) {
    return with_kernel(handle, [&](Kernel& kernel) -> CUresult {
      if (function == nullptr) return CUDA_ERROR_INVALID_VALUE;
      std::shared_ptr<Function> found;
      std::string message;
      const CUresult result = kernel.function_in(context, &found, &message);
      if (result == CUDA_SUCCESS) *function = to_handle<CUfunction>(*found);
      return result;
    });
  });
}

CUresult cuKernelGetLibrary(CUlibrary* library, CUkernel handle) {
  return with_kernel(handle, [&](Kernel& kernel) -> CUresult {
    const auto owner = kernel.library();
    if (library == nullptr || owner == nullptr) return CUDA_ERROR_INVALID_VALUE;
    *library = to_handle<CUlibrary>(*owner);
    return CUDA_SUCCESS;
  });
}

CUresult cuKernelGetAttribute(int* value, CUfunction_attribute attribute, CUkernel handle, CUdevice device) {
  return with_kernel_on(handle, device, [&](Kernel& kernel, FunctionSettings& settings) {
    return value == nullptr ? CUDA_ERROR_INVALID_VALUE
                            : read_function_attribute(kernel.kernel(), settings, attribute, value);
  });
}

CUresult cuKernelSetAttribute(CUfunction_attribute attribute, int value, CUkernel handle, CUdevice device) {
  return with_kernel_on(handle, device, [&](Kernel& kernel, FunctionSettings& settings) {
    return write_function_attribute(kernel.kernel(), settings, attribute, value);
  });
}

CUresult cuKernelSetCacheConfig(CUkernel handle, CUfunc_cache, CUdevice device) {
  return with_kernel_on(handle, device, [](Kernel&, FunctionSettings&) { return CUDA_SUCCESS; });
}

CUresult cuKernelGetName(const char** name, CUkernel handle) {
  return with_kernel(handle, [&](Kernel& kernel) -> CUresult {
    if (name == nullptr) return CUDA_ERROR_INVALID_VALUE;
    *name = kernel.kernel().name.c_str();
    return CUDA_SUCCESS;
  });
}

CUresult cuKernelGetParamInfo(CUkernel handle, size_t index, size_t* offset, size_t* bytes) {
  return with_kernel(handle, [&](Kernel& kernel) -> CUresult {
    const auto& params = kernel.kernel().params;
    if (index >= params.size() || offset == nullptr) return CUDA_ERROR_INVALID_VALUE;
    *offset = params[index].offset;
    if (bytes != nullptr) *bytes = params[index].size;
    return CUDA_SUCCESS;
  });
}

}  // extern "C"
