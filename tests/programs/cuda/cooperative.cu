// A grid whose blocks wait for one another.
#include <cooperative_groups.h>

#include "program.h"

namespace groups = cooperative_groups;

__global__ void smooth(int* from, int* to, int count, int rounds) {
  const groups::grid_group grid = groups::this_grid();
  for (int round = 0; round < rounds; ++round) {
    for (int i = grid.thread_rank(); i < count; i += grid.size()) {
      to[i] = from[i] + from[(i + 1) % count] + from[(i + count - 1) % count];
    }
    grid.sync();
    int* const swapped = from;
    from = to;
    to = swapped;
  }
}

int main() {
  int supported = 0;
  MUST(cudaDeviceGetAttribute(&supported, cudaDevAttrCooperativeLaunch, 0));
  std::printf("cooperative launch supported: %d\n", supported);
  EXPECT(supported == 1);
  constexpr int kCount = 2000;
  int count = kCount, rounds = 6;
  std::vector<int> expected(kCount), next(kCount);
  Random random(1);
  for (int& value : expected) value = static_cast<int>(random.below(10));
  DeviceArray<int> first(expected), second(kCount);
  for (int round = 0; round < rounds; ++round) {
    for (int i = 0; i < kCount; ++i) {
      next[i] = expected[i] + expected[(i + 1) % kCount] + expected[(i + kCount - 1) % kCount];
    }
    expected.swap(next);
  }
  int *from = first.data(), *to = second.data();
  void* arguments[] = {&from, &to, &count, &rounds};
  MUST(cudaLaunchCooperativeKernel(reinterpret_cast<const void*>(smooth), dim3(4), dim3(128), arguments, 0,
                                   nullptr));
  MUST(cudaDeviceSynchronize());
  EXPECT(first.get() == expected);

  EXPECT_ERROR(cudaErrorCooperativeLaunchTooLarge,
               cudaLaunchCooperativeKernel(reinterpret_cast<const void*>(smooth), dim3(1000000), dim3(1024),
                                           arguments, 0, nullptr));
  cudaGetLastError();
  return verdict("cooperative");
}
