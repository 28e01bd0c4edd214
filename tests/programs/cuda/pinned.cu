// Page-locked host memory, and copies that do not wait.
#include <cstring>

#include "program.h"

__global__ void scale(int* data, int count, int factor) {
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < count; i += gridDim.x * blockDim.x)
    data[i] *= factor;
}

void round_trip(int* host, int count, const char* what) {
  cudaStream_t stream;
  MUST(cudaStreamCreate(&stream));
  int* device = nullptr;
  MUST(cudaMalloc(&device, count * sizeof(int)));
  for (int i = 0; i < count; ++i) host[i] = i;
  MUST(cudaMemcpyAsync(device, host, count * sizeof(int), cudaMemcpyHostToDevice, stream));
  scale<<<16, 128, 0, stream>>>(device, count, 3);
  MUST(cudaGetLastError());
  MUST(cudaMemcpyAsync(host, device, count * sizeof(int), cudaMemcpyDeviceToHost, stream));
  MUST(cudaStreamSynchronize(stream));
  int wrong = 0;
  for (int i = 0; i < count; ++i) wrong += host[i] != 3 * i;
  std::printf("%s: %d of %d wrong\n", what, wrong, count);
  EXPECT(wrong == 0);
  MUST(cudaFree(device));
  MUST(cudaStreamDestroy(stream));
}

void check_kind(const void* pointer, cudaMemoryType expected) {
  cudaPointerAttributes attributes{};
  MUST(cudaPointerGetAttributes(&attributes, pointer));
  EXPECT(attributes.type == expected);
}

int main() {
  constexpr int kCount = 300000;
  int* pinned = nullptr;
  MUST(cudaHostAlloc(&pinned, kCount * sizeof(int), cudaHostAllocDefault));
  round_trip(pinned, kCount, "cudaHostAlloc");
  check_kind(pinned, cudaMemoryTypeHost);
  check_kind(pinned + kCount / 2, cudaMemoryTypeHost);
  MUST(cudaFreeHost(pinned));

  MUST(cudaMallocHost(&pinned, kCount * sizeof(int)));
  round_trip(pinned, kCount, "cudaMallocHost");
  MUST(cudaFreeHost(pinned));

  std::vector<int> ordinary(kCount);
  round_trip(ordinary.data(), kCount, "pageable");
  check_kind(ordinary.data(), cudaMemoryTypeUnregistered);
  MUST(cudaHostRegister(ordinary.data(), kCount * sizeof(int), cudaHostRegisterDefault));
  round_trip(ordinary.data(), kCount, "cudaHostRegister");
  check_kind(ordinary.data(), cudaMemoryTypeHost);
  EXPECT_ERROR(cudaErrorHostMemoryAlreadyRegistered,
               cudaHostRegister(ordinary.data(), kCount * sizeof(int), cudaHostRegisterDefault));
  MUST(cudaHostUnregister(ordinary.data()));
  EXPECT_ERROR(cudaErrorHostMemoryNotRegistered, cudaHostUnregister(ordinary.data()));
  cudaGetLastError();

  // A pageable source may be changed as soon as the call returns.
  std::vector<int> source(1000, 5), result(1000);
  DeviceArray<int> device(1000);
  cudaStream_t stream;
  MUST(cudaStreamCreate(&stream));
  MUST(cudaMemcpyAsync(device.data(), source.data(), device.bytes(), cudaMemcpyHostToDevice, stream));
  std::memset(source.data(), 0xff, device.bytes());
  MUST(cudaMemcpyAsync(result.data(), device.data(), device.bytes(), cudaMemcpyDeviceToHost, stream));
  MUST(cudaStreamSynchronize(stream));
  EXPECT(result == std::vector<int>(1000, 5));
  MUST(cudaStreamDestroy(stream));
  return verdict("pinned");
}
