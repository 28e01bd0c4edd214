// Managed memory as programs use it: cudaMallocManaged, __managed__ variables, objects of C++.
#include <cstring>

#include "program.h"

__managed__ int counter = 5;
__managed__ float weights[1000];

struct Node {
  int value;
  Node* next;
};

__global__ void add_up(const Node* list, long long* sum) {
  for (const Node* node = list; node != nullptr; node = node->next) *sum += node->value;
  counter += 1;
}

__global__ void weigh(float* values, int count) {
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < count; i += gridDim.x * blockDim.x)
    values[i] *= weights[i % 1000];
}

template <typename T>
T* managed(size_t count) {
  T* memory = nullptr;
  MUST(cudaMallocManaged(&memory, count * sizeof(T)));
  return memory;
}

// A list in which every node is an allocation of its own.
void list() {
  constexpr int kNodes = 300;
  Node* head = nullptr;
  for (int i = 0; i < kNodes; ++i) {
    Node* node = managed<Node>(1);
    *node = {i, head};
    head = node;
  }
  auto* sum = managed<long long>(1);
  *sum = 1000;
  EXPECT(counter == 5);
  add_up<<<1, 1>>>(head, sum);
  MUST(cudaDeviceSynchronize());
  EXPECT(*sum == 1000 + kNodes * (kNodes - 1) / 2);
  EXPECT(counter == 6);
  counter = 10;
  head->value = 1;  // was kNodes - 1
  *sum = 0;
  add_up<<<1, 1>>>(head, sum);
  MUST(cudaDeviceSynchronize());
  EXPECT(*sum == kNodes * (kNodes - 1) / 2 - (kNodes - 2));
  EXPECT(counter == 11);
  std::printf("a list of %d nodes: %lld\n", kNodes, *sum);
  while (head != nullptr) {
    Node* next = head->next;
    MUST(cudaFree(head));
    head = next;
  }
  MUST(cudaFree(sum));
}

void arrays() {
  constexpr int kCount = 100000;
  auto* values = managed<float>(kCount);
  for (int i = 0; i < 1000; ++i) weights[i] = static_cast<float>(i % 7);
  for (int i = 0; i < kCount; ++i) values[i] = static_cast<float>(i);
  cudaStream_t stream;
  MUST(cudaStreamCreate(&stream));
  weigh<<<64, 128, 0, stream>>>(values, kCount);
  cudaEvent_t done;
  MUST(cudaEventCreate(&done));
  MUST(cudaEventRecord(done, stream));
  MUST(cudaEventSynchronize(done));
  int wrong = 0;
  for (int i = 0; i < kCount; ++i)
    wrong += values[i] != static_cast<float>(i) * static_cast<float>(i % 1000 % 7);
  std::printf("arrays: %d wrong\n", wrong);
  EXPECT(wrong == 0);
  // By stdio, which hands memory to the system.
  std::FILE* file = std::tmpfile();
  weigh<<<64, 128, 0, stream>>>(values, kCount);
  MUST(cudaStreamSynchronize(stream));
  EXPECT(std::fwrite(values, sizeof(float), kCount, file) == static_cast<size_t>(kCount));
  std::rewind(file);
  std::vector<float> back(kCount);
  EXPECT(std::fread(back.data(), sizeof(float), kCount, file) == static_cast<size_t>(kCount));
  EXPECT(std::memcmp(back.data(), values, kCount * sizeof(float)) == 0);
  std::fclose(file);
  MUST(cudaEventDestroy(done));
  MUST(cudaStreamDestroy(stream));
  MUST(cudaFree(values));
}

void graph() {
  constexpr int kCount = 5000;
  auto* values = managed<float>(kCount);
  cudaStream_t stream;
  MUST(cudaStreamCreate(&stream));
  cudaGraph_t captured;
  MUST(cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal));
  weigh<<<8, 128, 0, stream>>>(values, kCount);
  MUST(cudaStreamEndCapture(stream, &captured));
  cudaGraphExec_t executable;
  MUST(cudaGraphInstantiate(&executable, captured, 0));
  for (int i = 0; i < 1000; ++i) weights[i] = 2;
  int wrong = 0;
  for (int turn = 1; turn <= 3; ++turn) {
    for (int i = 0; i < kCount; ++i) values[i] = static_cast<float>(turn);
    MUST(cudaGraphLaunch(executable, stream));
    MUST(cudaStreamSynchronize(stream));
    for (int i = 0; i < kCount; ++i) wrong += values[i] != static_cast<float>(2 * turn);
  }
  std::printf("graph: %d wrong\n", wrong);
  EXPECT(wrong == 0);
  MUST(cudaGraphExecDestroy(executable));
  MUST(cudaGraphDestroy(captured));
  MUST(cudaStreamDestroy(stream));
  MUST(cudaFree(values));
}

void attributes() {
  auto* values = managed<int>(100);
  cudaPointerAttributes seen{};
  MUST(cudaPointerGetAttributes(&seen, values + 3));
  EXPECT(seen.type == cudaMemoryTypeManaged && seen.devicePointer == values + 3 &&
         seen.hostPointer == values + 3);
  MUST(cudaPointerGetAttributes(&seen, &weights[3]));
  EXPECT(seen.type == cudaMemoryTypeManaged);
  MUST(cudaFree(values));
}

int main() {
  list();
  arrays();
  graph();
  attributes();
  return verdict("managed");
}
