// Surface objects: arrays that kernels write, read back as surfaces, as textures and by copies.
#include <algorithm>

#include "program.h"

constexpr int kWidth = 32, kHeight = 16, kDepth = 4;

struct Surface {
  cudaSurfaceObject_t object = 0;
  explicit Surface(cudaArray_t array) {
    cudaResourceDesc resource{};
    resource.resType = cudaResourceTypeArray;
    resource.res.array.array = array;
    MUST(cudaCreateSurfaceObject(&object, &resource));
  }
  ~Surface() { MUST(cudaDestroySurfaceObject(object)); }
  Surface(const Surface&) = delete;
};

template <typename T>
cudaArray_t make_array(int depth, unsigned flags) {
  const cudaChannelFormatDesc format = cudaCreateChannelDesc<T>();
  cudaArray_t array = nullptr;
  MUST(cudaMalloc3DArray(&array, &format, make_cudaExtent(kWidth, kHeight, depth),
                         flags | cudaArraySurfaceLoadStore));
  return array;
}

template <typename T>
std::vector<T> content(cudaArray_t array, int depth) {
  std::vector<T> values(kWidth * kHeight * depth);
  cudaMemcpy3DParms copy{};
  copy.srcArray = array;
  copy.dstPtr = make_cudaPitchedPtr(values.data(), kWidth * sizeof(T), kWidth, kHeight);
  copy.extent = make_cudaExtent(kWidth, kHeight, depth);
  copy.kind = cudaMemcpyDeviceToHost;
  MUST(cudaMemcpy3D(&copy));
  return values;
}

__host__ __device__ int number(int x, int y, int z) { return x + 100 * y + 10000 * z; }

__global__ void write_2d(cudaSurfaceObject_t surface) {
  const int x = threadIdx.x, y = blockIdx.x;
  surf2Dwrite(make_int2(number(x, y, 0), -x), surface, x * sizeof(int2), y);
}
// Shifted by one to the left, from one surface to another; what would come from outside is 0.
__global__ void shift_2d(cudaSurfaceObject_t from, cudaSurfaceObject_t to) {
  const int x = threadIdx.x, y = blockIdx.x;
  int2 pixel = surf2Dread<int2>(from, (x + 1) * sizeof(int2), y, cudaBoundaryModeZero);
  pixel.y += surf2Dread<int2>(from, (x + 1) * sizeof(int2), y + 1, cudaBoundaryModeClamp).x;
  surf2Dwrite(pixel, to, x * sizeof(int2), y);
  // Dropped.
  surf2Dwrite(pixel, to, x * sizeof(int2), y + kHeight, cudaBoundaryModeZero);
}
__global__ void write_3d(cudaSurfaceObject_t surface) {
  surf3Dwrite(static_cast<short>(number(threadIdx.x, blockIdx.x, blockIdx.y) % 30000), surface,
              threadIdx.x * 2, blockIdx.x, blockIdx.y);
}
__global__ void write_layers(cudaSurfaceObject_t surface) {
  const float value = number(threadIdx.x, blockIdx.x, blockIdx.y);
  surf2DLayeredwrite(make_float4(value, value + 0.25f, value + 0.5f, value + 0.75f), surface,
                     threadIdx.x * 16, blockIdx.x, blockIdx.y);
}
__global__ void sum_texture(cudaTextureObject_t texture, float* sums) {
  float sum = 0;
  for (int x = 0; x < kWidth; ++x) sum += tex2DLayered<float4>(texture, x, threadIdx.x, blockIdx.x).w;
  sums[blockIdx.x * kHeight + threadIdx.x] = sum;
}

void check_2d() {
  cudaArray_t first = make_array<int2>(0, 0), second = make_array<int2>(0, 0);
  {
    const Surface from(first), to(second);
    write_2d<<<kHeight, kWidth>>>(from.object);
    shift_2d<<<kHeight, kWidth>>>(from.object, to.object);
    MUST(cudaGetLastError());
    MUST(cudaDeviceSynchronize());
  }
  std::vector<int2> values(kWidth * kHeight);
  MUST(cudaMemcpy2DFromArray(values.data(), kWidth * sizeof(int2), second, 0, 0, kWidth * sizeof(int2),
                             kHeight, cudaMemcpyDeviceToHost));
  for (int y = 0; y < kHeight; ++y) {
    for (int x = 0; x < kWidth; ++x) {
      const int2 got = values[y * kWidth + x];
      const bool inside = x + 1 < kWidth;
      const int below = number(std::min(x + 1, kWidth - 1), std::min(y + 1, kHeight - 1), 0);
      EXPECT(got.x == (inside ? number(x + 1, y, 0) : 0));
      EXPECT(got.y == (inside ? -(x + 1) : 0) + below);
    }
  }
  MUST(cudaFreeArray(first));
  MUST(cudaFreeArray(second));
  std::printf("2D done\n");
}

void check_3d() {
  cudaArray_t array = make_array<short>(kDepth, 0);
  {
    const Surface surface(array);
    write_3d<<<dim3(kHeight, kDepth), kWidth>>>(surface.object);
    MUST(cudaDeviceSynchronize());
  }
  const std::vector<short> values = content<short>(array, kDepth);
  for (int i = 0; i < kWidth * kHeight * kDepth; ++i)
    EXPECT(values[i] == number(i % kWidth, i / kWidth % kHeight, i / (kWidth * kHeight)) % 30000);
  MUST(cudaFreeArray(array));
  std::printf("3D done\n");
}

void check_layers() {
  cudaArray_t array = make_array<float4>(kDepth, cudaArrayLayered);
  DeviceArray<float> sums(kDepth * kHeight);
  {
    const Surface surface(array);
    write_layers<<<dim3(kHeight, kDepth), kWidth>>>(surface.object);
    // The same array as a texture.
    cudaResourceDesc resource{};
    resource.resType = cudaResourceTypeArray;
    resource.res.array.array = array;
    cudaTextureObject_t texture = 0;
    const cudaTextureDesc plain{};
    MUST(cudaCreateTextureObject(&texture, &resource, &plain, nullptr));
    sum_texture<<<kDepth, kHeight>>>(texture, sums.data());
    MUST(cudaDeviceSynchronize());
    MUST(cudaDestroyTextureObject(texture));
  }
  const std::vector<float4> values = content<float4>(array, kDepth);
  const std::vector<float> got = sums.get();
  for (int row = 0; row < kDepth * kHeight; ++row) {
    float sum = 0;
    for (int x = 0; x < kWidth; ++x) {
      const float want = number(x, row % kHeight, row / kHeight);
      EXPECT(values[row * kWidth + x].x == want && values[row * kWidth + x].z == want + 0.5f);
      sum += want + 0.75f;
    }
    EXPECT(got[row] == sum);
  }
  MUST(cudaFreeArray(array));
  std::printf("layers done, %.2f\n", got[5]);
}

int main() {
  check_2d();
  check_3d();
  check_layers();
  return verdict("surfaces");
}
