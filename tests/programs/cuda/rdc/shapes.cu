#include "shapes.h"

__constant__ float c_factors[4] = {1.0f, 3.0f, 0.5f, 2.0f};
__device__ int d_calls = 0;

__device__ __noinline__ float area(const Shape& shape) {
  atomicAdd(&d_calls, 1);
  return c_factors[shape.kind % 4] * shape.size * shape.size;
}

__device__ __noinline__ int fibonacci(int n) { return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2); }
