// Graphs and their nodes: every kind of node goes one way, in the structure of cuGraphAddNode.
#include "client-lib/calls/calls_gen.h"
#include "client-lib/calls/graph_nodes.h"
#include "client-lib/calls/handles.h"

namespace outboard::client::calls {
namespace {

CUgraphNodeParams of_type(CUgraphNodeType type) {
  CUgraphNodeParams params{};
  params.type = type;
  return params;
}

CUgraphNodeParams kernel(const CUDA_KERNEL_NODE_PARAMS_v1& p) {
  CUgraphNodeParams params = of_type(CU_GRAPH_NODE_TYPE_KERNEL);
  params.kernel = {p.func,      p.gridDimX,       p.gridDimY,     p.gridDimZ, p.blockDimX, p.blockDimY,
                   p.blockDimZ, p.sharedMemBytes, p.kernelParams, p.extra,    nullptr,     nullptr};
  return params;
}

CUgraphNodeParams kernel(const CUDA_KERNEL_NODE_PARAMS& p) {
  CUgraphNodeParams params = of_type(CU_GRAPH_NODE_TYPE_KERNEL);
  params.kernel = {p.func,      p.gridDimX,       p.gridDimY,     p.gridDimZ, p.blockDimX, p.blockDimY,
                   p.blockDimZ, p.sharedMemBytes, p.kernelParams, p.extra,    p.kern,      p.ctx};
  return params;
}

CUgraphNodeParams copy(const CUDA_MEMCPY3D& p, CUcontext context) {
  CUgraphNodeParams params = of_type(CU_GRAPH_NODE_TYPE_MEMCPY);
  params.memcpy.copyParams = p;
  params.memcpy.copyCtx = context;
  return params;
}

CUgraphNodeParams fill(const CUDA_MEMSET_NODE_PARAMS& p, CUcontext context) {
  CUgraphNodeParams params = of_type(CU_GRAPH_NODE_TYPE_MEMSET);
  params.memset = {p.dst, p.pitch, p.value, p.elementSize, p.width, p.height, context};
  return params;
}

CUgraphNodeParams host(const CUDA_HOST_NODE_PARAMS& p) {
  CUgraphNodeParams params = of_type(CU_GRAPH_NODE_TYPE_HOST);
  params.host = {p.fn, p.userData};
  return params;
}

CUgraphNodeParams batch(const CUDA_BATCH_MEM_OP_NODE_PARAMS& p) {
  CUgraphNodeParams params = of_type(CU_GRAPH_NODE_TYPE_BATCH_MEM_OP);
  params.memOp = {p.ctx, p.count, p.paramArray, p.flags};
  return params;
}

CUgraphNodeParams child(CUgraph graph) {
  CUgraphNodeParams params = of_type(CU_GRAPH_NODE_TYPE_GRAPH);
  params.graph = {graph, CU_GRAPH_CHILD_GRAPH_OWNERSHIP_CLONE};
  return params;
}

CUgraphNodeParams record(CUevent event) {
  CUgraphNodeParams params = of_type(CU_GRAPH_NODE_TYPE_EVENT_RECORD);
  params.eventRecord.event = event;
  return params;
}

CUgraphNodeParams wait(CUevent event) {
  CUgraphNodeParams params = of_type(CU_GRAPH_NODE_TYPE_WAIT_EVENT);
  params.eventWait.event = event;
  return params;
}

CUresult add(Client& client, CUgraphNode* node, CUgraph graph, const CUgraphNode* dependencies, size_t count,
             CUgraphNodeParams params) {
  return add_node(client, node, graph, dependencies, nullptr, count, &params);
}

// The member of the union that a node of that type has.
template <typename T, typename Member>
CUresult get(Client& client, CUgraphNode node, CUgraphNodeType type, T* out, Member member) {
  if (out == nullptr) return CUDA_ERROR_INVALID_VALUE;
  CUgraphNodeParams params = of_type(type);
  const CUresult result = get_node(client, node, &params);
  if (result == CUDA_SUCCESS) *out = member(params);
  return result;
}

}  // namespace

CUresult cuGraphAddNode_v2(Client& client, CUgraphNode* phGraphNode, CUgraph hGraph,
                           const CUgraphNode* dependencies, const CUgraphEdgeData* dependencyData,
                           size_t numDependencies, CUgraphNodeParams* nodeParams) {
  return add_node(client, phGraphNode, hGraph, dependencies, dependencyData, numDependencies, nodeParams);
}
CUresult cuGraphAddNode(Client& client, CUgraphNode* phGraphNode, CUgraph hGraph,
                        const CUgraphNode* dependencies, size_t numDependencies,
                        CUgraphNodeParams* nodeParams) {
  return add_node(client, phGraphNode, hGraph, dependencies, nullptr, numDependencies, nodeParams);
}
CUresult cuGraphNodeSetParams(Client& client, CUgraphNode hNode, CUgraphNodeParams* nodeParams) {
  return nodeParams == nullptr ? CUDA_ERROR_INVALID_VALUE : set_node(client, nullptr, hNode, *nodeParams);
}
CUresult cuGraphExecNodeSetParams(Client& client, CUgraphExec hGraphExec, CUgraphNode hNode,
                                  CUgraphNodeParams* nodeParams) {
  if (nodeParams == nullptr || hGraphExec == nullptr) return CUDA_ERROR_INVALID_VALUE;
  return set_node(client, hGraphExec, hNode, *nodeParams);
}

CUresult cuGraphAddKernelNode(Client& client, CUgraphNode* phGraphNode, CUgraph hGraph,
                              const CUgraphNode* dependencies, size_t numDependencies,
                              const CUDA_KERNEL_NODE_PARAMS_v1* nodeParams) {
  if (nodeParams == nullptr) return CUDA_ERROR_INVALID_VALUE;
  return add(client, phGraphNode, hGraph, dependencies, numDependencies, kernel(*nodeParams));
}
CUresult cuGraphAddKernelNode_v2(Client& client, CUgraphNode* phGraphNode, CUgraph hGraph,
                                 const CUgraphNode* dependencies, size_t numDependencies,
                                 const CUDA_KERNEL_NODE_PARAMS* nodeParams) {
  if (nodeParams == nullptr) return CUDA_ERROR_INVALID_VALUE;
  return add(client, phGraphNode, hGraph, dependencies, numDependencies, kernel(*nodeParams));
}
CUresult cuGraphAddMemcpyNode(Client& client, CUgraphNode* phGraphNode, CUgraph hGraph,
                              const CUgraphNode* dependencies, size_t numDependencies,
                              const CUDA_MEMCPY3D* copyParams, CUcontext ctx) {
  if (copyParams == nullptr) return CUDA_ERROR_INVALID_VALUE;
  return add(client, phGraphNode, hGraph, dependencies, numDependencies, copy(*copyParams, ctx));
}
CUresult cuGraphAddMemsetNode(Client& client, CUgraphNode* phGraphNode, CUgraph hGraph,
                              const CUgraphNode* dependencies, size_t numDependencies,
                              const CUDA_MEMSET_NODE_PARAMS* memsetParams, CUcontext ctx) {
  if (memsetParams == nullptr) return CUDA_ERROR_INVALID_VALUE;
  return add(client, phGraphNode, hGraph, dependencies, numDependencies, fill(*memsetParams, ctx));
}
CUresult cuGraphAddHostNode(Client& client, CUgraphNode* phGraphNode, CUgraph hGraph,
                            const CUgraphNode* dependencies, size_t numDependencies,
                            const CUDA_HOST_NODE_PARAMS* nodeParams) {
  if (nodeParams == nullptr) return CUDA_ERROR_INVALID_VALUE;
  return add(client, phGraphNode, hGraph, dependencies, numDependencies, host(*nodeParams));
}
CUresult cuGraphAddChildGraphNode(Client& client, CUgraphNode* phGraphNode, CUgraph hGraph,
                                  const CUgraphNode* dependencies, size_t numDependencies,
                                  CUgraph childGraph) {
  return add(client, phGraphNode, hGraph, dependencies, numDependencies, child(childGraph));
}
CUresult cuGraphAddEmptyNode(Client& client, CUgraphNode* phGraphNode, CUgraph hGraph,
                             const CUgraphNode* dependencies, size_t numDependencies) {
  return add(client, phGraphNode, hGraph, dependencies, numDependencies, of_type(CU_GRAPH_NODE_TYPE_EMPTY));
}
CUresult cuGraphAddEventRecordNode(Client& client, CUgraphNode* phGraphNode, CUgraph hGraph,
                                   const CUgraphNode* dependencies, size_t numDependencies, CUevent event) {
  return add(client, phGraphNode, hGraph, dependencies, numDependencies, record(event));
}
CUresult cuGraphAddEventWaitNode(Client& client, CUgraphNode* phGraphNode, CUgraph hGraph,
                                 const CUgraphNode* dependencies, size_t numDependencies, CUevent event) {
  return add(client, phGraphNode, hGraph, dependencies, numDependencies, wait(event));
}
CUresult cuGraphAddMemAllocNode(Client& client, CUgraphNode* phGraphNode, CUgraph hGraph,
                                const CUgraphNode* dependencies, size_t numDependencies,
                                CUDA_MEM_ALLOC_NODE_PARAMS* nodeParams) {
  if (nodeParams == nullptr) return CUDA_ERROR_INVALID_VALUE;
  CUgraphNodeParams params = of_type(CU_GRAPH_NODE_TYPE_MEM_ALLOC);
  params.alloc = {nodeParams->poolProps, nodeParams->accessDescs, nodeParams->accessDescCount,
                  nodeParams->bytesize, 0};
  const CUresult result =
      add_node(client, phGraphNode, hGraph, dependencies, nullptr, numDependencies, &params);
  if (result == CUDA_SUCCESS) nodeParams->dptr = params.alloc.dptr;
  return result;
}
CUresult cuGraphAddMemFreeNode(Client& client, CUgraphNode* phGraphNode, CUgraph hGraph,
                               const CUgraphNode* dependencies, size_t numDependencies, CUdeviceptr dptr) {
  CUgraphNodeParams params = of_type(CU_GRAPH_NODE_TYPE_MEM_FREE);
  params.free.dptr = dptr;
  return add(client, phGraphNode, hGraph, dependencies, numDependencies, params);
}
CUresult cuGraphAddBatchMemOpNode(Client& client, CUgraphNode* phGraphNode, CUgraph hGraph,
                                  const CUgraphNode* dependencies, size_t numDependencies,
                                  const CUDA_BATCH_MEM_OP_NODE_PARAMS* nodeParams) {
  if (nodeParams == nullptr) return CUDA_ERROR_INVALID_VALUE;
  return add(client, phGraphNode, hGraph, dependencies, numDependencies, batch(*nodeParams));
}

CUresult cuGraphKernelNodeSetParams(Client& client, CUgraphNode hNode,
                                    const CUDA_KERNEL_NODE_PARAMS_v1* nodeParams) {
  if (nodeParams == nullptr) return CUDA_ERROR_INVALID_VALUE;
  return set_node(client, nullptr, hNode, kernel(*nodeParams));
}
CUresult cuGraphKernelNodeSetParams_v2(Client& client, CUgraphNode hNode,
                                       const CUDA_KERNEL_NODE_PARAMS* nodeParams) {
  if (nodeParams == nullptr) return CUDA_ERROR_INVALID_VALUE;
  return set_node(client, nullptr, hNode, kernel(*nodeParams));
}
CUresult cuGraphMemcpyNodeSetParams(Client& client, CUgraphNode hNode, const CUDA_MEMCPY3D* nodeParams) {
  if (nodeParams == nullptr) return CUDA_ERROR_INVALID_VALUE;
  return set_node(client, nullptr, hNode, copy(*nodeParams, nullptr));
}
CUresult cuGraphMemsetNodeSetParams(Client& client, CUgraphNode hNode,
                                    const CUDA_MEMSET_NODE_PARAMS* nodeParams) {
  if (nodeParams == nullptr) return CUDA_ERROR_INVALID_VALUE;
  return set_node(client, nullptr, hNode, fill(*nodeParams, nullptr));
}
CUresult cuGraphHostNodeSetParams(Client& client, CUgraphNode hNode,
                                  const CUDA_HOST_NODE_PARAMS* nodeParams) {
  if (nodeParams == nullptr) return CUDA_ERROR_INVALID_VALUE;
  return set_node(client, nullptr, hNode, host(*nodeParams));
}
CUresult cuGraphEventRecordNodeSetEvent(Client& client, CUgraphNode hNode, CUevent event) {
  return set_node(client, nullptr, hNode, record(event));
}
CUresult cuGraphEventWaitNodeSetEvent(Client& client, CUgraphNode hNode, CUevent event) {
  return set_node(client, nullptr, hNode, wait(event));
}
CUresult cuGraphBatchMemOpNodeSetParams(Client& client, CUgraphNode hNode,
                                        const CUDA_BATCH_MEM_OP_NODE_PARAMS* nodeParams) {
  if (nodeParams == nullptr) return CUDA_ERROR_INVALID_VALUE;
  return set_node(client, nullptr, hNode, batch(*nodeParams));
}

CUresult cuGraphKernelNodeGetParams_v2(Client& client, CUgraphNode hNode,
                                       CUDA_KERNEL_NODE_PARAMS* nodeParams) {
  return get(client, hNode, CU_GRAPH_NODE_TYPE_KERNEL, nodeParams, [](const CUgraphNodeParams& params) {
    const auto& p = params.kernel;
    return CUDA_KERNEL_NODE_PARAMS{p.func,         p.gridDimX,  p.gridDimY,  p.gridDimZ,
                                   p.blockDimX,    p.blockDimY, p.blockDimZ, p.sharedMemBytes,
                                   p.kernelParams, p.extra,     p.kern,      p.ctx};
  });
}
CUresult cuGraphKernelNodeGetParams(Client& client, CUgraphNode hNode,
                                    CUDA_KERNEL_NODE_PARAMS_v1* nodeParams) {
  return get(client, hNode, CU_GRAPH_NODE_TYPE_KERNEL, nodeParams, [](const CUgraphNodeParams& params) {
    const auto& p = params.kernel;
    return CUDA_KERNEL_NODE_PARAMS_v1{p.func,      p.gridDimX,  p.gridDimY,       p.gridDimZ,     p.blockDimX,
                                      p.blockDimY, p.blockDimZ, p.sharedMemBytes, p.kernelParams, p.extra};
  });
}
CUresult cuGraphMemcpyNodeGetParams(Client& client, CUgraphNode hNode, CUDA_MEMCPY3D* nodeParams) {
  return get(client, hNode, CU_GRAPH_NODE_TYPE_MEMCPY, nodeParams,
             [](const CUgraphNodeParams& params) { return params.memcpy.copyParams; });
}
CUresult cuGraphMemsetNodeGetParams(Client& client, CUgraphNode hNode, CUDA_MEMSET_NODE_PARAMS* nodeParams) {
  return get(client, hNode, CU_GRAPH_NODE_TYPE_MEMSET, nodeParams, [](const CUgraphNodeParams& params) {
    const auto& p = params.memset;
    return CUDA_MEMSET_NODE_PARAMS{p.dst, p.pitch, p.value, p.elementSize, p.width, p.height};
  });
}
CUresult cuGraphHostNodeGetParams(Client& client, CUgraphNode hNode, CUDA_HOST_NODE_PARAMS* nodeParams) {
  return get(client, hNode, CU_GRAPH_NODE_TYPE_HOST, nodeParams, [](const CUgraphNodeParams& params) {
    return CUDA_HOST_NODE_PARAMS{params.host.fn, params.host.userData};
  });
}
CUresult cuGraphEventRecordNodeGetEvent(Client& client, CUgraphNode hNode, CUevent* event_out) {
  return get(client, hNode, CU_GRAPH_NODE_TYPE_EVENT_RECORD, event_out,
             [](const CUgraphNodeParams& params) { return params.eventRecord.event; });
}
CUresult cuGraphEventWaitNodeGetEvent(Client& client, CUgraphNode hNode, CUevent* event_out) {
  return get(client, hNode, CU_GRAPH_NODE_TYPE_WAIT_EVENT, event_out,
             [](const CUgraphNodeParams& params) { return params.eventWait.event; });
}
CUresult cuGraphMemAllocNodeGetParams(Client& client, CUgraphNode hNode,
                                      CUDA_MEM_ALLOC_NODE_PARAMS* params_out) {
  return get(client, hNode, CU_GRAPH_NODE_TYPE_MEM_ALLOC, params_out, [](const CUgraphNodeParams& params) {
    const auto& p = params.alloc;
    return CUDA_MEM_ALLOC_NODE_PARAMS{p.poolProps, p.accessDescs, p.accessDescCount, p.bytesize, p.dptr};
  });
}
CUresult cuGraphMemFreeNodeGetParams(Client& client, CUgraphNode hNode, CUdeviceptr* dptr_out) {
  return get(client, hNode, CU_GRAPH_NODE_TYPE_MEM_FREE, dptr_out,
             [](const CUgraphNodeParams& params) { return params.free.dptr; });
}
CUresult cuGraphBatchMemOpNodeGetParams(Client& client, CUgraphNode hNode,
                                        CUDA_BATCH_MEM_OP_NODE_PARAMS* nodeParams_out) {
  return get(client, hNode, CU_GRAPH_NODE_TYPE_BATCH_MEM_OP, nodeParams_out,
             [](const CUgraphNodeParams& params) {
               const auto& p = params.memOp;
               return CUDA_BATCH_MEM_OP_NODE_PARAMS{p.ctx, p.count, p.paramArray, p.flags};
             });
}

namespace {

CUresult set_exec(Client& client, CUgraphExec exec, CUgraphNode node, const CUgraphNodeParams& params) {
  return exec == nullptr ? CUDA_ERROR_INVALID_VALUE : set_node(client, exec, node, params);
}

}  // namespace

CUresult cuGraphExecKernelNodeSetParams(Client& client, CUgraphExec hGraphExec, CUgraphNode hNode,
                                        const CUDA_KERNEL_NODE_PARAMS_v1* nodeParams) {
  if (nodeParams == nullptr) return CUDA_ERROR_INVALID_VALUE;
  return set_exec(client, hGraphExec, hNode, kernel(*nodeParams));
}
CUresult cuGraphExecKernelNodeSetParams_v2(Client& client, CUgraphExec hGraphExec, CUgraphNode hNode,
                                           const CUDA_KERNEL_NODE_PARAMS* nodeParams) {
  if (nodeParams == nullptr) return CUDA_ERROR_INVALID_VALUE;
  return set_exec(client, hGraphExec, hNode, kernel(*nodeParams));
}
CUresult cuGraphExecMemcpyNodeSetParams(Client& client, CUgraphExec hGraphExec, CUgraphNode hNode,
                                        const CUDA_MEMCPY3D* copyParams, CUcontext ctx) {
  if (copyParams == nullptr) return CUDA_ERROR_INVALID_VALUE;
  return set_exec(client, hGraphExec, hNode, copy(*copyParams, ctx));
}
CUresult cuGraphExecMemsetNodeSetParams(Client& client, CUgraphExec hGraphExec, CUgraphNode hNode,
                                        const CUDA_MEMSET_NODE_PARAMS* memsetParams, CUcontext ctx) {
  if (memsetParams == nullptr) return CUDA_ERROR_INVALID_VALUE;
  return set_exec(client, hGraphExec, hNode, fill(*memsetParams, ctx));
}
CUresult cuGraphExecHostNodeSetParams(Client& client, CUgraphExec hGraphExec, CUgraphNode hNode,
                                      const CUDA_HOST_NODE_PARAMS* nodeParams) {
  if (nodeParams == nullptr) return CUDA_ERROR_INVALID_VALUE;
  return set_exec(client, hGraphExec, hNode, host(*nodeParams));
}
CUresult cuGraphExecChildGraphNodeSetParams(Client& client, CUgraphExec hGraphExec, CUgraphNode hNode,
                                            CUgraph childGraph) {
  return set_exec(client, hGraphExec, hNode, child(childGraph));
}
CUresult cuGraphExecEventRecordNodeSetEvent(Client& client, CUgraphExec hGraphExec, CUgraphNode hNode,
                                            CUevent event) {
  return set_exec(client, hGraphExec, hNode, record(event));
}
CUresult cuGraphExecEventWaitNodeSetEvent(Client& client, CUgraphExec hGraphExec, CUgraphNode hNode,
                                          CUevent event) {
  return set_exec(client, hGraphExec, hNode, wait(event));
}
CUresult cuGraphExecBatchMemOpNodeSetParams(Client& client, CUgraphExec hGraphExec, CUgraphNode hNode,
                                            const CUDA_BATCH_MEM_OP_NODE_PARAMS* nodeParams) {
  if (nodeParams == nullptr) return CUDA_ERROR_INVALID_VALUE;
  return set_exec(client, hGraphExec, hNode, batch(*nodeParams));
}

}  // namespace outboard::client::calls
