// Captures of streams: what becomes of host memory and host functions, other streams and threads, and
// what may not be done meanwhile.
#include <thread>

#include "graphs.h"

namespace {

void begin(CUstream stream, CUstreamCaptureMode mode = CU_STREAM_CAPTURE_MODE_RELAXED) {
  MUST(DRIVER(cuStreamBeginCapture_v2)(stream, mode));
}

CUgraph end(CUstream stream) {
  CUgraph graph = nullptr;
  MUST(DRIVER(cuStreamEndCapture)(stream, &graph));
  return graph;
}

CUstreamCaptureStatus status_of(CUstream stream) {
  CUstreamCaptureStatus status{};
  MUST(DRIVER(cuStreamIsCapturing)(stream, &status));
  return status;
}

size_t node_count(CUgraph graph) {
  size_t count = 0;
  MUST(DRIVER(cuGraphGetNodes)(graph, nullptr, &count));
  return count;
}

// Pageable and pinned memory are read and written when the graph runs, not when it is captured.
void check_host_memory(CUmodule module) {
  unsigned count = 1000;
  int calls = 0;
  float* pinned = nullptr;
  MUST(DRIVER(cuMemHostAlloc)(reinterpret_cast<void**>(&pinned), count * sizeof(float), 0));
  std::vector<float> input(count, 1.0f);
  CUdeviceptr data = upload(std::vector<float>(count));
  const CUfunction scale = function_of(module, "scale");
  begin(g_stream);
  MUST(DRIVER(cuMemcpyHtoDAsync_v2)(data, input.data(), count * sizeof(float), g_stream));
  launch(scale, 8, 128, {&data, &count}, g_stream);
  MUST(DRIVER(cuMemcpyDtoHAsync_v2)(pinned, data, count * sizeof(float), g_stream));
  MUST(DRIVER(cuLaunchHostFunc)(g_stream, count_up, &calls));
  MUST(DRIVER(cuMemcpyAsync)(data, reinterpret_cast<CUdeviceptr>(pinned), 4, g_stream));
  const CUgraph graph = end(g_stream);
  EXPECT(node_count(graph) == 5 && calls == 0);
  std::vector<CUgraphNode> nodes(5);
  size_t found = 5;
  MUST(DRIVER(cuGraphGetNodes)(graph, nodes.data(), &found));
  const CUgraphNodeType expected[5] = {CU_GRAPH_NODE_TYPE_MEMCPY, CU_GRAPH_NODE_TYPE_KERNEL,
                                       CU_GRAPH_NODE_TYPE_MEMCPY, CU_GRAPH_NODE_TYPE_HOST,
                                       CU_GRAPH_NODE_TYPE_MEMCPY};
  for (int i = 0; i < 5; ++i) EXPECT(type_of(nodes[i]) == expected[i]);
  CUDA_KERNEL_NODE_PARAMS kernel{};
  MUST(DRIVER(cuGraphKernelNodeGetParams_v2)(nodes[1], &kernel));
  EXPECT(kernel.gridDimX == 8 && *static_cast<CUdeviceptr*>(kernel.kernelParams[0]) == data);
  const CUgraphExec exec = instantiate(graph);
  for (float value : {3.0f, 5.0f}) {
    std::fill(input.begin(), input.end(), value);
    run(exec);
    EXPECT(pinned[0] == value && pinned[1] == 2 * value && pinned[count - 1] == 8 * value);
  }
  EXPECT(calls == 2);
  MUST(DRIVER(cuGraphExecDestroy)(exec));
  MUST(DRIVER(cuGraphDestroy)(graph));
  // Outside of captures everything is as before.
  input[0] = 9;
  MUST(DRIVER(cuMemcpyHtoDAsync_v2)(data, input.data(), 4, g_stream));
  MUST(DRIVER(cuStreamSynchronize)(g_stream));
  EXPECT(download<float>(data, 1)[0] == 9);
  MUST(DRIVER(cuMemFreeHost)(pinned));
  MUST(DRIVER(cuMemFree_v2)(data));
  std::printf("host memory: %d calls\n", calls);
}

void check_fork_and_join(CUmodule module) {
  CUstream side = nullptr;
  CUevent fork = nullptr, join = nullptr;
  MUST(DRIVER(cuStreamCreate)(&side, CU_STREAM_NON_BLOCKING));
  MUST(DRIVER(cuEventCreate)(&fork, CU_EVENT_DISABLE_TIMING));
  MUST(DRIVER(cuEventCreate)(&join, CU_EVENT_DISABLE_TIMING));
  unsigned count = 64;
  CUdeviceptr one = upload(std::vector<float>(count, 1.0f)), two = upload(std::vector<float>(count, 2.0f));
  const CUfunction scale = function_of(module, "scale");
  launch(scale, 1, 64, {&one, &count}, g_stream);
  MUST(DRIVER(cuStreamSynchronize)(g_stream));
  begin(g_stream, CU_STREAM_CAPTURE_MODE_GLOBAL);
  launch(scale, 1, 64, {&one, &count}, g_stream);
  MUST(DRIVER(cuEventRecord)(fork, g_stream));
  MUST(DRIVER(cuStreamWaitEvent)(side, fork, 0));
  EXPECT(status_of(side) == CU_STREAM_CAPTURE_STATUS_ACTIVE);
  launch(scale, 1, 64, {&two, &count}, side);
  CUgraph told = nullptr, none = nullptr;
  EXPECT_ERROR(CUDA_ERROR_STREAM_CAPTURE_UNMATCHED, DRIVER(cuStreamEndCapture)(side, &none));
  CUstreamCaptureStatus status{};
  cuuint64_t id = 0, side_id = 0;
  const CUgraphNode* dependencies = nullptr;
  const CUgraphEdgeData* edges = nullptr;
  size_t after = 0;
  MUST(DRIVER(cuStreamGetCaptureInfo_v2)(g_stream, &status, &id, &told, &dependencies, &after));
  EXPECT(status == CU_STREAM_CAPTURE_STATUS_ACTIVE && after == 1);
  EXPECT(type_of(dependencies[0]) == CU_GRAPH_NODE_TYPE_KERNEL);
  MUST(DRIVER(cuStreamGetCaptureInfo_v3)(side, &status, &side_id, &told, &dependencies, &edges, &after));
  EXPECT(id != 0 && side_id == id && after == 1);
  // A node of our own, which the side stream goes on behind.
  CUgraphNode node = nullptr;
  MUST(DRIVER(cuGraphAddEmptyNode)(&node, told, dependencies, after));
  MUST(DRIVER(cuStreamUpdateCaptureDependencies)(side, &node, 1, CU_STREAM_SET_CAPTURE_DEPENDENCIES));
  MUST(DRIVER(cuEventRecord)(join, side));
  MUST(DRIVER(cuStreamWaitEvent)(g_stream, join, 0));
  MUST(DRIVER(cuStreamGetCaptureInfo_v2)(g_stream, &status, &id, &told, &dependencies, &after));
  EXPECT(after == 2);
  const CUgraph graph = end(g_stream);
  EXPECT(graph == told && node_count(graph) == 3);
  EXPECT(status_of(side) == CU_STREAM_CAPTURE_STATUS_NONE);
  const CUgraphExec exec = instantiate(graph);
  run(exec);
  EXPECT(download<float>(one, 2)[1] == 4 && download<float>(two, 2)[1] == 4);

  // A launch in a capture becomes a child graph.
  begin(g_stream);
  MUST(DRIVER(cuGraphLaunch)(exec, g_stream));
  MUST(DRIVER(cuGraphLaunch)(exec, g_stream));
  const CUgraph outer = end(g_stream);
  EXPECT(node_count(outer) == 2);
  const CUgraphExec both = instantiate(outer);
  run(both);
  EXPECT(download<float>(one, 2)[1] == 16);
  for (CUgraphExec each : {exec, both}) MUST(DRIVER(cuGraphExecDestroy)(each));
  for (CUgraph each : {graph, outer}) MUST(DRIVER(cuGraphDestroy)(each));
  for (CUdeviceptr address : {one, two}) MUST(DRIVER(cuMemFree_v2)(address));
  for (CUevent event : {fork, join}) MUST(DRIVER(cuEventDestroy_v2)(event));
  MUST(DRIVER(cuStreamDestroy_v2)(side));
  std::printf("fork and join done\n");
}

void check_capture_to_graph() {
  int before = 0, calls = 0;
  const CUgraph graph = make_graph();
  CUgraphNode first = nullptr;
  CUDA_HOST_NODE_PARAMS call{count_up, &before};
  MUST(DRIVER(cuGraphAddHostNode)(&first, graph, nullptr, 0, &call));
  MUST(DRIVER(cuStreamBeginCaptureToGraph)(g_stream, graph, &first, nullptr, 1,
                                           CU_STREAM_CAPTURE_MODE_RELAXED));
  MUST(DRIVER(cuLaunchHostFunc)(g_stream, count_up, &calls));
  MUST(DRIVER(cuStreamEndCapture)(g_stream, nullptr));
  EXPECT(node_count(graph) == 2);
  size_t edges = 0;
  MUST(DRIVER(cuGraphGetEdges)(graph, nullptr, nullptr, &edges));
  EXPECT(edges == 1);
  const CUgraphExec exec = instantiate(graph);
  run(exec);
  EXPECT(before == 1 && calls == 1);
  MUST(DRIVER(cuGraphExecDestroy)(exec));
  MUST(DRIVER(cuGraphDestroy)(graph));
  std::printf("capture to graph done\n");
}

void check_spoilt() {
  CUstream side = nullptr;
  CUgraph graph = nullptr;
  CUevent event = nullptr, outside = nullptr;
  MUST(DRIVER(cuStreamCreate)(&side, CU_STREAM_NON_BLOCKING));
  MUST(DRIVER(cuEventCreate)(&event, CU_EVENT_DISABLE_TIMING));
  MUST(DRIVER(cuEventCreate)(&outside, CU_EVENT_DISABLE_TIMING));
  EXPECT_ERROR(CUDA_ERROR_ILLEGAL_STATE, DRIVER(cuStreamEndCapture)(g_stream, &graph));
  EXPECT_ERROR(CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED,
               DRIVER(cuStreamBeginCapture_v2)(nullptr, CU_STREAM_CAPTURE_MODE_RELAXED));
  // Waiting for what has not begun.
  begin(g_stream);
  EXPECT_ERROR(CUDA_ERROR_ILLEGAL_STATE,
               DRIVER(cuStreamBeginCapture_v2)(g_stream, CU_STREAM_CAPTURE_MODE_RELAXED));
  EXPECT_ERROR(CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, DRIVER(cuStreamSynchronize)(g_stream));
  EXPECT(status_of(g_stream) == CU_STREAM_CAPTURE_STATUS_INVALIDATED);
  EXPECT_ERROR(CUDA_ERROR_STREAM_CAPTURE_INVALIDATED, DRIVER(cuLaunchHostFunc)(g_stream, count_up, &graph));
  EXPECT_ERROR(CUDA_ERROR_STREAM_CAPTURE_INVALIDATED, DRIVER(cuStreamEndCapture)(g_stream, &graph));
  EXPECT(graph == nullptr && status_of(g_stream) == CU_STREAM_CAPTURE_STATUS_NONE);
  MUST(DRIVER(cuStreamSynchronize)(g_stream));
  // Asking how far it is, and a callback, which unlike a host function cannot be part of a graph.
  begin(g_stream);
  EXPECT_ERROR(CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, DRIVER(cuStreamQuery)(g_stream));
  EXPECT_ERROR(CUDA_ERROR_STREAM_CAPTURE_INVALIDATED, DRIVER(cuStreamEndCapture)(g_stream, &graph));
  begin(g_stream);
  EXPECT_ERROR(CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED,
               DRIVER(cuStreamAddCallback)(g_stream, [](CUstream, CUresult, void*) {}, nullptr, 0));
  EXPECT_ERROR(CUDA_ERROR_STREAM_CAPTURE_INVALIDATED, DRIVER(cuStreamEndCapture)(g_stream, &graph));
  // A side stream that does not come back.
  int calls = 0;
  begin(g_stream);
  MUST(DRIVER(cuEventRecord)(event, g_stream));
  EXPECT_ERROR(CUDA_ERROR_CAPTURED_EVENT, DRIVER(cuEventQuery)(event));
  MUST(DRIVER(cuStreamWaitEvent)(side, event, 0));
  MUST(DRIVER(cuLaunchHostFunc)(side, count_up, &calls));
  EXPECT_ERROR(CUDA_ERROR_STREAM_CAPTURE_UNJOINED, DRIVER(cuStreamEndCapture)(g_stream, &graph));
  // An event from outside.
  MUST(DRIVER(cuEventRecord)(outside, side));
  begin(g_stream);
  EXPECT_ERROR(CUDA_ERROR_STREAM_CAPTURE_ISOLATION, DRIVER(cuStreamWaitEvent)(g_stream, outside, 0));
  EXPECT_ERROR(CUDA_ERROR_STREAM_CAPTURE_INVALIDATED, DRIVER(cuStreamEndCapture)(g_stream, &graph));
  // Two captures that meet.
  begin(g_stream);
  begin(side);
  MUST(DRIVER(cuEventRecord)(event, side));
  EXPECT_ERROR(CUDA_ERROR_STREAM_CAPTURE_MERGE, DRIVER(cuStreamWaitEvent)(g_stream, event, 0));
  EXPECT_ERROR(CUDA_ERROR_STREAM_CAPTURE_INVALIDATED, DRIVER(cuStreamEndCapture)(side, &graph));
  EXPECT_ERROR(CUDA_ERROR_STREAM_CAPTURE_INVALIDATED, DRIVER(cuStreamEndCapture)(g_stream, &graph));
  // The legacy stream is ordered with a blocking stream that captures.
  CUstream blocking = nullptr;
  MUST(DRIVER(cuStreamCreate)(&blocking, CU_STREAM_DEFAULT));
  begin(blocking);
  EXPECT_ERROR(CUDA_ERROR_STREAM_CAPTURE_IMPLICIT, DRIVER(cuLaunchHostFunc)(nullptr, count_up, &calls));
  EXPECT_ERROR(CUDA_ERROR_STREAM_CAPTURE_INVALIDATED, DRIVER(cuStreamEndCapture)(blocking, &graph));
  EXPECT(calls == 0);
  MUST(DRIVER(cuStreamDestroy_v2)(blocking));
  MUST(DRIVER(cuStreamDestroy_v2)(side));
  for (CUevent each : {event, outside}) MUST(DRIVER(cuEventDestroy_v2)(each));
  std::printf("spoilt captures done\n");
}

CUresult allocate() {
  CUdeviceptr address = 0;
  const CUresult result = DRIVER(cuMemAlloc_v2)(&address, 256);
  if (result == CUDA_SUCCESS) MUST(DRIVER(cuMemFree_v2)(address));
  return result;
}

CUresult in_thread(CUresult (*function)()) {
  CUresult result = CUDA_ERROR_UNKNOWN;
  std::thread([&] {
    MUST(DRIVER(cuCtxSetCurrent)(g_context));
    result = function();
  }).join();
  return result;
}

// Whether this thread, another one, and one that says it knows what it does, may allocate.
void check_mode(CUstreamCaptureMode mode, CUresult here, CUresult elsewhere) {
  CUgraph graph = nullptr;
  const auto ends = [&](CUresult because) {
    const CUresult expected = because == CUDA_SUCCESS ? CUDA_SUCCESS : CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
    EXPECT_ERROR(expected, DRIVER(cuStreamEndCapture)(g_stream, &graph));
    if (graph != nullptr) MUST(DRIVER(cuGraphDestroy)(graph));
  };
  begin(g_stream, mode);
  EXPECT_ERROR(here, allocate());
  ends(here);
  begin(g_stream, mode);
  EXPECT_ERROR(elsewhere, in_thread(allocate));
  ends(elsewhere);
  begin(g_stream, mode);
  CUstreamCaptureMode mine = CU_STREAM_CAPTURE_MODE_RELAXED;
  MUST(DRIVER(cuThreadExchangeStreamCaptureMode)(&mine));
  EXPECT(mine == CU_STREAM_CAPTURE_MODE_GLOBAL);
  EXPECT_ERROR(CUDA_SUCCESS, allocate());
  MUST(DRIVER(cuThreadExchangeStreamCaptureMode)(&mine));
  EXPECT(mine == CU_STREAM_CAPTURE_MODE_RELAXED);
  ends(CUDA_SUCCESS);
}

CUresult end_elsewhere() {
  CUgraph graph = nullptr;
  const CUresult result = DRIVER(cuStreamEndCapture)(g_stream, &graph);
  if (graph != nullptr) MUST(DRIVER(cuGraphDestroy)(graph));
  return result;
}

void check_modes() {
  check_mode(CU_STREAM_CAPTURE_MODE_GLOBAL, CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED,
             CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
  check_mode(CU_STREAM_CAPTURE_MODE_THREAD_LOCAL, CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, CUDA_SUCCESS);
  check_mode(CU_STREAM_CAPTURE_MODE_RELAXED, CUDA_SUCCESS, CUDA_SUCCESS);
  begin(g_stream, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL);
  EXPECT_ERROR(CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD, in_thread(end_elsewhere));
  MUST(DRIVER(cuGraphDestroy)(end(g_stream)));
  begin(g_stream);
  EXPECT_ERROR(CUDA_SUCCESS, in_thread(end_elsewhere));
  std::printf("modes done\n");
}

}  // namespace

int main(int argc, char** argv) {
  const CUmodule module = begin_program(argc, argv);
  check_host_memory(module);
  check_fork_and_join(module);
  check_capture_to_graph();
  check_spoilt();
  check_modes();
  end_program(module);
  return verdict("driver_captures");
}
