// The few functions of the CUDA driver API that the demo needs, found in whatever libcuda.so.1 the
// loader finds. Names, values and signatures are the driver API's; no header of the toolkit is used.
#pragma once

#include <dlfcn.h>

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <type_traits>

using DevicePointer = unsigned long long;

struct DriverFunctions {
  int (*init)(unsigned);
  int (*device_get)(int*, int);
  int (*device_get_name)(char*, int, int);
  int (*device_total_memory)(size_t*, int);
  int (*primary_context_retain)(void**, int);
  int (*context_set_current)(void*);
  int (*module_load_data)(void**, const void*);
  int (*module_get_function)(void**, void*, const char*);
  int (*memory_allocate)(DevicePointer*, size_t);
  int (*memory_free)(DevicePointer);
  int (*copy_to_device)(DevicePointer, const void*, size_t);
  int (*copy_to_host)(void*, DevicePointer, size_t);
  int (*launch_kernel)(void*, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, void*,
                       void**, void**);
  int (*context_synchronize)();
  int (*module_unload)(void*);
  int (*primary_context_release)(int);
  int (*get_error_name)(int, const char**);
};

// Ends the program with FAIL when the library or one of its functions is missing.
inline DriverFunctions load_driver_functions() {
  void* library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) {
    std::printf("FAIL: %s\n", dlerror());
    std::exit(1);
  }
  DriverFunctions driver{};
  const auto find = [library](auto& function, const char* name) {
    function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(dlsym(library, name));
    if (function != nullptr) return;
    std::printf("FAIL: libcuda.so.1 has no %s\n", name);
    std::exit(1);
  };
  find(driver.init, "cuInit");
  find(driver.device_get, "cuDeviceGet");
  find(driver.device_get_name, "cuDeviceGetName");
  find(driver.device_total_memory, "cuDeviceTotalMem_v2");
  find(driver.primary_context_retain, "cuDevicePrimaryCtxRetain");
  find(driver.context_set_current, "cuCtxSetCurrent");
  find(driver.module_load_data, "cuModuleLoadData");
  find(driver.module_get_function, "cuModuleGetFunction");
  find(driver.memory_allocate, "cuMemAlloc_v2");
  find(driver.memory_free, "cuMemFree_v2");
  find(driver.copy_to_device, "cuMemcpyHtoD_v2");
  find(driver.copy_to_host, "cuMemcpyDtoH_v2");
  find(driver.launch_kernel, "cuLaunchKernel");
  find(driver.context_synchronize, "cuCtxSynchronize");
  find(driver.module_unload, "cuModuleUnload");
  find(driver.primary_context_release, "cuDevicePrimaryCtxRelease_v2");
  find(driver.get_error_name, "cuGetErrorName");
  return driver;
}
