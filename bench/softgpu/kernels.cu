// What bench_softgpu measures. kernels.ptx is this file through
//   nvcc -ptx -O3 -arch=compute_90 kernels.cu -o kernels.ptx
// and is kept in the repository, so that measuring needs no toolkit.
#include <cstdint>

#include <cuda_fp16.h>

extern "C" {

__global__ void null_kernel() {}

__global__ void saxpy(const float* x, float* y, float a, int n) {
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = a * x[i] + y[i];
}

// C = A * B, n x n, tiles of 32 x 32 in shared memory.
__global__ void sgemm(const float* a, const float* b, float* c, int n) {
  __shared__ float tile_a[32][32], tile_b[32][32];
  const int x = threadIdx.x, y = threadIdx.y;
  const int row = blockIdx.y * 32 + y, column = blockIdx.x * 32 + x;
  float sum = 0;
  for (int k = 0; k < n; k += 32) {
    tile_a[y][x] = a[row * n + k + x];
    tile_b[y][x] = b[(k + y) * n + column];
    __syncthreads();
    for (int i = 0; i < 32; ++i) sum += tile_a[y][i] * tile_b[i][x];
    __syncthreads();
  }
  c[row * n + column] = sum;
}

// One sum per block: grid-stride loop, shuffles, shared memory.
__global__ void reduction(const float* in, float* out, int n) {
  __shared__ float partial[32];
  float sum = 0;
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) sum += in[i];
  for (int offset = 16; offset > 0; offset /= 2) sum += __shfl_down_sync(0xffffffff, sum, offset);
  if (threadIdx.x % 32 == 0) partial[threadIdx.x / 32] = sum;
  __syncthreads();
  if (threadIdx.x < 32) {
    sum = threadIdx.x < blockDim.x / 32 ? partial[threadIdx.x] : 0;
    for (int offset = 16; offset > 0; offset /= 2) sum += __shfl_down_sync(0xffffffff, sum, offset);
    if (threadIdx.x == 0) out[blockIdx.x] = sum;
  }
}

__global__ void histogram(const uint32_t* in, uint32_t* bins, int n) {
  __shared__ uint32_t local[256];
  local[threadIdx.x] = 0;
  __syncthreads();
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < n; i += gridDim.x * blockDim.x) {
    atomicAdd(&local[in[i] & 255], 1);
  }
  __syncthreads();
  atomicAdd(&bins[threadIdx.x], local[threadIdx.x]);
}

__global__ void nbody(const float4* bodies, float4* accelerations, int n) {
  __shared__ float4 tile[256];
  const int i = blockIdx.x * blockDim.x + threadIdx.x;
  const float4 mine = bodies[i];
  float ax = 0, ay = 0, az = 0;
  for (int base = 0; base < n; base += 256) {
    tile[threadIdx.x] = bodies[base + threadIdx.x];
    __syncthreads();
    for (int j = 0; j < 256; ++j) {
      const float4 other = tile[j];
      const float dx = other.x - mine.x, dy = other.y - mine.y, dz = other.z - mine.z;
      const float distance = rsqrtf(dx * dx + dy * dy + dz * dz + 0.01f);
      const float scale = other.w * distance * distance * distance;
      ax += dx * scale;
      ay += dy * scale;
      az += dz * scale;
    }
    __syncthreads();
  }
  accelerations[i] = make_float4(ax, ay, az, 0);
}

// C (16 x 8 per warp) = A * B, halves in, floats out, A by rows and B by columns, n x n.
__global__ void mma_sgemm(const __half* a, const __half* b, float* c, int n) {
  const int lane = threadIdx.x % 32, warp = blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32;
  const int row = warp / (n / 8) * 16 + lane / 4, column = warp % (n / 8) * 8;
  float d0 = 0, d1 = 0, d2 = 0, d3 = 0;
  for (int k = 0; k < n; k += 16) {
    const int at = k + lane % 4 * 2;
    const uint32_t a0 = *reinterpret_cast<const uint32_t*>(a + row * n + at);
    const uint32_t a1 = *reinterpret_cast<const uint32_t*>(a + (row + 8) * n + at);
    const uint32_t a2 = *reinterpret_cast<const uint32_t*>(a + row * n + at + 8);
    const uint32_t a3 = *reinterpret_cast<const uint32_t*>(a + (row + 8) * n + at + 8);
    const uint32_t b0 = *reinterpret_cast<const uint32_t*>(b + (column + lane / 4) * n + at);
    const uint32_t b1 = *reinterpret_cast<const uint32_t*>(b + (column + lane / 4) * n + at + 8);
    asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, "
        "{%0,%1,%2,%3};"
        : "+f"(d0), "+f"(d1), "+f"(d2), "+f"(d3)
        : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "r"(b0), "r"(b1));
  }
  float* out = c + row * n + column + lane % 4 * 2;
  out[0] = d0;
  out[1] = d1;
  out[8 * n] = d2;
  out[8 * n + 1] = d3;
}

// y = M * x with bytes: one warp per row.
__global__ void dp4a_gemv(const int* m, const int* x, int* y, int words) {
  const int lane = threadIdx.x % 32, row = blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32;
  int sum = 0;
  for (int i = lane; i < words; i += 32) sum = __dp4a(m[row * words + i], x[i], sum);
  for (int offset = 16; offset > 0; offset /= 2) sum += __shfl_down_sync(0xffffffff, sum, offset);
  if (lane == 0) y[row] = sum;
}

}  // extern "C"
