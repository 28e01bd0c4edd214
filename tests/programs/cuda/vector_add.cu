// c = a + b for several types and for sizes that do not fill the last block.
#include "program.h"

template <typename T>
__global__ void add(const T* a, const T* b, T* c, int count) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < count) c[i] = a[i] + b[i];
}

template <typename T>
void check(int count, int block) {
  Random random(count);
  std::vector<T> a(count), b(count);
  for (int i = 0; i < count; ++i) {
    a[i] = static_cast<T>(random.below(1000));
    b[i] = static_cast<T>(random.below(1000)) / static_cast<T>(2);
  }
  DeviceArray<T> device_a(a), device_b(b), device_c(count);
  add<<<(count + block - 1) / block, block>>>(device_a.data(), device_b.data(), device_c.data(), count);
  MUST(cudaGetLastError());
  const std::vector<T> c = device_c.get();
  int wrong = 0;
  for (int i = 0; i < count; ++i) wrong += c[i] != static_cast<T>(a[i] + b[i]);
  std::printf("%zu-byte elements, %d of them, blocks of %d: %d wrong\n", sizeof(T), count, block, wrong);
  EXPECT(wrong == 0);
}

int main() {
  check<float>(50000, 256);
  check<float>(1, 32);
  check<float>(33, 32);
  check<double>(10007, 100);
  check<int>(4096, 1024);
  check<long long>(3001, 96);
  check<short>(777, 64);
  check<unsigned char>(255, 7);
  MUST(cudaDeviceSynchronize());
  return verdict("vector_add");
}
