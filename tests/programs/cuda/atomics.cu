// Histograms and every common atomic operation, in global and in shared memory.
#include <algorithm>

#include "program.h"

constexpr int kBins = 64;

__global__ void histogram(const unsigned* values, int count, unsigned* bins) {
  __shared__ unsigned local[kBins];
  for (int bin = threadIdx.x; bin < kBins; bin += blockDim.x) local[bin] = 0;
  __syncthreads();
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < count; i += gridDim.x * blockDim.x) {
    atomicAdd(&local[values[i] % kBins], 1u);
  }
  __syncthreads();
  for (int bin = threadIdx.x; bin < kBins; bin += blockDim.x) atomicAdd(&bins[bin], local[bin]);
}

void check_histogram() {
  Random random(3);
  std::vector<unsigned> values(60000), expected(kBins);
  for (unsigned& value : values) {
    value = random.next();
    ++expected[value % kBins];
  }
  const std::vector<unsigned> zeros(kBins);
  DeviceArray<unsigned> device_values(values), bins(zeros);
  histogram<<<8, 192>>>(device_values.data(), static_cast<int>(values.size()), bins.data());
  MUST(cudaGetLastError());
  EXPECT(bins.get() == expected);
  std::printf("histogram done\n");
}

struct Cells {
  int add, sub, min, max, exchange, compare;
  unsigned and_bits, or_bits, xor_bits, increment, decrement, unsigned_min, unsigned_max;
  unsigned long long wide_add, wide_max, wide_exchange, wide_compare;
  long long signed_min;
  float float_add;
  double double_add;
  float float_by_compare;  // multiplied by a loop over atomicCAS
  int spin_count;          // guarded by a lock
  int lock;
  unsigned long long returned;  // sum of what atomicAdd returned
};

__device__ void multiply(float* address, float factor) {
  int* const bits = reinterpret_cast<int*>(address);
  int seen = *bits, assumed;
  do {
    assumed = seen;
    seen = atomicCAS(bits, assumed, __float_as_int(__int_as_float(assumed) * factor));
  } while (seen != assumed);
}

__global__ void operate(Cells* cells) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  atomicAdd(&cells->returned, static_cast<unsigned long long>(atomicAdd(&cells->add, 1)));
  atomicSub(&cells->sub, 2);
  atomicMin(&cells->min, 500 - i);
  atomicMax(&cells->max, i - 500);
  atomicExch(&cells->exchange, 42);
  atomicCAS(&cells->compare, 7, 70);
  atomicAnd(&cells->and_bits, ~(1u << (i % 8)));
  atomicOr(&cells->or_bits, 1u << (i % 20));
  atomicXor(&cells->xor_bits, static_cast<unsigned>(i));
  atomicInc(&cells->increment, 99);
  atomicDec(&cells->decrement, 99);
  atomicMin(&cells->unsigned_min, 3000000000u + i);
  atomicMax(&cells->unsigned_max, 3000000000u + i);
  atomicAdd(&cells->wide_add, 1ull << 32);
  atomicMax(&cells->wide_max, static_cast<unsigned long long>(i) << 40);
  atomicExch(&cells->wide_exchange, 1ull << 60);
  atomicCAS(&cells->wide_compare, 5ull, 6ull << 40);
  atomicMin(&cells->signed_min, -(static_cast<long long>(i) << 33));
  atomicAdd(&cells->float_add, 0.5f);
  atomicAdd(&cells->double_add, 0.25);
  if (i < 20) multiply(&cells->float_by_compare, 2.0f);
}

// One thread per block takes a lock, so that no two lanes of a warp wait for each other.
__global__ void take_turns(Cells* cells) {
  if (threadIdx.x != 0) return;
  while (atomicCAS(&cells->lock, 0, 1) != 0) {
  }
  __threadfence();
  volatile int* const count = &cells->spin_count;
  *count = *count + 1;
  __threadfence();
  atomicExch(&cells->lock, 0);
}

void check_operations() {
  constexpr int kThreads = 4 * 256;
  Cells start{};
  start.min = start.max = 0;
  start.compare = 7;
  start.and_bits = 0xffffffffu;
  start.unsigned_min = 0xffffffffu;
  start.wide_compare = 5;
  start.float_by_compare = 1.0f;
  DeviceArray<Cells> cells(std::vector<Cells>{start});
  operate<<<4, 256>>>(cells.data());
  take_turns<<<40, 32>>>(cells.data());
  MUST(cudaGetLastError());
  const Cells got = cells.get()[0];
  unsigned xor_bits = 0;
  for (int i = 0; i < kThreads; ++i) xor_bits ^= static_cast<unsigned>(i);
  EXPECT(got.add == kThreads);
  EXPECT(got.returned == static_cast<unsigned long long>(kThreads) * (kThreads - 1) / 2);
  EXPECT(got.sub == -2 * kThreads);
  EXPECT(got.min == 500 - (kThreads - 1));
  EXPECT(got.max == kThreads - 1 - 500);
  EXPECT(got.exchange == 42);
  EXPECT(got.compare == 70);
  EXPECT(got.and_bits == 0xffffff00u);
  EXPECT(got.or_bits == (1u << 20) - 1);
  EXPECT(got.xor_bits == xor_bits);
  EXPECT(got.increment == kThreads % 100);
  EXPECT(got.decrement == (100 - kThreads % 100) % 100);
  EXPECT(got.unsigned_min == 3000000000u);
  EXPECT(got.unsigned_max == 3000000000u + kThreads - 1);
  EXPECT(got.wide_add == static_cast<unsigned long long>(kThreads) << 32);
  EXPECT(got.wide_max == static_cast<unsigned long long>(kThreads - 1) << 40);
  EXPECT(got.wide_exchange == 1ull << 60);
  EXPECT(got.wide_compare == 6ull << 40);
  EXPECT(got.signed_min == -(static_cast<long long>(kThreads - 1) << 33));
  EXPECT(got.float_add == 0.5f * kThreads);
  EXPECT(got.double_add == 0.25 * kThreads);
  EXPECT(got.float_by_compare == 1048576.0f);
  EXPECT(got.spin_count == 40);
  std::printf("operations done\n");
}

int main() {
  check_histogram();
  check_operations();
  return verdict("atomics");
}
