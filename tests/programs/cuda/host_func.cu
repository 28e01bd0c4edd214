// Host functions in stream order. They run while the stream waits, so what they see is what the
// stream did before, and what they write is there for what follows.
#include <atomic>

#include "program.h"

__global__ void add(int* data, int count, int value) {
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < count; i += gridDim.x * blockDim.x)
    data[i] += value;
}

struct Step {
  int* host;  // pinned; filled by the copy before the function
  int count;
  int expected;
  int calls = 0;
  int wrong = 0;
};

void CUDART_CB check_and_change(void* data) {
  Step* const step = static_cast<Step*>(data);
  for (int i = 0; i < step->count; ++i) {
    step->wrong += step->host[i] != step->expected;
    step->host[i] = 1000;
  }
  ++step->calls;
}

struct Order {
  std::atomic<int> next{0};
  int seen[8] = {};
};

struct Ticket {
  Order* order;
  int number;
};

void CUDART_CB take(void* data) {
  Ticket* const ticket = static_cast<Ticket*>(data);
  ticket->order->seen[ticket->order->next++] = ticket->number;
}

struct Told {
  void* memory;
  cudaError_t status = cudaErrorUnknown;
  cudaError_t freed = cudaSuccess;
  cudaError_t synchronized = cudaSuccess;
};

void try_cuda(Told& told) {
  told.freed = cudaFree(told.memory);
  told.synchronized = cudaDeviceSynchronize();
}

void CUDART_CB on_stream(cudaStream_t, cudaError_t status, void* data) {
  static_cast<Told*>(data)->status = status;
  try_cuda(*static_cast<Told*>(data));
}

void CUDART_CB in_stream(void* data) { try_cuda(*static_cast<Told*>(data)); }

int main() {
  constexpr int kCount = 2000;
  cudaStream_t stream;
  MUST(cudaStreamCreate(&stream));
  DeviceArray<int> device(std::vector<int>(kCount, 5));
  int* host = nullptr;
  MUST(cudaMallocHost(&host, device.bytes()));
  Step step{host, kCount, 12};
  add<<<4, 128, 0, stream>>>(device.data(), kCount, 7);
  MUST(cudaGetLastError());
  MUST(cudaMemcpyAsync(host, device.data(), device.bytes(), cudaMemcpyDeviceToHost, stream));
  MUST(cudaLaunchHostFunc(stream, check_and_change, &step));
  MUST(cudaMemcpyAsync(device.data(), host, device.bytes(), cudaMemcpyHostToDevice, stream));
  add<<<4, 128, 0, stream>>>(device.data(), kCount, 1);
  MUST(cudaStreamSynchronize(stream));
  EXPECT(step.calls == 1);
  EXPECT(step.wrong == 0);
  EXPECT(device.get() == std::vector<int>(kCount, 1001));
  std::printf("host function between copies done\n");

  Order order;
  Ticket tickets[8];
  for (int i = 0; i < 8; ++i) {
    tickets[i] = {&order, i};
    MUST(cudaLaunchHostFunc(stream, take, &tickets[i]));
  }
  MUST(cudaStreamSynchronize(stream));
  EXPECT(order.next == 8);
  for (int i = 0; i < 8; ++i) EXPECT(order.seen[i] == i);
  std::printf("order done\n");

  Told told[2];
  for (Told& one : told) MUST(cudaMalloc(&one.memory, 64));
  add<<<4, 128, 0, stream>>>(device.data(), kCount, 1);
  MUST(cudaStreamAddCallback(stream, on_stream, &told[0], 0));
  MUST(cudaLaunchHostFunc(stream, in_stream, &told[1]));
  MUST(cudaStreamSynchronize(stream));
  EXPECT(told[0].status == cudaSuccess);
  for (const Told& one : told) {
    EXPECT(one.freed == cudaErrorNotPermitted);
    EXPECT(one.synchronized == cudaErrorNotPermitted);
    MUST(cudaFree(one.memory));
  }
  std::printf("stream callback done\n");
  MUST(cudaFreeHost(host));
  MUST(cudaStreamDestroy(stream));
  return verdict("host_func");
}
