// Several host threads on one device: each with its own stream, with the default stream, and with
// the per-thread default stream; what one thread finished another may use.
#include <atomic>
#include <thread>

#include "program.h"

__global__ void fill(int* data, int count, int value) {
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < count; i += gridDim.x * blockDim.x) data[i] = value;
}

__global__ void add(int* data, int count, int value) {
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < count; i += gridDim.x * blockDim.x)
    data[i] += value;
}

constexpr int kThreads = 6;
constexpr int kCount = 4000;

std::atomic<int> g_wrong{0};

void expect_all(int* device, int expected, cudaStream_t stream) {
  std::vector<int> host(kCount);
  MUST(cudaMemcpyAsync(host.data(), device, kCount * sizeof(int), cudaMemcpyDeviceToHost, stream));
  MUST(cudaStreamSynchronize(stream));
  for (int value : host) g_wrong += value != expected;
}

void work(int thread, cudaStream_t stream) {
  int* device = nullptr;
  MUST(cudaMalloc(&device, kCount * sizeof(int)));
  for (int round = 0; round < 10; ++round) {
    fill<<<4, 64, 0, stream>>>(device, kCount, thread * 100);
    add<<<4, 64, 0, stream>>>(device, kCount, round);
    expect_all(device, thread * 100 + round, stream);
  }
  MUST(cudaFree(device));
}

template <typename Body>
void in_threads(const char* what, Body body) {
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) threads.emplace_back([=] { body(thread); });
  for (std::thread& thread : threads) thread.join();
  std::printf("%s: %d wrong\n", what, g_wrong.load());
  EXPECT(g_wrong == 0);
}

int main() {
  in_threads("own streams", [](int thread) {
    cudaStream_t stream;
    MUST(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
    work(thread, stream);
    MUST(cudaStreamDestroy(stream));
  });
  in_threads("default stream", [](int thread) { work(thread, nullptr); });
  in_threads("per-thread default stream", [](int thread) { work(thread, cudaStreamPerThread); });

  // Each thread adds to the same memory on the legacy stream, which orders them all.
  DeviceArray<int> shared(std::vector<int>(kCount, 0));
  MUST(cudaDeviceSynchronize());
  in_threads("one array", [&shared](int thread) {
    for (int round = 0; round < 5; ++round)
      add<<<4, 64, 0, cudaStreamLegacy>>>(shared.data(), kCount, thread);
    MUST(cudaStreamSynchronize(cudaStreamLegacy));
  });
  const std::vector<int> sums = shared.get();
  for (int value : sums) EXPECT(value == 5 * (0 + 1 + 2 + 3 + 4 + 5));

  // An error is remembered by the thread that made it.
  std::thread([] {
    EXPECT_ERROR(cudaErrorInvalidMemcpyDirection,
                 cudaMemcpy(nullptr, nullptr, 4, static_cast<cudaMemcpyKind>(77)));
    EXPECT(cudaPeekAtLastError() == cudaErrorInvalidMemcpyDirection);
  }).join();
  EXPECT(cudaPeekAtLastError() == cudaSuccess);
  return verdict("threads");
}
