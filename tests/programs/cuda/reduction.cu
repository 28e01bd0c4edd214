// Sums, extremes and votes within warps, blocks and grids.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "program.h"

constexpr unsigned kFullWarp = 0xffffffffu;
constexpr int kBlock = 256;

template <typename T>
__device__ T warp_sum(T value) {
  for (int offset = 16; offset > 0; offset /= 2) value += __shfl_down_sync(kFullWarp, value, offset);
  return value;
}

template <typename T>
__global__ void block_sums(const T* values, int count, T* sums) {
  __shared__ T per_warp[kBlock / 32];
  T sum = 0;
  for (int i = blockIdx.x * kBlock + threadIdx.x; i < count; i += gridDim.x * kBlock) sum += values[i];
  sum = warp_sum(sum);
  if (threadIdx.x % 32 == 0) per_warp[threadIdx.x / 32] = sum;
  __syncthreads();
  if (threadIdx.x < 32) {
    sum = warp_sum(threadIdx.x < kBlock / 32 ? per_warp[threadIdx.x] : T(0));
    if (threadIdx.x == 0) sums[blockIdx.x] = sum;
  }
}

template <typename T>
void check_sum(int count, T scale) {
  Random random(count);
  std::vector<T> values(count);
  for (T& value : values) value = static_cast<T>(random.below(100)) * scale;  // exact in every type
  constexpr int kBlocks = 24;
  DeviceArray<T> device(values), sums(kBlocks), total(1);
  block_sums<T><<<kBlocks, kBlock>>>(device.data(), count, sums.data());
  block_sums<T><<<1, kBlock>>>(sums.data(), kBlocks, total.data());
  MUST(cudaGetLastError());
  const T expected = std::accumulate(values.begin(), values.end(), T(0));
  const T found = total.get()[0];
  std::printf("sum of %d values of %zu bytes: %s\n", count, sizeof(T), found == expected ? "right" : "wrong");
  EXPECT(found == expected);
}

struct WarpResults {
  int butterfly_max;
  int rotated;
  int broadcast;
  int halves;  // of a shuffle within sub-warps of 16
  unsigned ballot;
  int any, all;
  int active;
  int prefix;
};

__global__ void warp_operations(const int* input, WarpResults* output) {
  const int lane = threadIdx.x % 32;
  const int value = input[threadIdx.x];
  WarpResults results;
  int best = value;
  for (int mask = 16; mask > 0; mask /= 2) best = max(best, __shfl_xor_sync(kFullWarp, best, mask));
  results.butterfly_max = best;
  results.rotated = __shfl_sync(kFullWarp, value, (lane + 5) % 32);
  results.broadcast = __shfl_sync(kFullWarp, value, 7);
  results.halves = __shfl_sync(kFullWarp, value, 3, 16);
  results.ballot = __ballot_sync(kFullWarp, value % 2 == 0);
  results.any = __any_sync(kFullWarp, value == 11);
  results.all = __all_sync(kFullWarp, value < 1000);
  int prefix = value;
  for (int offset = 1; offset < 32; offset *= 2) {
    const int below = __shfl_up_sync(kFullWarp, prefix, offset);
    if (lane >= offset) prefix += below;
  }
  results.prefix = prefix;
  results.active = 0;
  if (lane % 3 == 0) results.active = __popc(__activemask());
  output[threadIdx.x] = results;
}

void check_warp_operations() {
  Random random(5);
  std::vector<int> input(64);
  for (int& value : input) value = static_cast<int>(random.below(200));
  DeviceArray<int> device_input(input);
  DeviceArray<WarpResults> device_output(64);
  warp_operations<<<1, 64>>>(device_input.data(), device_output.data());
  MUST(cudaGetLastError());
  const std::vector<WarpResults> output = device_output.get();
  for (int thread = 0; thread < 64; ++thread) {
    const int lane = thread % 32, first = thread - lane;
    const int* const warp = input.data() + first;
    const WarpResults& got = output[thread];
    EXPECT(got.butterfly_max == *std::max_element(warp, warp + 32));
    EXPECT(got.rotated == warp[(lane + 5) % 32]);
    EXPECT(got.broadcast == warp[7]);
    EXPECT(got.halves == warp[lane / 16 * 16 + 3]);
    unsigned ballot = 0;
    for (int i = 0; i < 32; ++i) ballot |= (warp[i] % 2 == 0 ? 1u : 0u) << i;
    EXPECT(got.ballot == ballot);
    EXPECT(got.any == (std::count(warp, warp + 32, 11) > 0));
    EXPECT(got.all == 1);
    EXPECT(got.prefix == std::accumulate(warp, warp + lane + 1, 0));
    EXPECT(lane % 3 == 0 ? got.active >= 1 && got.active <= 11 : got.active == 0);
  }
  std::printf("warp operations done\n");
}

__global__ void block_votes(const int* input, int* output) {
  const int value = input[threadIdx.x];
  const int count = __syncthreads_count(value > 50);
  const int every = __syncthreads_and(value >= 0);
  const int some = __syncthreads_or(value == 77);
  if (threadIdx.x == 0) {
    output[0] = count;
    output[1] = every != 0;
    output[2] = some != 0;
  }
}

void check_block_votes() {
  Random random(9);
  std::vector<int> input(160);
  for (int& value : input) value = static_cast<int>(random.below(100));
  input[100] = 77;
  DeviceArray<int> device_input(input), device_output(3);
  block_votes<<<1, 160>>>(device_input.data(), device_output.data());
  MUST(cudaGetLastError());
  const std::vector<int> output = device_output.get();
  EXPECT(output[0] == std::count_if(input.begin(), input.end(), [](int value) { return value > 50; }));
  EXPECT(output[1] == 1);
  EXPECT(output[2] == 1);
  std::printf("block votes done\n");
}

int main() {
  check_sum<int>(100003, 3);
  check_sum<unsigned long long>(70000, 1ull << 33);
  check_sum<float>(50000, 0.25f);
  check_sum<double>(65536, 0.125);
  check_warp_operations();
  check_block_votes();
  return verdict("reduction");
}
