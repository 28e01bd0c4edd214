// Executable graphs.
#include "server/softgpu/driver/graph_nodes.h"

using namespace outboard::softgpu;

namespace {

template <typename F>
CUresult with_exec(CUgraphExec handle, F&& function) noexcept {
  return with_platform([&](Platform& platform) -> CUresult {
    const auto exec = find<GraphExec>(platform, handle);
    return exec == nullptr ? CUDA_ERROR_INVALID_VALUE : function(platform, *exec);
  });
}

bool can_be_disabled(const Operation& operation) {
  return std::holds_alternative<KernelOperation>(operation) ||
         std::holds_alternative<CopyOperation>(operation) ||
         std::holds_alternative<MemsetOperation>(operation);
}

CUresult instantiate(Platform& platform, const Graph& graph, uint64_t flags, CUgraphExec* handle,
                     CUgraphInstantiateResult* detail) {
  *detail = CUDA_GRAPH_INSTANTIATE_ERROR;
  if ((flags & CUDA_GRAPH_INSTANTIATE_FLAG_DEVICE_LAUNCH) != 0) return CUDA_ERROR_NOT_SUPPORTED;
  std::shared_ptr<GraphExec> exec;
  *detail = GraphExec::create(graph, flags, &exec);
  if (*detail != CUDA_GRAPH_INSTANTIATE_SUCCESS) return CUDA_ERROR_INVALID_VALUE;
  *handle = reinterpret_cast<CUgraphExec>(platform.handles().add(std::move(exec)));
  return CUDA_SUCCESS;
}

// Replaces the operation of the step that was made from `node`.
template <typename F>
CUresult set_step(CUgraphExec exec_handle, CUgraphNode node, F&& make) noexcept {
  return with_exec(exec_handle, [&](Platform& platform, GraphExec& exec) -> CUresult {
    Operation operation;
    if (const CUresult result = make(platform, &operation); result != CUDA_SUCCESS) return result;
    const std::lock_guard lock(exec.mutex());
    GraphExec::Step* step = exec.find(reinterpret_cast<uint64_t>(node));
    if (step == nullptr || step->operation.index() != operation.index()) return CUDA_ERROR_INVALID_VALUE;
    step->operation = std::move(operation);
    return CUDA_SUCCESS;
  });
}

}  // namespace

