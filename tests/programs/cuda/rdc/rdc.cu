// Device functions and variables of another object file, linked with -rdc=true; recursion.
#include "../program.h"
#include "shapes.h"

__global__ void areas(const Shape* shapes, float* output, int count) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < count) output[i] = area(shapes[i]);
}

__global__ void numbers(int* output) { output[threadIdx.x] = fibonacci(threadIdx.x % 12); }

int main() {
  constexpr int kCount = 500;
  const float factors[4] = {1.0f, 3.0f, 0.5f, 2.0f};
  std::vector<Shape> shapes(kCount);
  for (int i = 0; i < kCount; ++i) shapes[i] = {i, static_cast<float>(i % 20)};
  DeviceArray<Shape> device_shapes(shapes);
  DeviceArray<float> output(kCount);
  areas<<<4, 128>>>(device_shapes.data(), output.data(), kCount);
  MUST(cudaGetLastError());
  const std::vector<float> got = output.get();
  for (int i = 0; i < kCount; ++i) EXPECT(got[i] == factors[i % 4] * shapes[i].size * shapes[i].size);
  int calls = 0;
  MUST(cudaMemcpyFromSymbol(&calls, d_calls, sizeof calls));
  EXPECT(calls == kCount);

  DeviceArray<int> fibonacci_numbers(32);
  numbers<<<1, 32>>>(fibonacci_numbers.data());
  const std::vector<int> found = fibonacci_numbers.get();
  const int expected[12] = {0, 1, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89};
  for (int i = 0; i < 32; ++i) EXPECT(found[i] == expected[i % 12]);
  return verdict("rdc");
}
