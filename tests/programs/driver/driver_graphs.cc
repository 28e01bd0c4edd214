// Graphs as a whole: copies with host memory and host functions, which are looked at and called at every
// launch and in the graph's order; memory, user objects, structure, conditions.
#include <unistd.h>

#include <atomic>
#include <numeric>
#include <utility>

#include "graphs.h"

namespace {

struct Sum {
  const std::vector<float>* values;
  float sum = 0;
  int calls = 0;
};
void add_up(void* data) {
  auto* sum = static_cast<Sum*>(data);
  sum->sum = std::accumulate(sum->values->begin(), sum->values->end(), 0.0f);
  ++sum->calls;
}

// Host memory -> device -> kernel -> host memory -> host function, as most programs' first graph.
void check_there_and_back(CUmodule module) {
  unsigned count = 4000;
  std::vector<float> input(count, 1.0f), output(count), other(count, 10.0f), other_output(count);
  CUdeviceptr data = upload(std::vector<float>(count));
  Sum sum{&output}, other_sum{&other_output};
  const CUgraph graph = make_graph();
  CUgraphNode in = nullptr, kernel = nullptr, out = nullptr, host = nullptr;
  CUDA_MEMCPY3D in_copy = to_device(data, input), out_copy = from_device(output, data);
  MUST(DRIVER(cuGraphAddMemcpyNode)(&in, graph, nullptr, 0, &in_copy, g_context));
  void* parameters[] = {&data, &count};
  CUDA_KERNEL_NODE_PARAMS launch_params = kernel_node(function_of(module, "scale"), 32, 128, parameters);
  MUST(DRIVER(cuGraphAddKernelNode_v2)(&kernel, graph, &in, 1, &launch_params));
  MUST(DRIVER(cuGraphAddMemcpyNode)(&out, graph, &kernel, 1, &out_copy, g_context));
  CUDA_HOST_NODE_PARAMS call{add_up, &sum};
  MUST(DRIVER(cuGraphAddHostNode)(&host, graph, &out, 1, &call));
  EXPECT(type_of(in) == CU_GRAPH_NODE_TYPE_MEMCPY && type_of(out) == CU_GRAPH_NODE_TYPE_MEMCPY);
  EXPECT(type_of(kernel) == CU_GRAPH_NODE_TYPE_KERNEL && type_of(host) == CU_GRAPH_NODE_TYPE_HOST);
  size_t nodes = 0, edges = 0;
  MUST(DRIVER(cuGraphGetNodes)(graph, nullptr, &nodes));
  MUST(DRIVER(cuGraphGetEdges_v2)(graph, nullptr, nullptr, nullptr, &edges));
  EXPECT(nodes == 4 && edges == 3);

  CUgraphExec exec = instantiate(graph);
  run(exec);
  EXPECT(output[0] == 1 && output[1] == 2 && output[3] == 8 && output[count - 1] == 8);
  EXPECT(sum.sum == 15.0f * 1000 && sum.calls == 1);
  // The memory is looked at when the graph runs.
  std::fill(input.begin(), input.end(), 2.0f);
  run(exec);
  EXPECT(output[2] == 8 && sum.sum == 15.0f * 2000 && sum.calls == 2);
  // Several launches on their way at once.
  for (int i = 0; i < 5; ++i) MUST(DRIVER(cuGraphLaunch)(exec, g_stream));
  MUST(DRIVER(cuStreamSynchronize)(g_stream));
  EXPECT(sum.calls == 7);

  // Other host memory and another function, in the executable graph only.
  in_copy = to_device(data, other);
  out_copy = from_device(other_output, data);
  call = {add_up, &other_sum};
  MUST(DRIVER(cuGraphExecMemcpyNodeSetParams)(exec, in, &in_copy, g_context));
  MUST(DRIVER(cuGraphExecMemcpyNodeSetParams)(exec, out, &out_copy, g_context));
  MUST(DRIVER(cuGraphExecHostNodeSetParams)(exec, host, &call));
  run(exec);
  EXPECT(other_output[1] == 20 && other_sum.sum == 15.0f * 10000 && sum.calls == 7);
  CUDA_MEMCPY3D told{};
  MUST(DRIVER(cuGraphMemcpyNodeGetParams)(in, &told));
  EXPECT(told.srcHost == input.data() && told.WidthInBytes == count * sizeof(float));
  EXPECT(told.srcMemoryType == CU_MEMORYTYPE_HOST && told.dstDevice == data);
  CUDA_HOST_NODE_PARAMS told_call{};
  MUST(DRIVER(cuGraphHostNodeGetParams)(host, &told_call));
  EXPECT(told_call.fn == add_up && told_call.userData == &sum);

  // Disabled copies do nothing.
  unsigned enabled = 9;
  MUST(DRIVER(cuGraphNodeSetEnabled)(exec, out, 0));
  MUST(DRIVER(cuGraphNodeGetEnabled)(exec, out, &enabled));
  EXPECT(enabled == 0);
  std::fill(other_output.begin(), other_output.end(), 0.5f);
  run(exec);
  EXPECT(other_output[1] == 0.5f && other_sum.calls == 2);
  MUST(DRIVER(cuGraphNodeSetEnabled)(exec, out, 1));
  run(exec);
  EXPECT(other_output[1] == 20);
  MUST(DRIVER(cuGraphExecDestroy)(exec));

  // Changed in the graph, for executable graphs to come.
  MUST(DRIVER(cuGraphMemcpyNodeSetParams)(in, &in_copy));
  MUST(DRIVER(cuGraphHostNodeSetParams)(host, &call));
  MUST(DRIVER(cuGraphMemcpyNodeGetParams)(in, &told));
  EXPECT(told.srcHost == other.data());
  exec = instantiate(graph);
  MUST(DRIVER(cuGraphDestroy)(graph));
  run(exec);
  EXPECT(output[2] == 40 && other_sum.calls == 4);
  MUST(DRIVER(cuGraphExecDestroy)(exec));
  MUST(DRIVER(cuMemFree_v2)(data));
  std::printf("there and back: %.0f %.0f\n", sum.sum, other_sum.sum);
}

// A rectangle out of a larger picture and back into another place, and a copy within host memory.
void check_shapes() {
  constexpr size_t kRows = 6, kWidth = 40, kPitch = 100;
  std::vector<unsigned char> picture(kPitch * 10), back(kPitch * 10), twice(kPitch * 10);
  for (size_t i = 0; i < picture.size(); ++i) picture[i] = static_cast<unsigned char>(i * 7 % 251);
  CUdeviceptr memory = 0;
  size_t pitch = 0;
  MUST(DRIVER(cuMemAllocPitch_v2)(&memory, &pitch, kWidth, kRows, 4));
  CUDA_MEMCPY3D in{}, out{};
  in.srcMemoryType = CU_MEMORYTYPE_HOST;
  in.srcHost = picture.data();
  in.srcPitch = kPitch;
  in.srcXInBytes = 3;
  in.srcY = 2;
  in.dstMemoryType = CU_MEMORYTYPE_DEVICE;
  in.dstDevice = memory;
  in.dstPitch = pitch;
  in.WidthInBytes = kWidth;
  in.Height = kRows;
  in.Depth = 1;
  out = in;
  std::swap(out.srcMemoryType, out.dstMemoryType);
  out.srcDevice = memory;
  out.srcPitch = pitch;
  out.srcXInBytes = out.srcY = 0;
  out.dstHost = back.data();
  out.dstPitch = kPitch;
  out.dstXInBytes = 11;
  out.dstY = 4;
  CUDA_MEMCPY3D local = line(CU_MEMORYTYPE_HOST, reinterpret_cast<uint64_t>(twice.data()), CU_MEMORYTYPE_HOST,
                             reinterpret_cast<uint64_t>(back.data()), back.size());
  const CUgraph graph = make_graph();
  CUgraphNode first = nullptr, second = nullptr, third = nullptr;
  MUST(DRIVER(cuGraphAddMemcpyNode)(&first, graph, nullptr, 0, &in, g_context));
  MUST(DRIVER(cuGraphAddMemcpyNode)(&second, graph, &first, 1, &out, g_context));
  MUST(DRIVER(cuGraphAddMemcpyNode)(&third, graph, &second, 1, &local, g_context));
  EXPECT(type_of(third) == CU_GRAPH_NODE_TYPE_MEMCPY);
  const CUgraphExec exec = instantiate(graph);
  run(exec);
  int wrong = 0, outside = 0;
  for (size_t y = 0; y < 10; ++y) {
    for (size_t x = 0; x < kPitch; ++x) {
      const bool inside = y >= 4 && y < 4 + kRows && x >= 11 && x < 11 + kWidth;
      const unsigned char expected = inside ? picture[(y - 4 + 2) * kPitch + x - 11 + 3] : 0;
      wrong += back[y * kPitch + x] != expected;
      outside += !inside;
    }
  }
  EXPECT(wrong == 0 && outside == 10 * 100 - 6 * 40 && twice == back);
  MUST(DRIVER(cuGraphExecDestroy)(exec));
  MUST(DRIVER(cuGraphDestroy)(graph));
  MUST(DRIVER(cuMemFree_v2)(memory));
  std::printf("shapes done\n");
}

void check_memory_nodes() {
  constexpr size_t kBytes = 4096;
  CUDA_MEM_ALLOC_NODE_PARAMS alloc{}, told{};
  alloc.poolProps.allocType = CU_MEM_ALLOCATION_TYPE_PINNED;
  alloc.poolProps.location = {CU_MEM_LOCATION_TYPE_DEVICE, {0}};
  alloc.bytesize = kBytes;
  const CUgraph graph = make_graph();
  CUgraphNode node = nullptr, fill_node = nullptr, copy_node = nullptr, free_node = nullptr;
  MUST(DRIVER(cuGraphAddMemAllocNode)(&node, graph, nullptr, 0, &alloc));
  EXPECT(alloc.dptr != 0 && type_of(node) == CU_GRAPH_NODE_TYPE_MEM_ALLOC);
  MUST(DRIVER(cuGraphMemAllocNodeGetParams)(node, &told));
  EXPECT(told.dptr == alloc.dptr && told.bytesize == kBytes);
  CUDA_MEMSET_NODE_PARAMS fill{alloc.dptr, 0, 0x01020304, 4, kBytes / 4, 1};
  MUST(DRIVER(cuGraphAddMemsetNode)(&fill_node, graph, &node, 1, &fill, g_context));
  std::vector<unsigned> output(kBytes / 4);
  CUDA_MEMCPY3D copy = from_device(output, alloc.dptr);
  MUST(DRIVER(cuGraphAddMemcpyNode)(&copy_node, graph, &fill_node, 1, &copy, g_context));
  MUST(DRIVER(cuGraphAddMemFreeNode)(&free_node, graph, &copy_node, 1, alloc.dptr));
  CUdeviceptr freed = 0;
  MUST(DRIVER(cuGraphMemFreeNodeGetParams)(free_node, &freed));
  EXPECT(freed == alloc.dptr && type_of(free_node) == CU_GRAPH_NODE_TYPE_MEM_FREE);
  CUgraphExec exec = nullptr;
  MUST(DRIVER(cuGraphInstantiateWithFlags)(&exec, graph, CUDA_GRAPH_INSTANTIATE_FLAG_AUTO_FREE_ON_LAUNCH));
  cuuint64_t flags = 0;
  MUST(DRIVER(cuGraphExecGetFlags)(exec, &flags));
  EXPECT(flags == CUDA_GRAPH_INSTANTIATE_FLAG_AUTO_FREE_ON_LAUNCH);
  for (int i = 0; i < 3; ++i) run(exec);
  EXPECT(output == std::vector<unsigned>(kBytes / 4, 0x01020304));
  MUST(DRIVER(cuGraphExecDestroy)(exec));
  MUST(DRIVER(cuGraphDestroy)(graph));

  // Without a free node the memory outlives the launch, and the program frees it.
  const CUgraph keeps = make_graph();
  MUST(DRIVER(cuGraphAddMemAllocNode)(&node, keeps, nullptr, 0, &alloc));
  fill.dst = alloc.dptr;
  fill.value = 7;
  MUST(DRIVER(cuGraphAddMemsetNode)(&fill_node, keeps, &node, 1, &fill, g_context));
  exec = instantiate(keeps);
  for (int i = 0; i < 2; ++i) {
    run(exec);
    // The addresses say which way the copy goes.
    std::fill(output.begin(), output.end(), 0u);
    MUST(DRIVER(cuMemcpy)(reinterpret_cast<CUdeviceptr>(output.data()), alloc.dptr, kBytes));
    EXPECT(output[0] == 7 && output.back() == 7);
    if (i == 0) {
      MUST(DRIVER(cuMemFree_v2)(alloc.dptr));
    } else {
      MUST(DRIVER(cuMemFreeAsync)(alloc.dptr, g_stream));
    }
  }
  MUST(DRIVER(cuGraphExecDestroy)(exec));
  MUST(DRIVER(cuGraphDestroy)(keeps));
  std::printf("memory nodes done\n");
}

std::atomic<int> g_destroyed{0};
void destroyed(void* data) { g_destroyed += *static_cast<int*>(data); }

// Destructors run some time after the last reference is gone.
bool destroyed_becomes(int value) {
  for (int i = 0; i < 5000 && g_destroyed != value; ++i) usleep(1000);
  return g_destroyed == value;
}

void check_user_objects() {
  int one = 1, ten = 10;
  CUuserObject first = nullptr, second = nullptr;
  EXPECT_ERROR(CUDA_ERROR_INVALID_VALUE, DRIVER(cuUserObjectCreate)(&first, &one, destroyed, 0, 1));
  EXPECT_ERROR(CUDA_ERROR_INVALID_VALUE, DRIVER(cuUserObjectCreate)(&first, &one, destroyed, 1, 0));
  MUST(DRIVER(cuUserObjectCreate)(&first, &one, destroyed, 1, CU_USER_OBJECT_NO_DESTRUCTOR_SYNC));
  MUST(DRIVER(cuUserObjectCreate)(&second, &ten, destroyed, 2, CU_USER_OBJECT_NO_DESTRUCTOR_SYNC));
  MUST(DRIVER(cuUserObjectRetain)(first, 2));
  MUST(DRIVER(cuUserObjectRelease)(first, 2));
  const CUgraph graph = make_graph();
  CUgraphNode node = nullptr;
  MUST(DRIVER(cuGraphAddEmptyNode)(&node, graph, nullptr, 0));
  MUST(DRIVER(cuGraphRetainUserObject)(graph, first, 1, CU_GRAPH_USER_OBJECT_MOVE));
  MUST(DRIVER(cuGraphRetainUserObject)(graph, second, 1, 0));
  EXPECT_ERROR(CUDA_ERROR_INVALID_VALUE, DRIVER(cuGraphReleaseUserObject)(graph, second, 3));
  MUST(DRIVER(cuUserObjectRelease)(second, 2));
  const CUgraphExec exec = instantiate(graph);
  MUST(DRIVER(cuGraphReleaseUserObject)(graph, second, 1));
  MUST(DRIVER(cuGraphDestroy)(graph));
  run(exec);
  EXPECT(g_destroyed == 0);  // the executable graph holds both
  MUST(DRIVER(cuGraphExecDestroy)(exec));
  EXPECT(destroyed_becomes(11));
  // Without any graph.
  MUST(DRIVER(cuUserObjectCreate)(&first, &one, destroyed, 1, CU_USER_OBJECT_NO_DESTRUCTOR_SYNC));
  MUST(DRIVER(cuUserObjectRelease)(first, 1));
  EXPECT(destroyed_becomes(12));
  std::printf("user objects: %d\n", g_destroyed.load());
}

void check_structure() {
  int calls = 0;
  const CUgraph graph = make_graph();
  CUgraphNode a = nullptr, b = nullptr, c = nullptr;
  CUDA_HOST_NODE_PARAMS call{count_up, &calls};
  MUST(DRIVER(cuGraphAddHostNode)(&a, graph, nullptr, 0, &call));
  MUST(DRIVER(cuGraphAddHostNode)(&b, graph, nullptr, 0, &call));
  MUST(DRIVER(cuGraphAddEmptyNode)(&c, graph, &a, 1));
  MUST(DRIVER(cuGraphAddDependencies)(graph, &b, &c, 1));
  size_t count = 8;
  CUgraphNode list[8] = {};
  MUST(DRIVER(cuGraphGetRootNodes)(graph, list, &count));
  EXPECT(count == 2 && ((list[0] == a && list[1] == b) || (list[0] == b && list[1] == a)));
  count = 8;
  MUST(DRIVER(cuGraphNodeGetDependencies)(c, list, &count));
  EXPECT(count == 2);
  MUST(DRIVER(cuGraphRemoveDependencies)(graph, &b, &c, 1));
  count = 8;
  MUST(DRIVER(cuGraphNodeGetDependentNodes)(a, list, &count));
  EXPECT(count == 1 && list[0] == c);
  CUgraph clone = nullptr;
  MUST(DRIVER(cuGraphClone)(&clone, graph));
  CUgraphNode twin = nullptr;
  MUST(DRIVER(cuGraphNodeFindInClone)(&twin, a, clone));
  CUDA_HOST_NODE_PARAMS told{};
  MUST(DRIVER(cuGraphHostNodeGetParams)(twin, &told));
  EXPECT(twin != a && told.fn == count_up && told.userData == &calls);
  // A graph may hold another twice; each runs by itself, also when the original is gone.
  const CUgraph outer = make_graph();
  CUgraphNode first = nullptr, second = nullptr;
  MUST(DRIVER(cuGraphAddChildGraphNode)(&first, outer, nullptr, 0, clone));
  MUST(DRIVER(cuGraphAddChildGraphNode)(&second, outer, &first, 1, clone));
  MUST(DRIVER(cuGraphDestroy)(graph));
  MUST(DRIVER(cuGraphDestroy)(clone));
  const CUgraphExec exec = instantiate(outer);
  run(exec);
  EXPECT(calls == 4);
  const std::string path = "/tmp/outboard_graph_" + std::to_string(getpid()) + ".dot";
  MUST(DRIVER(cuGraphDebugDotPrint)(outer, path.c_str(), CU_GRAPH_DEBUG_DOT_FLAGS_VERBOSE));
  EXPECT(read_text(path.c_str()).rfind("digraph", 0) == 0);
  unlink(path.c_str());
  EXPECT_ERROR(CUDA_ERROR_INVALID_VALUE, DRIVER(cuGraphDebugDotPrint)(outer, "/no/such/folder/a.dot", 0));
  MUST(DRIVER(cuGraphExecDestroy)(exec));
  MUST(DRIVER(cuGraphDestroy)(outer));
  EXPECT_ERROR(CUDA_ERROR_INVALID_VALUE, DRIVER(cuGraphDestroy)(outer));
  EXPECT_ERROR(CUDA_ERROR_INVALID_VALUE, DRIVER(cuGraphLaunch)(exec, g_stream));
  std::printf("structure done\n");
}

// Conditions that take their default at every launch.
void check_conditional_nodes() {
  CUdeviceptr words = upload(std::vector<unsigned>(4));
  const CUgraph graph = make_graph();
  const auto add = [&](unsigned value, CUgraphConditionalNodeType type, unsigned size) {
    CUgraphNodeParams params{};
    params.type = CU_GRAPH_NODE_TYPE_CONDITIONAL;
    MUST(DRIVER(cuGraphConditionalHandleCreate)(&params.conditional.handle, graph, g_context, value,
                                                CU_GRAPH_COND_ASSIGN_DEFAULT));
    params.conditional.type = type;
    params.conditional.size = size;
    params.conditional.ctx = g_context;
    CUgraphNode node = nullptr;
    MUST(DRIVER(cuGraphAddNode_v2)(&node, graph, nullptr, nullptr, 0, &params));
    EXPECT(type_of(node) == CU_GRAPH_NODE_TYPE_CONDITIONAL);
    return std::vector<CUgraph>(params.conditional.phGraph_out, params.conditional.phGraph_out + size);
  };
  const auto write = [&](CUgraph body, size_t word, unsigned value) {
    CUDA_MEMSET_NODE_PARAMS fill{words + word * 4, 0, value, 4, 1, 1};
    CUgraphNode node = nullptr;
    MUST(DRIVER(cuGraphAddMemsetNode)(&node, body, nullptr, 0, &fill, g_context));
  };
  write(add(1, CU_GRAPH_COND_TYPE_IF, 1)[0], 0, 100);
  write(add(0, CU_GRAPH_COND_TYPE_IF, 1)[0], 1, 200);
  const std::vector<CUgraph> cases = add(2, CU_GRAPH_COND_TYPE_SWITCH, 3);
  for (unsigned i = 0; i < 3; ++i) write(cases[i], 2, 300 + i);
  const CUgraphExec exec = instantiate(graph);
  run(exec);
  const std::vector<unsigned> got = download<unsigned>(words, 4);
  EXPECT(got == (std::vector<unsigned>{100, 0, 302, 0}));
  MUST(DRIVER(cuGraphExecDestroy)(exec));
  MUST(DRIVER(cuGraphDestroy)(graph));
  MUST(DRIVER(cuMemFree_v2)(words));
  std::printf("conditional nodes: %u %u %u\n", got[0], got[1], got[2]);
}

}  // namespace

int main(int argc, char** argv) {
  const CUmodule module = begin_program(argc, argv);
  check_there_and_back(module);
  check_shapes();
  check_memory_nodes();
  check_user_objects();
  check_structure();
  check_conditional_nodes();
  end_program(module);
  return verdict("driver_graphs");
}
