// C = A * B with tiles in shared memory: barriers, two-dimensional blocks, dynamic shared memory.
#include "program.h"

constexpr int kTile = 16;

__global__ void multiply(const float* a, const float* b, float* c, int inner, int columns) {
  __shared__ float tile_a[kTile][kTile];
  __shared__ float tile_b[kTile][kTile];
  const int row = blockIdx.y * kTile + threadIdx.y;
  const int column = blockIdx.x * kTile + threadIdx.x;
  float sum = 0;
  for (int start = 0; start < inner; start += kTile) {
    tile_a[threadIdx.y][threadIdx.x] = a[row * inner + start + threadIdx.x];
    tile_b[threadIdx.y][threadIdx.x] = b[(start + threadIdx.y) * columns + column];
    __syncthreads();
#pragma unroll
    for (int k = 0; k < kTile; ++k) sum += tile_a[threadIdx.y][k] * tile_b[k][threadIdx.x];
    __syncthreads();
  }
  c[row * columns + column] = sum;
}

// The same with edges, and with the tiles in memory whose size is given at launch.
__global__ void multiply_any(const float* a, const float* b, float* c, int rows, int inner, int columns) {
  extern __shared__ float tiles[];
  float* const tile_a = tiles;
  float* const tile_b = tiles + kTile * kTile;
  const int x = threadIdx.x, y = threadIdx.y;
  const int row = blockIdx.y * kTile + y;
  const int column = blockIdx.x * kTile + x;
  float sum = 0;
  for (int start = 0; start < inner; start += kTile) {
    tile_a[y * kTile + x] = row < rows && start + x < inner ? a[row * inner + start + x] : 0.0f;
    tile_b[y * kTile + x] = start + y < inner && column < columns ? b[(start + y) * columns + column] : 0.0f;
    __syncthreads();
    for (int k = 0; k < kTile; ++k) sum += tile_a[y * kTile + k] * tile_b[k * kTile + x];
    __syncthreads();
  }
  if (row < rows && column < columns) c[row * columns + column] = sum;
}

// Small whole numbers, so that every order of summation gives the same float.
std::vector<float> matrix(int count, uint32_t seed) {
  Random random(seed);
  std::vector<float> values(count);
  for (float& value : values) value = static_cast<float>(random.below(16)) - 8;
  return values;
}

void check(int rows, int inner, int columns, bool any_size) {
  const std::vector<float> a = matrix(rows * inner, 1), b = matrix(inner * columns, 2);
  DeviceArray<float> device_a(a), device_b(b), device_c(rows * columns);
  const dim3 block(kTile, kTile);
  const dim3 grid((columns + kTile - 1) / kTile, (rows + kTile - 1) / kTile);
  if (any_size) {
    multiply_any<<<grid, block, 2 * kTile * kTile * sizeof(float)>>>(device_a.data(), device_b.data(),
                                                                     device_c.data(), rows, inner, columns);
  } else {
    multiply<<<grid, block>>>(device_a.data(), device_b.data(), device_c.data(), inner, columns);
  }
  MUST(cudaGetLastError());
  MUST(cudaDeviceSynchronize());
  const std::vector<float> c = device_c.get();
  int wrong = 0;
  for (int row = 0; row < rows; ++row) {
    for (int column = 0; column < columns; ++column) {
      float sum = 0;
      for (int k = 0; k < inner; ++k) sum += a[row * inner + k] * b[k * columns + column];
      wrong += sum != c[row * columns + column];
    }
  }
  std::printf("%dx%d * %dx%d: %d wrong\n", rows, inner, inner, columns, wrong);
  EXPECT(wrong == 0);
}

int main() {
  check(160, 96, 128, false);
  check(64, 64, 64, false);
  check(61, 37, 83, true);
  check(1, 100, 1, true);
  return verdict("matrix_mul");
}
