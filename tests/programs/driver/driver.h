// What the driver-API programs share. They are built without CUDA's toolkit: types come from our own
// header, functions from whatever libcuda.so.1 the loader finds.
#pragma once

#include <dlfcn.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "protocol/abi/cuda_abi_gen.h"
#include "tests/programs/check.h"

inline void* driver_symbol(const char* name) {
  static void* const library = dlopen("libcuda.so.1", RTLD_NOW);
  void* const address = library ? dlsym(library, name) : nullptr;
  if (address == nullptr) {
    std::printf("no %s: %s\nFAIL\n", name, dlerror());
    std::exit(1);
  }
  return address;
}

// The driver's function of that exported name, e.g. DRIVER(cuMemAlloc_v2)(&pointer, 100).
#define DRIVER(name) (*reinterpret_cast<decltype(&::name)>(driver_symbol(#name)))

inline const char* error_name_of(CUresult result) {
  const char* name = nullptr;
  DRIVER(cuGetErrorName)(result, &name);
  return name ? name : "an unknown error";
}

// A call that must succeed for the program to go on.
#define MUST(call)                                                                                      \
  do {                                                                                                  \
    const CUresult must_result = (call);                                                                \
    if (must_result != CUDA_SUCCESS) {                                                                  \
      std::printf("%s:%d: %s: %s\nFAIL\n", __FILE_NAME__, __LINE__, #call, error_name_of(must_result)); \
      std::exit(1);                                                                                     \
    }                                                                                                   \
  } while (0)

#define EXPECT_ERROR(expected, call)                                               \
  do {                                                                             \
    const CUresult expect_result = (call);                                         \
    if (expect_result != (expected) && ++g_failures <= 20) {                       \
      std::printf("%s:%d: %s: %s instead of %s\n", __FILE_NAME__, __LINE__, #call, \
                  error_name_of(expect_result), #expected);                        \
    }                                                                              \
  } while (0)

inline std::string read_text(const char* path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  if (!file) {
    std::printf("cannot read %s\nFAIL\n", path);
    std::exit(1);
  }
  return text.str();
}

// Initialises the driver and makes device 0's primary context current.
inline CUdevice open_device() {
  MUST(DRIVER(cuInit)(0));
  CUdevice device = 0;
  MUST(DRIVER(cuDeviceGet)(&device, 0));
  CUcontext context = nullptr;
  MUST(DRIVER(cuDevicePrimaryCtxRetain)(&context, device));
  MUST(DRIVER(cuCtxSetCurrent)(context));
  return device;
}

template <typename T>
CUdeviceptr upload(const std::vector<T>& values) {
  CUdeviceptr address = 0;
  MUST(DRIVER(cuMemAlloc_v2)(&address, values.size() * sizeof(T)));
  MUST(DRIVER(cuMemcpyHtoD_v2)(address, values.data(), values.size() * sizeof(T)));
  return address;
}

template <typename T>
std::vector<T> download(CUdeviceptr address, size_t count) {
  std::vector<T> values(count);
  MUST(DRIVER(cuMemcpyDtoH_v2)(values.data(), address, count * sizeof(T)));
  return values;
}

inline CUfunction function_of(CUmodule module, const char* name) {
  CUfunction function = nullptr;
  MUST(DRIVER(cuModuleGetFunction)(&function, module, name));
  return function;
}

inline void launch(CUfunction function, unsigned grid, unsigned block, std::vector<void*> arguments,
                   CUstream stream = nullptr) {
  MUST(DRIVER(cuLaunchKernel)(function, grid, 1, 1, block, 1, 1, 0, stream, arguments.data(), nullptr));
}
