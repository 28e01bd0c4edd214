// Graphs: captured from streams and built node by node, launched many times, updated and cloned.
#include "program.h"

__global__ void add(int* data, int count, int value) {
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < count; i += gridDim.x * blockDim.x)
    data[i] += value;
}

__global__ void multiply(int* data, int count, int value) {
  for (int i = blockIdx.x * blockDim.x + threadIdx.x; i < count; i += gridDim.x * blockDim.x)
    data[i] *= value;
}

constexpr int kCount = 3000;

bool all_are(const std::vector<int>& values, int expected) {
  for (int value : values) {
    if (value != expected) return false;
  }
  return true;
}

// Ten times `first`, and `rest` after them.
bool ends_with(const std::vector<int>& values, int first, int rest) {
  for (size_t i = 0; i < values.size(); ++i) {
    if (values[i] != (i < 10 ? first : rest)) return false;
  }
  return true;
}

size_t node_count(cudaGraph_t graph) {
  size_t count = 0;
  MUST(cudaGraphGetNodes(graph, nullptr, &count));
  return count;
}

void check_capture() {
  cudaStream_t stream;
  MUST(cudaStreamCreate(&stream));
  DeviceArray<int> data(std::vector<int>(kCount, 0));
  MUST(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
  cudaStreamCaptureStatus status;
  MUST(cudaStreamIsCapturing(stream, &status));
  EXPECT(status == cudaStreamCaptureStatusActive);
  MUST(cudaMemsetAsync(data.data(), 0, data.bytes(), stream));
  add<<<4, 128, 0, stream>>>(data.data(), kCount, 2);
  multiply<<<4, 128, 0, stream>>>(data.data(), kCount, 10);
  add<<<4, 128, 0, stream>>>(data.data(), kCount, 1);
  cudaGraph_t graph;
  MUST(cudaStreamEndCapture(stream, &graph));
  EXPECT(node_count(graph) == 4);
  EXPECT(all_are(data.get(), 0));  // capturing ran nothing
  cudaGraphExec_t exec;
  MUST(cudaGraphInstantiate(&exec, graph, 0));
  for (int i = 0; i < 5; ++i) MUST(cudaGraphLaunch(exec, stream));
  MUST(cudaStreamSynchronize(stream));
  EXPECT(all_are(data.get(), 21));
  MUST(cudaGraphExecDestroy(exec));
  MUST(cudaGraphDestroy(graph));
  MUST(cudaStreamDestroy(stream));
  std::printf("capture done\n");
}

// Two branches in two streams that meet again.
void check_forked_capture() {
  cudaStream_t main_stream, side;
  cudaEvent_t fork, join;
  MUST(cudaStreamCreate(&main_stream));
  MUST(cudaStreamCreateWithFlags(&side, cudaStreamNonBlocking));
  MUST(cudaEventCreateWithFlags(&fork, cudaEventDisableTiming));
  MUST(cudaEventCreateWithFlags(&join, cudaEventDisableTiming));
  DeviceArray<int> first(std::vector<int>(kCount, 1)), second(std::vector<int>(kCount, 2));
  MUST(cudaStreamBeginCapture(main_stream, cudaStreamCaptureModeThreadLocal));
  MUST(cudaEventRecord(fork, main_stream));
  MUST(cudaStreamWaitEvent(side, fork, 0));
  add<<<4, 64, 0, main_stream>>>(first.data(), kCount, 10);
  add<<<4, 64, 0, side>>>(second.data(), kCount, 20);
  MUST(cudaEventRecord(join, side));
  MUST(cudaStreamWaitEvent(main_stream, join, 0));
  MUST(cudaMemcpyAsync(first.data(), second.data(), second.bytes() / 2, cudaMemcpyDeviceToDevice,
                       main_stream));
  cudaGraph_t graph;
  MUST(cudaStreamEndCapture(main_stream, &graph));
  cudaGraphExec_t exec;
  MUST(cudaGraphInstantiate(&exec, graph, 0));
  MUST(cudaGraphLaunch(exec, main_stream));
  MUST(cudaStreamSynchronize(main_stream));
  const std::vector<int> result = first.get();
  EXPECT(result[0] == 22 && result[kCount / 2 - 1] == 22 && result[kCount / 2] == 11 &&
         result[kCount - 1] == 11);
  MUST(cudaGraphExecDestroy(exec));
  MUST(cudaGraphDestroy(graph));
  MUST(cudaEventDestroy(fork));
  MUST(cudaEventDestroy(join));
  MUST(cudaStreamDestroy(main_stream));
  MUST(cudaStreamDestroy(side));
  std::printf("forked capture done\n");
}

cudaGraphNode_t kernel_node(cudaGraph_t graph, void* function, int* data, int* value,
                            const std::vector<cudaGraphNode_t>& after) {
  static int count = kCount;
  void* arguments[] = {&data, &count, value};
  cudaKernelNodeParams params{};
  params.func = function;
  params.gridDim = dim3(4);
  params.blockDim = dim3(128);
  params.kernelParams = arguments;
  cudaGraphNode_t node;
  MUST(cudaGraphAddKernelNode(&node, graph, after.data(), after.size(), &params));
  return node;
}

void check_built() {
  cudaStream_t stream;
  MUST(cudaStreamCreate(&stream));
  DeviceArray<int> data(std::vector<int>(kCount, 3));
  cudaGraph_t graph;
  MUST(cudaGraphCreate(&graph, 0));
  int two = 2, five = 5;
  const cudaGraphNode_t first = kernel_node(graph, reinterpret_cast<void*>(add), data.data(), &two, {});
  const cudaGraphNode_t second =
      kernel_node(graph, reinterpret_cast<void*>(multiply), data.data(), &five, {first});
  cudaMemsetParams memset{};
  memset.dst = data.data();
  memset.elementSize = 4;
  memset.value = 4;
  memset.width = 10;
  memset.height = 1;
  cudaGraphNode_t set;
  MUST(cudaGraphAddMemsetNode(&set, graph, &second, 1, &memset));
  EXPECT(node_count(graph) == 3);
  cudaGraphNodeType type;
  MUST(cudaGraphNodeGetType(set, &type));
  EXPECT(type == cudaGraphNodeTypeMemset);
  size_t dependencies = 0;
  MUST(cudaGraphNodeGetDependencies(second, nullptr, nullptr, &dependencies));
  EXPECT(dependencies == 1);

  cudaGraphExec_t exec;
  MUST(cudaGraphInstantiate(&exec, graph, 0));
  MUST(cudaGraphLaunch(exec, stream));
  MUST(cudaStreamSynchronize(stream));
  EXPECT(ends_with(data.get(), 4, 25));
  MUST(cudaGraphLaunch(exec, stream));
  MUST(cudaStreamSynchronize(stream));
  EXPECT(ends_with(data.get(), 4, 135));

  // Other arguments for the second node.
  int three = 3, count = kCount;
  int* pointer = data.data();
  void* arguments[] = {&pointer, &count, &three};
  cudaKernelNodeParams params{};
  params.func = reinterpret_cast<void*>(multiply);
  params.gridDim = dim3(2);
  params.blockDim = dim3(64);
  params.kernelParams = arguments;
  MUST(cudaGraphExecKernelNodeSetParams(exec, second, &params));
  MUST(cudaGraphLaunch(exec, stream));
  MUST(cudaStreamSynchronize(stream));
  EXPECT(ends_with(data.get(), 4, 411));

  cudaGraph_t clone;
  MUST(cudaGraphClone(&clone, graph));
  EXPECT(node_count(clone) == 3);
  MUST(cudaGraphDestroy(clone));
  MUST(cudaGraphExecDestroy(exec));
  MUST(cudaGraphDestroy(graph));
  MUST(cudaStreamDestroy(stream));
  std::printf("built graph done\n");
}

int main() {
  check_capture();
  check_forked_capture();
  check_built();
  return verdict("graphs_basic");
}
