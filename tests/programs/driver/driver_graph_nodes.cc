// Nodes of graphs: every kind is added, asked about, and changed in the graph and in the executable graph.
#include <cstring>

#include "graphs.h"

namespace {

void check_kernel_nodes(CUmodule module) {
  unsigned count = 500, half = 250;
  CUdeviceptr data = upload(std::vector<float>(count, 1.0f));
  const CUfunction scale = function_of(module, "scale");
  const CUgraph graph = make_graph();
  void* parameters[] = {&data, &count};
  const CUDA_KERNEL_NODE_PARAMS newer = kernel_node(scale, 4, 128, parameters);
  CUDA_KERNEL_NODE_PARAMS_v1 older{};
  std::memcpy(&older, &newer, sizeof older);
  CUgraphNode one = nullptr, two = nullptr;
  MUST(DRIVER(cuGraphAddKernelNode)(&one, graph, nullptr, 0, &older));
  MUST(DRIVER(cuGraphAddKernelNode_v2)(&two, graph, &one, 1, &newer));
  CUDA_KERNEL_NODE_PARAMS told{};
  CUDA_KERNEL_NODE_PARAMS_v1 told_old{};
  MUST(DRIVER(cuGraphKernelNodeGetParams_v2)(one, &told));
  MUST(DRIVER(cuGraphKernelNodeGetParams)(two, &told_old));
  EXPECT(told.func == scale && told_old.func == scale && told.gridDimX == 4 && told.blockDimX == 128);
  // What the parameters point to is the node's, while it lives.
  EXPECT(*static_cast<CUdeviceptr*>(told.kernelParams[0]) == data);
  EXPECT(*static_cast<unsigned*>(told.kernelParams[1]) == count);
  EXPECT(*static_cast<unsigned*>(told_old.kernelParams[1]) == count);
  // Asked for, changed, and given back: half of the data in the second node.
  void* half_parameters[] = {told_old.kernelParams[0], &half};
  told_old.kernelParams = half_parameters;
  MUST(DRIVER(cuGraphKernelNodeSetParams)(two, &told_old));
  const CUgraphExec exec = instantiate(graph);
  run(exec);
  const std::vector<float> got = download<float>(data, count);
  EXPECT(got[1] == 4 && got[249] == 4 && got[251] == 8 && got[253] == 2);
  // In the executable graph the whole again, by a packed buffer.
  struct {
    CUdeviceptr data;
    unsigned count;
  } packed = {data, count};
  size_t bytes = 12;
  void* extra[] = {CU_LAUNCH_PARAM_BUFFER_POINTER, &packed, CU_LAUNCH_PARAM_BUFFER_SIZE, &bytes,
                   CU_LAUNCH_PARAM_END};
  CUDA_KERNEL_NODE_PARAMS whole = kernel_node(scale, 4, 128, nullptr);
  whole.extra = extra;
  MUST(DRIVER(cuGraphExecKernelNodeSetParams_v2)(exec, two, &whole));
  MUST(DRIVER(cuGraphExecKernelNodeSetParams)(exec, one, &older));
  MUST(DRIVER(cuMemcpyHtoD_v2)(data, std::vector<float>(count, 1.0f).data(), count * sizeof(float)));
  run(exec);
  EXPECT(download<float>(data, count)[253] == 4);
  MUST(DRIVER(cuGraphNodeSetEnabled)(exec, one, 0));
  run(exec);
  EXPECT(download<float>(data, count)[253] == 8);
  EXPECT_ERROR(CUDA_ERROR_INVALID_VALUE, DRIVER(cuGraphMemsetNodeGetParams)(one, nullptr));
  CUDA_HOST_NODE_PARAMS none{};
  EXPECT_ERROR(CUDA_ERROR_INVALID_VALUE, DRIVER(cuGraphHostNodeGetParams)(one, &none));

  CUlaunchAttributeValue value{}, copied{};
  value.cooperative = 1;
  MUST(DRIVER(cuGraphKernelNodeSetAttribute)(one, CU_LAUNCH_ATTRIBUTE_COOPERATIVE, &value));
  MUST(DRIVER(cuGraphKernelNodeCopyAttributes)(two, one));
  MUST(DRIVER(cuGraphKernelNodeGetAttribute)(two, CU_LAUNCH_ATTRIBUTE_COOPERATIVE, &copied));
  EXPECT(copied.cooperative == 1);
  MUST(DRIVER(cuGraphExecDestroy)(exec));
  MUST(DRIVER(cuGraphDestroy)(graph));
  MUST(DRIVER(cuMemFree_v2)(data));
  std::printf("kernel nodes done\n");
}

// A graph with a node of every kind, added by the one call for all kinds.
struct AllKinds {
  unsigned count = 64;
  int calls = 0, other_calls = 0;
  std::vector<float> output = std::vector<float>(64);
  CUdeviceptr data = 0;
  CUevent event = nullptr, other_event = nullptr;
  CUgraph graph = nullptr, inner = nullptr;
  CUgraphNodeParams fill{}, kernel{}, copy{}, host{}, child{}, empty{}, record{}, wait{};
  CUgraphNode fill_node = nullptr, child_node = nullptr, copy_node = nullptr, host_node = nullptr;
  CUgraphNode record_node = nullptr, wait_node = nullptr, inner_node = nullptr;
  CUgraphExec exec = nullptr;
};

void describe(AllKinds& all, CUmodule module) {
  static void* parameters[2];
  parameters[0] = &all.data;
  parameters[1] = &all.count;
  all.fill.type = CU_GRAPH_NODE_TYPE_MEMSET;
  all.fill.memset = {all.data, 0, 0x3f800000, 4, all.count, 1, g_context};  // 1.0f
  all.kernel.type = CU_GRAPH_NODE_TYPE_KERNEL;
  auto& kernel = all.kernel.kernel;
  kernel.func = function_of(module, "scale");
  kernel.gridDimX = kernel.gridDimY = kernel.gridDimZ = kernel.blockDimY = kernel.blockDimZ = 1;
  kernel.blockDimX = 64;
  kernel.kernelParams = parameters;
  all.copy.type = CU_GRAPH_NODE_TYPE_MEMCPY;
  all.copy.memcpy.copyCtx = g_context;
  all.copy.memcpy.copyParams = from_device(all.output, all.data);
  all.host.type = CU_GRAPH_NODE_TYPE_HOST;
  all.host.host = {count_up, &all.calls};
  all.empty.type = CU_GRAPH_NODE_TYPE_EMPTY;
  all.record.type = CU_GRAPH_NODE_TYPE_EVENT_RECORD;
  all.record.eventRecord.event = all.event;
  all.wait.type = CU_GRAPH_NODE_TYPE_WAIT_EVENT;
  all.wait.eventWait.event = all.event;
  all.child.type = CU_GRAPH_NODE_TYPE_GRAPH;
  all.child.graph = {all.inner, CU_GRAPH_CHILD_GRAPH_OWNERSHIP_CLONE};
}

void add_all_kinds(AllKinds& all) {
  std::vector<CUgraphNode> nodes;
  const auto add = [&](CUgraphNodeParams params) {
    CUgraphNode node = nullptr;
    MUST(DRIVER(cuGraphAddNode_v2)(&node, all.graph, nodes.empty() ? nullptr : &nodes.back(), nullptr,
                                   nodes.empty() ? 0 : 1, &params));
    EXPECT(type_of(node) == params.type);
    nodes.push_back(node);
    return node;
  };
  MUST(DRIVER(cuGraphAddNode)(&all.inner_node, all.inner, nullptr, 0, &all.kernel));
  all.fill_node = add(all.fill);
  add(all.empty);
  add(all.kernel);
  all.child_node = add(all.child);
  all.copy_node = add(all.copy);
  all.host_node = add(all.host);
  all.record_node = add(all.record);
  all.wait_node = add(all.wait);
  CUgraph told_graph = nullptr;
  MUST(DRIVER(cuGraphChildGraphNodeGetGraph)(all.child_node, &told_graph));
  size_t inside = 0;
  MUST(DRIVER(cuGraphGetNodes)(told_graph, nullptr, &inside));
  EXPECT(inside == 1 && told_graph != all.inner);
}

void change_executable_graph(AllKinds& all) {
  all.host.host = {count_up, &all.other_calls};
  all.fill.memset.value = 0x40000000;  // 2.0f
  MUST(DRIVER(cuGraphExecNodeSetParams)(all.exec, all.host_node, &all.host));
  MUST(DRIVER(cuGraphExecNodeSetParams)(all.exec, all.fill_node, &all.fill));
  MUST(DRIVER(cuGraphExecEventRecordNodeSetEvent)(all.exec, all.record_node, all.other_event));
  MUST(DRIVER(cuGraphExecEventWaitNodeSetEvent)(all.exec, all.wait_node, all.other_event));
  run(all.exec);
  EXPECT(all.output[1] == 8 && all.calls == 1 && all.other_calls == 1);
  MUST(DRIVER(cuEventQuery)(all.other_event));
  // The same work in the child, for a fourth of the data.
  unsigned few = 16;
  void* few_parameters[] = {&all.data, &few};
  all.kernel.kernel.kernelParams = few_parameters;
  MUST(DRIVER(cuGraphNodeSetParams)(all.inner_node, &all.kernel));
  MUST(DRIVER(cuGraphExecChildGraphNodeSetParams)(all.exec, all.child_node, all.inner));
  run(all.exec);
  EXPECT(all.output[1] == 8 && all.output[17] == 4);
  EXPECT_ERROR(CUDA_ERROR_INVALID_VALUE,
               DRIVER(cuGraphExecNodeSetParams)(all.exec, all.fill_node, &all.host));
}

void change_graph(AllKinds& all) {
  CUDA_MEMSET_NODE_PARAMS told_fill{};
  MUST(DRIVER(cuGraphMemsetNodeGetParams)(all.fill_node, &told_fill));
  EXPECT(told_fill.value == 0x3f800000 && told_fill.width == all.count && told_fill.dst == all.data);
  told_fill.value = 0;
  MUST(DRIVER(cuGraphMemsetNodeSetParams)(all.fill_node, &told_fill));
  MUST(DRIVER(cuGraphMemsetNodeGetParams)(all.fill_node, &told_fill));
  EXPECT(told_fill.value == 0);
  CUevent told_event = nullptr;
  MUST(DRIVER(cuGraphEventRecordNodeSetEvent)(all.record_node, all.other_event));
  MUST(DRIVER(cuGraphEventRecordNodeGetEvent)(all.record_node, &told_event));
  EXPECT(told_event == all.other_event);
  MUST(DRIVER(cuGraphEventWaitNodeSetEvent)(all.wait_node, all.other_event));
  MUST(DRIVER(cuGraphEventWaitNodeGetEvent)(all.wait_node, &told_event));
  EXPECT(told_event == all.other_event);
  all.copy.memcpy.copyParams.WidthInBytes = 4;
  MUST(DRIVER(cuGraphNodeSetParams)(all.copy_node, &all.copy));
  CUgraphExecUpdateResultInfo info{};
  MUST(DRIVER(cuGraphExecUpdate_v2)(all.exec, all.graph, &info));
  EXPECT(info.result == CU_GRAPH_EXEC_UPDATE_SUCCESS);
  run(all.exec);
  EXPECT(all.output[0] == 0 && all.output[1] == 8 && all.calls == 2);
  MUST(DRIVER(cuGraphDestroyNode)(all.wait_node));
  EXPECT_ERROR(CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE,
               DRIVER(cuGraphExecUpdate_v2)(all.exec, all.graph, &info));
  EXPECT(info.result == CU_GRAPH_EXEC_UPDATE_ERROR_TOPOLOGY_CHANGED);
}

void check_all_kinds(CUmodule module) {
  AllKinds all;
  all.data = upload(all.output);
  MUST(DRIVER(cuEventCreate)(&all.event, CU_EVENT_DEFAULT));
  MUST(DRIVER(cuEventCreate)(&all.other_event, CU_EVENT_DEFAULT));
  all.graph = make_graph();
  all.inner = make_graph();
  describe(all, module);
  add_all_kinds(all);
  CUDA_GRAPH_INSTANTIATE_PARAMS how{};
  how.flags = CUDA_GRAPH_INSTANTIATE_FLAG_UPLOAD;
  how.hUploadStream = g_stream;
  how.result_out = CUDA_GRAPH_INSTANTIATE_ERROR;
  MUST(DRIVER(cuGraphInstantiateWithParams)(&all.exec, all.graph, &how));
  EXPECT(how.result_out == CUDA_GRAPH_INSTANTIATE_SUCCESS && how.hErrNode_out == nullptr);
  MUST(DRIVER(cuGraphUpload)(all.exec, g_stream));
  run(all.exec);
  EXPECT(all.output[0] == 1 && all.output[1] == 4 && all.output[3] == 64 && all.calls == 1);
  MUST(DRIVER(cuEventSynchronize)(all.event));
  change_executable_graph(all);
  change_graph(all);
  MUST(DRIVER(cuGraphExecDestroy)(all.exec));
  for (CUgraph graph : {all.graph, all.inner}) MUST(DRIVER(cuGraphDestroy)(graph));
  for (CUevent event : {all.event, all.other_event}) MUST(DRIVER(cuEventDestroy_v2)(event));
  MUST(DRIVER(cuMemFree_v2)(all.data));
  std::printf("all kinds done\n");
}

void check_memory_operations() {
  CUdeviceptr words = upload(std::vector<unsigned>(8));
  CUstreamBatchMemOpParams operations[3] = {};
  operations[0].writeValue.operation = CU_STREAM_MEM_OP_WRITE_VALUE_32;
  operations[0].writeValue.address = words;
  operations[0].writeValue.value = 5;
  operations[1].waitValue.operation = CU_STREAM_MEM_OP_WAIT_VALUE_32;
  operations[1].waitValue.address = words;
  operations[1].waitValue.value = 5;
  operations[1].waitValue.flags = CU_STREAM_WAIT_VALUE_EQ;
  operations[2].writeValue.operation = CU_STREAM_MEM_OP_WRITE_VALUE_64;
  operations[2].writeValue.address = words + 8;
  operations[2].writeValue.value64 = 0x1122334455667788;
  const CUgraph graph = make_graph();
  CUgraphNode node = nullptr;
  CUDA_BATCH_MEM_OP_NODE_PARAMS batch{g_context, 3, operations, 0}, told{};
  MUST(DRIVER(cuGraphAddBatchMemOpNode)(&node, graph, nullptr, 0, &batch));
  EXPECT(type_of(node) == CU_GRAPH_NODE_TYPE_BATCH_MEM_OP);
  MUST(DRIVER(cuGraphBatchMemOpNodeGetParams)(node, &told));
  EXPECT(told.count == 3 && told.paramArray[2].writeValue.value64 == 0x1122334455667788);
  const CUgraphExec exec = instantiate(graph);
  run(exec);
  std::vector<unsigned> got = download<unsigned>(words, 4);
  EXPECT(got[0] == 5 && got[2] == 0x55667788 && got[3] == 0x11223344);
  operations[0].writeValue.value = operations[1].waitValue.value = 6;
  MUST(DRIVER(cuGraphExecBatchMemOpNodeSetParams)(exec, node, &batch));
  run(exec);
  EXPECT(download<unsigned>(words, 1)[0] == 6);
  batch.count = 2;
  MUST(DRIVER(cuGraphBatchMemOpNodeSetParams)(node, &batch));
  MUST(DRIVER(cuGraphBatchMemOpNodeGetParams)(node, &told));
  EXPECT(told.count == 2 && told.paramArray[0].writeValue.value == 6);
  MUST(DRIVER(cuGraphExecDestroy)(exec));
  MUST(DRIVER(cuGraphDestroy)(graph));
  MUST(DRIVER(cuMemFree_v2)(words));
  std::printf("memory operations done\n");
}

}  // namespace

int main(int argc, char** argv) {
  const CUmodule module = begin_program(argc, argv);
  check_kernel_nodes(module);
  check_all_kinds(module);
  check_memory_operations();
  end_program(module);
  return verdict("driver_graph_nodes");
}
