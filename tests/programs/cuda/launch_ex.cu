// cudaLaunchKernelEx and cudaLaunchKernel: attributes, large parameters, dynamic shared memory.
#include "program.h"

struct Large {
  double values[100];
  char tag;
  int numbers[33];
};

__global__ void use_large(Large large, char odd, double* output) {
  const int i = threadIdx.x;
  output[i] = large.values[i % 100] + large.numbers[i % 33] + large.tag + odd;
}

__global__ void reverse(int* data) {
  extern __shared__ int buffer[];
  buffer[threadIdx.x] = data[threadIdx.x];
  __syncthreads();
  data[threadIdx.x] = buffer[blockDim.x - 1 - threadIdx.x];
}

Large make_large() {
  Large large{};
  for (int i = 0; i < 100; ++i) large.values[i] = i * 0.5;
  for (int i = 0; i < 33; ++i) large.numbers[i] = 1000 * i;
  large.tag = 7;
  return large;
}

void check_output(DeviceArray<double>& output, const Large& large, char odd) {
  const std::vector<double> got = output.get();
  int wrong = 0;
  for (int i = 0; i < 256; ++i) {
    wrong += got[i] != large.values[i % 100] + large.numbers[i % 33] + large.tag + odd;
  }
  EXPECT(wrong == 0);
}

int main() {
  cudaStream_t stream;
  MUST(cudaStreamCreate(&stream));
  const Large large = make_large();
  DeviceArray<double> output(256);

  cudaLaunchConfig_t config{};
  config.gridDim = dim3(1);
  config.blockDim = dim3(256);
  config.stream = stream;
  cudaLaunchAttribute attributes[1];
  attributes[0].id = cudaLaunchAttributePriority;
  attributes[0].val.priority = 0;
  config.attrs = attributes;
  config.numAttrs = 1;
  MUST(cudaLaunchKernelEx(&config, use_large, large, static_cast<char>(3), output.data()));
  MUST(cudaStreamSynchronize(stream));
  check_output(output, large, 3);
  std::printf("cudaLaunchKernelEx done\n");

  Large copy = large;
  char odd = 9;
  double* pointer = output.data();
  void* arguments[] = {&copy, &odd, &pointer};
  MUST(cudaLaunchKernel(reinterpret_cast<const void*>(use_large), dim3(1), dim3(256), arguments, 0, stream));
  copy.tag = 100;  // the arguments were taken when the launch was made
  odd = 0;
  MUST(cudaStreamSynchronize(stream));
  check_output(output, large, 9);
  std::printf("cudaLaunchKernel done\n");

  std::vector<int> numbers(1000), reversed(1000);
  for (int i = 0; i < 1000; ++i) {
    numbers[i] = i;
    reversed[i] = 999 - i;
  }
  DeviceArray<int> data(numbers);
  config.blockDim = dim3(1000);
  config.dynamicSmemBytes = 1000 * sizeof(int);
  config.numAttrs = 0;
  MUST(cudaLaunchKernelEx(&config, reverse, data.data()));
  MUST(cudaStreamSynchronize(stream));
  EXPECT(data.get() == reversed);

  // More than 48 KiB need to be asked for.
  config.dynamicSmemBytes = 70000;
  EXPECT_ERROR(cudaErrorInvalidValue, cudaLaunchKernelEx(&config, reverse, data.data()));
  cudaGetLastError();
  MUST(cudaFuncSetAttribute(reverse, cudaFuncAttributeMaxDynamicSharedMemorySize, 70000));
  MUST(cudaLaunchKernelEx(&config, reverse, data.data()));
  MUST(cudaStreamSynchronize(stream));
  EXPECT(data.get() == numbers);
  std::printf("dynamic shared memory done\n");
  MUST(cudaStreamDestroy(stream));
  return verdict("launch_ex");
}
