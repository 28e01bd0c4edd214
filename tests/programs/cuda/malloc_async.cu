// Memory in stream order, and pools.
#include "program.h"

__global__ void fill(int* data, int count, int value) {
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < count; i += gridDim.x * blockDim.x)
    data[i] = value + i;
}

void use(int* data, int count, int value, cudaStream_t stream) {
  fill<<<8, 128, 0, stream>>>(data, count, value);
  MUST(cudaGetLastError());
  std::vector<int> host(count);
  MUST(cudaMemcpyAsync(host.data(), data, count * sizeof(int), cudaMemcpyDeviceToHost, stream));
  MUST(cudaStreamSynchronize(stream));
  int wrong = 0;
  for (int i = 0; i < count; ++i) wrong += host[i] != value + i;
  EXPECT(wrong == 0);
}

int main() {
  int supported = 0;
  MUST(cudaDeviceGetAttribute(&supported, cudaDevAttrMemoryPoolsSupported, 0));
  std::printf("memory pools supported: %d\n", supported);
  EXPECT(supported == 1);
  cudaStream_t stream;
  MUST(cudaStreamCreate(&stream));

  for (int round = 1; round <= 20; ++round) {
    int* data = nullptr;
    MUST(cudaMallocAsync(&data, round * 1000 * sizeof(int), stream));
    use(data, round * 1000, round, stream);
    MUST(cudaFreeAsync(data, stream));
  }
  std::printf("default pool done\n");

  cudaMemPool_t pool;
  MUST(cudaDeviceGetDefaultMemPool(&pool, 0));
  unsigned long long threshold = 1 << 20;
  MUST(cudaMemPoolSetAttribute(pool, cudaMemPoolAttrReleaseThreshold, &threshold));
  threshold = 0;
  MUST(cudaMemPoolGetAttribute(pool, cudaMemPoolAttrReleaseThreshold, &threshold));
  EXPECT(threshold == 1 << 20);
  MUST(cudaMemPoolTrimTo(pool, 0));

  cudaMemPoolProps properties{};
  properties.allocType = cudaMemAllocationTypePinned;
  properties.location.type = cudaMemLocationTypeDevice;
  properties.location.id = 0;
  cudaMemPool_t own;
  MUST(cudaMemPoolCreate(&own, &properties));
  int* data = nullptr;
  MUST(cudaMallocFromPoolAsync(&data, 5000 * sizeof(int), own, stream));
  use(data, 5000, 77, stream);
  unsigned long long used = 0;
  MUST(cudaMemPoolGetAttribute(own, cudaMemPoolAttrUsedMemCurrent, &used));
  EXPECT(used >= 5000 * sizeof(int));
  MUST(cudaFreeAsync(data, stream));
  MUST(cudaStreamSynchronize(stream));
  MUST(cudaMemPoolGetAttribute(own, cudaMemPoolAttrUsedMemCurrent, &used));
  EXPECT(used == 0);
  MUST(cudaMemPoolDestroy(own));
  std::printf("own pool done\n");

  // What cudaMallocAsync gave may also be freed with cudaFree.
  MUST(cudaMallocAsync(&data, 4096, stream));
  MUST(cudaStreamSynchronize(stream));
  MUST(cudaFree(data));
  MUST(cudaStreamDestroy(stream));
  return verdict("malloc_async");
}
