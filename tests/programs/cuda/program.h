// What the runtime-API programs share. A program's output must not depend on time, addresses or the machine,
// because the runner compares what a program prints directly on the software device with what it prints
// remotely.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "tests/programs/check.h"

// A CUDA call that must succeed for the program to go on.
#define MUST(call)                                                                                       \
  do {                                                                                                   \
    const cudaError_t must_result = (call);                                                              \
    if (must_result != cudaSuccess) {                                                                    \
      std::printf("%s:%d: %s: %s (%s)\n", __FILE_NAME__, __LINE__, #call, cudaGetErrorName(must_result), \
                  cudaGetErrorString(must_result));                                                      \
      std::printf("FAIL\n");                                                                             \
      std::exit(1);                                                                                      \
    }                                                                                                    \
  } while (0)

// A call that must give exactly this error.
#define EXPECT_ERROR(expected, call)                                               \
  do {                                                                             \
    const cudaError_t expect_result = (call);                                      \
    if (expect_result != (expected) && ++g_failures <= 20) {                       \
      std::printf("%s:%d: %s: %s instead of %s\n", __FILE_NAME__, __LINE__, #call, \
                  cudaGetErrorName(expect_result), #expected);                     \
    }                                                                              \
  } while (0)

// Numbers that are the same everywhere (xorshift32).
class Random {
 public:
  explicit Random(uint32_t seed) : state_(seed * 2654435761u + 1) {}
  uint32_t next() {
    state_ ^= state_ << 13;
    state_ ^= state_ >> 17;
    state_ ^= state_ << 5;
    return state_;
  }
  uint32_t below(uint32_t limit) { return next() % limit; }
  float unit() { return static_cast<float>(next() >> 8) / 16777216.0f; }

 private:
  uint32_t state_;
};

// Device memory that is freed at the end of its scope.
template <typename T>
class DeviceArray {
 public:
  explicit DeviceArray(size_t count) : count_(count) { MUST(cudaMalloc(&data_, count * sizeof(T))); }
  explicit DeviceArray(const std::vector<T>& values) : DeviceArray(values.size()) { set(values); }
  ~DeviceArray() { cudaFree(data_); }
  DeviceArray(const DeviceArray&) = delete;
  DeviceArray& operator=(const DeviceArray&) = delete;

  T* data() { return data_; }
  size_t bytes() const { return count_ * sizeof(T); }
  void set(const std::vector<T>& values) {
    MUST(cudaMemcpy(data_, values.data(), values.size() * sizeof(T), cudaMemcpyHostToDevice));
  }
  std::vector<T> get() const {
    std::vector<T> values(count_);
    MUST(cudaMemcpy(values.data(), data_, count_ * sizeof(T), cudaMemcpyDeviceToHost));
    return values;
  }

 private:
  T* data_ = nullptr;
  size_t count_;
};
