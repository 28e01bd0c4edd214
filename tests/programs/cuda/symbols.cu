// Constant and global variables of a module, read and written from both sides.
#include "program.h"

struct Table {
  float factor;
  int offsets[8];
  double scale;
};

__constant__ Table c_table = {0.5f, {1, 2, 3, 4, 5, 6, 7, 8}, 2.0};
__constant__ int c_numbers[256];
__device__ int d_counter = 100;
__device__ float d_values[64] = {1.0f, 2.0f, 3.0f};
__device__ int* d_pointer;
__device__ const int d_squares[5] = {0, 1, 4, 9, 16};

__global__ void use_constants(float* output) {
  const int i = threadIdx.x;
  output[i] = c_table.factor * static_cast<float>(c_table.offsets[i % 8]) +
              static_cast<float>(c_table.scale) + static_cast<float>(c_numbers[i]);
}

__global__ void use_globals(int* output) {
  const int i = threadIdx.x;
  atomicAdd(&d_counter, 1);
  d_values[i] = d_values[i] * 10.0f;
  d_pointer[i] = i + d_squares[i % 5];
  output[i] = d_squares[i % 5];
}

int main() {
  std::vector<int> numbers(256);
  for (int i = 0; i < 256; ++i) numbers[i] = i * i;
  MUST(cudaMemcpyToSymbol(c_numbers, numbers.data(), sizeof c_numbers));
  DeviceArray<float> output(256);
  use_constants<<<1, 256>>>(output.data());
  MUST(cudaGetLastError());
  std::vector<float> values = output.get();
  for (int i = 0; i < 256; ++i)
    EXPECT(values[i] == 0.5f * static_cast<float>(i % 8 + 1) + 2.0f + static_cast<float>(i * i));

  // A part of a symbol, and the whole of it back.
  const float factor = 4.0f;
  const int part[2] = {40, 50};
  MUST(cudaMemcpyToSymbol(c_table, &factor, sizeof factor));
  MUST(cudaMemcpyToSymbol(c_table, part, sizeof part, offsetof(Table, offsets) + 3 * sizeof(int)));
  Table table{};
  MUST(cudaMemcpyFromSymbol(&table, c_table, sizeof table));
  EXPECT(table.factor == 4.0f && table.offsets[2] == 3 && table.offsets[3] == 40 && table.offsets[4] == 50);
  EXPECT(table.offsets[5] == 6 && table.scale == 2.0);
  use_constants<<<1, 256>>>(output.data());
  values = output.get();
  for (int i = 0; i < 256; ++i) {
    EXPECT(values[i] == 4.0f * static_cast<float>(table.offsets[i % 8]) + 2.0f + static_cast<float>(i * i));
  }
  std::printf("constants done\n");

  DeviceArray<int> target(64), squares(64);
  int* const pointer = target.data();
  MUST(cudaMemcpyToSymbol(d_pointer, &pointer, sizeof pointer));
  use_globals<<<1, 64>>>(squares.data());
  MUST(cudaGetLastError());
  MUST(cudaDeviceSynchronize());
  int counter = 0;
  MUST(cudaMemcpyFromSymbol(&counter, d_counter, sizeof counter));
  EXPECT(counter == 164);
  std::vector<float> globals(64);
  MUST(cudaMemcpyFromSymbol(globals.data(), d_values, sizeof d_values));
  EXPECT(globals[0] == 10.0f && globals[1] == 20.0f && globals[2] == 30.0f && globals[3] == 0.0f);
  const std::vector<int> written = target.get(), read = squares.get();
  for (int i = 0; i < 64; ++i) {
    const int square = (i % 5) * (i % 5);
    EXPECT(written[i] == i + square && read[i] == square);
  }

  void* address = nullptr;
  size_t bytes = 0;
  MUST(cudaGetSymbolAddress(&address, d_values));
  MUST(cudaGetSymbolSize(&bytes, d_values));
  EXPECT(bytes == sizeof d_values);
  const float first = -1.0f;
  MUST(cudaMemcpy(address, &first, sizeof first, cudaMemcpyHostToDevice));
  MUST(cudaMemcpyFromSymbol(globals.data(), d_values, sizeof d_values));
  EXPECT(globals[0] == -1.0f && globals[1] == 20.0f);
  EXPECT_ERROR(cudaErrorInvalidValue, cudaMemcpyToSymbol(d_counter, numbers.data(), sizeof(int) * 2));
  cudaGetLastError();
  std::printf("globals done\n");
  return verdict("symbols");
}
