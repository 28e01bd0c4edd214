// The driver that a benchmark measures: whatever libcuda.so.1 the loader finds, so that the same
// program gives the device's own figures and the remote ones.
#pragma once

#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>

#include "protocol/abi/cuda_abi_gen.h"

namespace outboard::bench {

// An empty kernel with the four parameters that a small real one has.
inline constexpr const char* kEmptyKernelPtx = R"(.version 7.0
.target sm_75
.address_size 64
.visible .entry empty(.param .u64 a, .param .u64 b, .param .u64 c, .param .u32 n) { ret; }
)";

// Ends the program when there is no driver, or not this function.
inline void* driver_function(const char* name) {
  static void* const library = dlopen("libcuda.so.1", RTLD_NOW);
  if (library == nullptr) {
    std::fprintf(stderr, "No CUDA driver: %s.\n", dlerror());
    std::exit(2);
  }
  void* const found = dlsym(library, name);
  if (found != nullptr) return found;
  std::fprintf(stderr, "The loaded libcuda.so.1 has no function %s.\n", name);
  std::exit(2);
}

inline void check(CUresult result, const char* what) {
  if (result == CUDA_SUCCESS) return;
  std::fprintf(stderr, "%s failed with CUresult %d.\n", what, static_cast<int>(result));
  std::exit(1);
}

}  // namespace outboard::bench

#define OUTBOARD_BENCH_FUNCTION(name) \
  reinterpret_cast<decltype(&::name)>(outboard::bench::driver_function(#name))
