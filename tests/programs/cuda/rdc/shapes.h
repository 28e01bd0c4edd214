// Shared by the two files of a program whose device code is linked from several objects.
#pragma once

struct Shape {
  int kind;
  float size;
};

extern __constant__ float c_factors[4];
extern __device__ int d_calls;

__device__ float area(const Shape& shape);
__device__ int fibonacci(int n);
