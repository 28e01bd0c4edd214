// Copies of rectangles and boxes between host and device, in every direction, with pitches.
#include "program.h"

constexpr int kWidth = 37, kHeight = 21, kDepth = 5;  // elements
constexpr int kHostPitch = 50;                        // elements per row of the host's memory

std::vector<int> numbered(int count) {
  std::vector<int> values(count);
  for (int i = 0; i < count; ++i) values[i] = i * 7 + 1;
  return values;
}

__global__ void add_row_number(int* data, size_t pitch, int width, int height) {
  const int x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y;
  if (x >= width || y >= height) return;
  int* const row = reinterpret_cast<int*>(reinterpret_cast<char*>(data) + y * pitch);
  row[x] += 1000 * y;
}

void check_2d() {
  const std::vector<int> source = numbered(kHostPitch * kHeight);
  int *first = nullptr, *second = nullptr;
  size_t first_pitch = 0, second_pitch = 0;
  MUST(cudaMallocPitch(&first, &first_pitch, kWidth * sizeof(int), kHeight));
  MUST(cudaMallocPitch(&second, &second_pitch, (kWidth + 40) * sizeof(int), kHeight));
  EXPECT(first_pitch >= kWidth * sizeof(int) && first_pitch % 32 == 0);
  MUST(cudaMemcpy2D(first, first_pitch, source.data(), kHostPitch * sizeof(int), kWidth * sizeof(int),
                    kHeight, cudaMemcpyHostToDevice));
  add_row_number<<<dim3(2, kHeight), 32>>>(first, first_pitch, kWidth, kHeight);
  MUST(cudaGetLastError());
  MUST(cudaMemcpy2D(second, second_pitch, first, first_pitch, kWidth * sizeof(int), kHeight,
                    cudaMemcpyDeviceToDevice));
  std::vector<int> result(kHostPitch * kHeight, -1);
  MUST(cudaMemcpy2D(result.data(), kHostPitch * sizeof(int), second, second_pitch, kWidth * sizeof(int),
                    kHeight, cudaMemcpyDeviceToHost));
  for (int y = 0; y < kHeight; ++y) {
    for (int x = 0; x < kHostPitch; ++x) {
      const int i = y * kHostPitch + x;
      EXPECT(result[i] == (x < kWidth ? source[i] + 1000 * y : -1));
    }
  }
  EXPECT_ERROR(cudaErrorInvalidPitchValue,
               cudaMemcpy2D(first, 8, source.data(), kHostPitch * sizeof(int), kWidth * sizeof(int), kHeight,
                            cudaMemcpyHostToDevice));
  cudaGetLastError();
  std::printf("2D done\n");

  // A window in the middle, asynchronously, and a memset of a window.
  cudaStream_t stream;
  MUST(cudaStreamCreate(&stream));
  char* const window = reinterpret_cast<char*>(first) + 3 * first_pitch + 5 * sizeof(int);
  MUST(cudaMemset2DAsync(window, first_pitch, 0, 10 * sizeof(int), 4, stream));
  std::vector<int> small(12 * 6, -1);
  MUST(cudaMemcpy2DAsync(small.data(), 12 * sizeof(int), window - first_pitch - sizeof(int), first_pitch,
                         12 * sizeof(int), 6, cudaMemcpyDeviceToHost, stream));
  MUST(cudaStreamSynchronize(stream));
  for (int y = 0; y < 6; ++y) {
    for (int x = 0; x < 12; ++x) {
      const bool inside = x >= 1 && x < 11 && y >= 1 && y < 5;
      const int row = y + 2, column = x + 4;
      EXPECT(small[y * 12 + x] == (inside ? 0 : source[row * kHostPitch + column] + 1000 * row));
    }
  }
  MUST(cudaStreamDestroy(stream));
  MUST(cudaFree(first));
  MUST(cudaFree(second));
  std::printf("windows done\n");
}

void check_3d() {
  std::vector<int> source = numbered(kWidth * kHeight * kDepth), result(source.size());
  const cudaExtent extent = make_cudaExtent(kWidth * sizeof(int), kHeight, kDepth);
  cudaPitchedPtr device{};
  MUST(cudaMalloc3D(&device, extent));
  cudaMemcpy3DParms copy{};
  copy.srcPtr = make_cudaPitchedPtr(source.data(), kWidth * sizeof(int), kWidth, kHeight);
  copy.dstPtr = device;
  copy.extent = extent;
  copy.kind = cudaMemcpyHostToDevice;
  MUST(cudaMemcpy3D(&copy));

  cudaMemcpy3DParms back{};
  back.srcPtr = device;
  back.dstPtr = make_cudaPitchedPtr(result.data(), kWidth * sizeof(int), kWidth, kHeight);
  back.extent = extent;
  back.kind = cudaMemcpyDeviceToHost;
  MUST(cudaMemcpy3D(&back));
  EXPECT(result == source);

  // A box in the middle.
  back.srcPos = make_cudaPos(4 * sizeof(int), 2, 1);
  back.dstPos = make_cudaPos(0, 0, 0);
  back.dstPtr = make_cudaPitchedPtr(result.data(), 6 * sizeof(int), 6, 7);
  back.extent = make_cudaExtent(6 * sizeof(int), 7, 3);
  MUST(cudaMemcpy3D(&back));
  for (int z = 0; z < 3; ++z) {
    for (int y = 0; y < 7; ++y) {
      for (int x = 0; x < 6; ++x) {
        EXPECT(result[(z * 7 + y) * 6 + x] == source[((z + 1) * kHeight + y + 2) * kWidth + x + 4]);
      }
    }
  }
  MUST(cudaFree(device.ptr));
  std::printf("3D done\n");
}

void check_plain() {
  const std::vector<int> source = numbered(5000);
  DeviceArray<int> first(source), second(5000);
  MUST(cudaMemcpy(second.data(), first.data(), first.bytes(), cudaMemcpyDeviceToDevice));
  EXPECT(second.get() == source);
  MUST(cudaMemset(second.data(), 0x11, 400));
  std::vector<int> result(5000);
  MUST(cudaMemcpy(result.data(), second.data(), second.bytes(), cudaMemcpyDefault));
  EXPECT(result[99] == 0x11111111 && result[100] == source[100]);
  std::vector<int> host_copy(5000);
  MUST(cudaMemcpy(host_copy.data(), source.data(), second.bytes(), cudaMemcpyHostToHost));
  EXPECT(host_copy == source);
  MUST(cudaMemcpy(second.data(), nullptr, 0, cudaMemcpyHostToDevice));
  std::printf("plain done\n");
}

int main() {
  check_plain();
  check_2d();
  check_3d();
  return verdict("memcpy2d");
}