extern "C" {

CUresult cuGraphInstantiateWithFlags(CUgraphExec* handle, CUgraph graph_handle, unsigned long long flags) {
  return with_graph(graph_handle, [&](Platform& platform, Graph& graph) -> CUresult {
    if (handle == nullptr) return CUDA_ERROR_INVALID_VALUE;
    CUgraphInstantiateResult detail{};
    return instantiate(platform, graph, flags, handle, &detail);
  });
}

CUresult cuGraphInstantiate_v2(CUgraphExec* exec, CUgraph graph, CUgraphNode* error_node, char* log,
                               size_t log_bytes) {
  if (error_node != nullptr) *error_node = nullptr;
  if (log != nullptr && log_bytes != 0) log[0] = '\0';
  return cuGraphInstantiateWithFlags(exec, graph, 0);
}
CUresult cuGraphInstantiate(CUgraphExec* exec, CUgraph graph, CUgraphNode* error_node, char* log,
                            size_t log_bytes) {
  return cuGraphInstantiate_v2(exec, graph, error_node, log, log_bytes);
}

CUresult cuGraphInstantiateWithParams(CUgraphExec* handle, CUgraph graph_handle,
                                      CUDA_GRAPH_INSTANTIATE_PARAMS* params) {
  return with_graph(graph_handle, [&](Platform& platform, Graph& graph) -> CUresult {
    if (handle == nullptr || params == nullptr) return CUDA_ERROR_INVALID_VALUE;
    params->hErrNode_out = nullptr;
    return instantiate(platform, graph, params->flags, handle, &params->result_out);
  });
}

CUresult cuGraphExecDestroy(CUgraphExec handle) {
  return with_platform([&](Platform& platform) {
    const auto exec = platform.handles().remove<GraphExec>(reinterpret_cast<uint64_t>(handle));
    return exec == nullptr ? CUDA_ERROR_INVALID_VALUE : CUDA_SUCCESS;
  });
}

CUresult cuGraphExecGetFlags(CUgraphExec handle, cuuint64_t* flags) {
  return with_exec(handle, [&](Platform&, GraphExec& exec) -> CUresult {
    if (flags == nullptr) return CUDA_ERROR_INVALID_VALUE;
    *flags = exec.flags();
    return CUDA_SUCCESS;
  });
}

CUresult cuGraphLaunch(CUgraphExec handle, CUstream stream_handle) {
  return with_stream(stream_handle, [&](Context& context, const std::shared_ptr<Stream>& stream) -> CUresult {
    const auto exec = find<GraphExec>(context.platform(), handle);
    if (exec == nullptr) return CUDA_ERROR_INVALID_VALUE;
    if (!stream->capturing()) return exec->launch(context, stream);
    auto child = exec->as_graph(context.platform().handles());
    if (child == nullptr) return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
    context.platform().handles().add(child);
    return context.submit(stream, ChildGraphOperation{std::move(child)});
  });
}

CUresult cuGraphUpload(CUgraphExec handle, CUstream stream) {
  return with_stream(stream, [&](Context& context, const std::shared_ptr<Stream>&) {
    return find<GraphExec>(context.platform(), handle) == nullptr ? CUDA_ERROR_INVALID_VALUE : CUDA_SUCCESS;
  });
}

CUresult cuGraphExecUpdate_v2(CUgraphExec handle, CUgraph graph_handle, CUgraphExecUpdateResultInfo* info) {
  return with_exec(handle, [&](Platform& platform, GraphExec& exec) -> CUresult {
    const auto graph = find<Graph>(platform, graph_handle);
    if (graph == nullptr || info == nullptr) return CUDA_ERROR_INVALID_VALUE;
    uint64_t node = 0;
    *info = {};
    const bool updated = exec.update(*graph, &node, &info->result);
    info->errorNode = reinterpret_cast<CUgraphNode>(node);
    return updated ? CUDA_SUCCESS : CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE;
  });
}

CUresult cuGraphExecUpdate(CUgraphExec exec, CUgraph graph, CUgraphNode* error_node,
                           CUgraphExecUpdateResult* result) {
  CUgraphExecUpdateResultInfo info{};
  const CUresult code = cuGraphExecUpdate_v2(exec, graph, &info);
  if (error_node != nullptr) *error_node = info.errorNode;
  if (result != nullptr) *result = info.result;
  return code;
}

CUresult cuGraphNodeSetEnabled(CUgraphExec handle, CUgraphNode node, unsigned int enabled) {
  return with_exec(handle, [&](Platform&, GraphExec& exec) -> CUresult {
    const std::lock_guard lock(exec.mutex());
    GraphExec::Step* step = exec.find(reinterpret_cast<uint64_t>(node));
    if (step == nullptr || !can_be_disabled(step->operation)) return CUDA_ERROR_INVALID_VALUE;
    step->enabled = enabled != 0;
    return CUDA_SUCCESS;
  });
}

CUresult cuGraphNodeGetEnabled(CUgraphExec handle, CUgraphNode node, unsigned int* enabled) {
  return with_exec(handle, [&](Platform&, GraphExec& exec) -> CUresult {
    const std::lock_guard lock(exec.mutex());
    const GraphExec::Step* step = exec.find(reinterpret_cast<uint64_t>(node));
    if (step == nullptr || enabled == nullptr || !can_be_disabled(step->operation))
      return CUDA_ERROR_INVALID_VALUE;
    *enabled = step->enabled ? 1 : 0;
    return CUDA_SUCCESS;
  });
}

CUresult cuGraphExecKernelNodeSetParams_v2(CUgraphExec exec, CUgraphNode node,
                                           const CUDA_KERNEL_NODE_PARAMS* params) {
  return set_step(exec, node,
                  [&](Platform&, Operation* operation) { return make_kernel(params, operation); });
}
CUresult cuGraphExecKernelNodeSetParams(CUgraphExec exec, CUgraphNode node,
                                        const CUDA_KERNEL_NODE_PARAMS_v1* params) {
  if (params == nullptr) return CUDA_ERROR_INVALID_VALUE;
  const auto& p = *params;
  const CUDA_KERNEL_NODE_PARAMS full{p.func,         p.gridDimX,  p.gridDimY,  p.gridDimZ,
                                     p.blockDimX,    p.blockDimY, p.blockDimZ, p.sharedMemBytes,
                                     p.kernelParams, p.extra,     nullptr,     nullptr};
  return cuGraphExecKernelNodeSetParams_v2(exec, node, &full);
}
CUresult cuGraphExecMemcpyNodeSetParams(CUgraphExec exec, CUgraphNode node, const CUDA_MEMCPY3D* params,
                                        CUcontext) {
  return set_step(exec, node,
                  [&](Platform& p, Operation* operation) { return make_copy(p, params, operation); });
}
CUresult cuGraphExecMemsetNodeSetParams(CUgraphExec exec, CUgraphNode node,
                                        const CUDA_MEMSET_NODE_PARAMS* params, CUcontext) {
  return set_step(exec, node,
                  [&](Platform& p, Operation* operation) { return make_fill(p, params, operation); });
}
CUresult cuGraphExecHostNodeSetParams(CUgraphExec exec, CUgraphNode node,
                                      const CUDA_HOST_NODE_PARAMS* params) {
  return set_step(exec, node, [&](Platform&, Operation* operation) { return make_host(params, operation); });
}
CUresult cuGraphExecEventRecordNodeSetEvent(CUgraphExec exec, CUgraphNode node, CUevent event) {
  return set_step(exec, node,
                  [&](Platform& p, Operation* operation) { return make_event_record(p, event, operation); });
}
CUresult cuGraphExecEventWaitNodeSetEvent(CUgraphExec exec, CUgraphNode node, CUevent event) {
  return set_step(exec, node,
                  [&](Platform& p, Operation* operation) { return make_event_wait(p, event, operation); });
}
CUresult cuGraphExecBatchMemOpNodeSetParams(CUgraphExec exec, CUgraphNode node,
                                            const CUDA_BATCH_MEM_OP_NODE_PARAMS* params) {
  if (params == nullptr) return CUDA_ERROR_INVALID_VALUE;
  return set_step(exec, node, [&](Platform& p, Operation* operation) {
    return make_batch(p, params->count, params->paramArray, params->flags, operation);
  });
}
CUresult cuGraphExecChildGraphNodeSetParams(CUgraphExec handle, CUgraphNode node, CUgraph child_handle) {
  return with_exec(handle, [&](Platform& platform, GraphExec& exec) -> CUresult {
    const auto child = find<Graph>(platform, child_handle);
    if (child == nullptr || !exec.update_child(reinterpret_cast<uint64_t>(node), *child))
      return CUDA_ERROR_INVALID_VALUE;
    return CUDA_SUCCESS;
  });
}
CUresult cuGraphExecNodeSetParams(CUgraphExec exec, CUgraphNode node, CUgraphNodeParams* params) {
  if (params != nullptr && params->type == CU_GRAPH_NODE_TYPE_GRAPH)
    return cuGraphExecChildGraphNodeSetParams(exec, node, params->graph.graph);
  return set_step(exec, node,
                  [&](Platform& p, Operation* operation) { return make_any(p, params, operation); });
}

}  // extern "C"
