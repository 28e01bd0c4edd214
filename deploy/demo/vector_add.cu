// The demo where nvcc is installed: an ordinary CUDA runtime program, linked with the default static
// cudart. Nothing in it knows that its device may be remote.
#include <cuda_runtime.h>
#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "deploy/demo/loaded_libcuda.h"

__global__ void vector_add(const float* a, const float* b, float* c, int count) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < count) c[i] = a[i] + b[i];
}

static void must(cudaError_t result, const char* what) {
  if (result == cudaSuccess) return;
  std::printf("FAIL: %s: %s\n", what, cudaGetErrorString(result));
  std::exit(1);
}

int main() {
  constexpr int kCount = 1 << 20;
  constexpr int kBlock = 256;
  constexpr size_t kBytes = kCount * sizeof(float);

  cudaDeviceProp properties;
  must(cudaGetDeviceProperties(&properties, 0), "cudaGetDeviceProperties");
  std::printf("pid %d, device \"%s\", compute capability %d.%d, %zu MiB\n", static_cast<int>(getpid()),
              properties.name, properties.major, properties.minor, properties.totalGlobalMem >> 20);
  std::printf("libcuda in use: %s\n", loaded_libcuda().c_str());

  std::vector<float> a(kCount), b(kCount), c(kCount);
  for (int i = 0; i < kCount; ++i) {
    a[i] = static_cast<float>(i % 1000) * 0.5f;
    b[i] = static_cast<float>(i % 777) * 0.25f;
  }
  float* device[3];
  for (float*& pointer : device) must(cudaMalloc(&pointer, kBytes), "cudaMalloc");
  must(cudaMemcpy(device[0], a.data(), kBytes, cudaMemcpyHostToDevice), "copy to the device");
  must(cudaMemcpy(device[1], b.data(), kBytes, cudaMemcpyHostToDevice), "copy to the device");
  vector_add<<<(kCount + kBlock - 1) / kBlock, kBlock>>>(device[0], device[1], device[2], kCount);
  must(cudaGetLastError(), "launch");
  must(cudaMemcpy(c.data(), device[2], kBytes, cudaMemcpyDeviceToHost), "copy from the device");
  for (float* pointer : device) must(cudaFree(pointer), "cudaFree");

  int wrong = 0;
  for (int i = 0; i < kCount; ++i) wrong += c[i] == a[i] + b[i] ? 0 : 1;
  std::printf("%d sums computed by the kernel, %d wrong\n%s\n", kCount, wrong, wrong == 0 ? "PASS" : "FAIL");
  return wrong == 0 ? 0 : 1;
}
