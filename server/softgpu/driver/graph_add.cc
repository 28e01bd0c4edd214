// Graphs: adding nodes, reading and changing their parameters.
#include "server/softgpu/driver/graph_nodes.h"

using namespace outboard::softgpu;

namespace {

CUDA_KERNEL_NODE_PARAMS newer(const CUDA_KERNEL_NODE_PARAMS_v1& p) {
  return {p.func,      p.gridDimX,       p.gridDimY,     p.gridDimZ, p.blockDimX, p.blockDimY,
          p.blockDimZ, p.sharedMemBytes, p.kernelParams, p.extra,    nullptr,     nullptr};
}

// The operation of a node of the expected kind: function(GraphNode&, T&).
template <typename T, typename F>
CUresult with_operation(CUgraphNode handle, F&& function) noexcept {
  return with_node(handle, [&](Platform&, GraphNode& node) -> CUresult {
    auto* operation = std::get_if<T>(&node.operation);
    return operation == nullptr ? CUDA_ERROR_INVALID_VALUE : function(node, *operation);
  });
}

// Replaces the node's operation by what `make(Platform&, Operation*)` makes.
template <typename F>
CUresult set_node(CUgraphNode handle, F&& make) noexcept {
  return with_node(handle, [&](Platform& platform, GraphNode& node) -> CUresult {
    Operation operation;
    const CUresult result = make(platform, &operation);
    return result == CUDA_SUCCESS ? replace(node, std::move(operation)) : result;
  });
}

}  // namespace

extern "C" {

CUresult cuGraphAddKernelNode_v2(CUgraphNode* node, CUgraph graph, const CUgraphNode* after, size_t count,
                                 const CUDA_KERNEL_NODE_PARAMS* params) {
  return add_node(node, graph, after, count,
                  [&](Platform&, Operation* operation) { return make_kernel(params, operation); });
}
CUresult cuGraphAddKernelNode(CUgraphNode* node, CUgraph graph, const CUgraphNode* after, size_t count,
                              const CUDA_KERNEL_NODE_PARAMS_v1* params) {
  if (params == nullptr) return CUDA_ERROR_INVALID_VALUE;
  const CUDA_KERNEL_NODE_PARAMS full = newer(*params);
  return cuGraphAddKernelNode_v2(node, graph, after, count, &full);
}
CUresult cuGraphAddMemcpyNode(CUgraphNode* node, CUgraph graph, const CUgraphNode* after, size_t count,
                              const CUDA_MEMCPY3D* params, CUcontext) {
  return add_node(node, graph, after, count,
                  [&](Platform& p, Operation* operation) { return make_copy(p, params, operation); });
}
CUresult cuGraphAddMemsetNode(CUgraphNode* node, CUgraph graph, const CUgraphNode* after, size_t count,
                              const CUDA_MEMSET_NODE_PARAMS* params, CUcontext) {
  return add_node(node, graph, after, count,
                  [&](Platform& p, Operation* operation) { return make_fill(p, params, operation); });
}
CUresult cuGraphAddHostNode(CUgraphNode* node, CUgraph graph, const CUgraphNode* after, size_t count,
                            const CUDA_HOST_NODE_PARAMS* params) {
  return add_node(node, graph, after, count,
                  [&](Platform&, Operation* operation) { return make_host(params, operation); });
}
CUresult cuGraphAddChildGraphNode(CUgraphNode* node, CUgraph graph, const CUgraphNode* after, size_t count,
                                  CUgraph child) {
  return add_node(node, graph, after, count,
                  [&](Platform& p, Operation* operation) { return make_child(p, child, false, operation); });
}
CUresult cuGraphAddEmptyNode(CUgraphNode* node, CUgraph graph, const CUgraphNode* after, size_t count) {
  return add_node(node, graph, after, count, [](Platform&, Operation*) { return CUDA_SUCCESS; });
}
CUresult cuGraphAddEventRecordNode(CUgraphNode* node, CUgraph graph, const CUgraphNode* after, size_t count,
                                   CUevent event) {
  return add_node(node, graph, after, count,
                  [&](Platform& p, Operation* operation) { return make_event_record(p, event, operation); });
}
CUresult cuGraphAddEventWaitNode(CUgraphNode* node, CUgraph graph, const CUgraphNode* after, size_t count,
                                 CUevent event) {
  return add_node(node, graph, after, count,
                  [&](Platform& p, Operation* operation) { return make_event_wait(p, event, operation); });
}
CUresult cuGraphAddNode_v2(CUgraphNode* node, CUgraph graph, const CUgraphNode* after, const CUgraphEdgeData*,
                           size_t count, CUgraphNodeParams* params) {
  return add_node(node, graph, after, count, [&](Platform& p, Operation* operation) {
    const bool conditional = params != nullptr && params->type == CU_GRAPH_NODE_TYPE_CONDITIONAL;
    return conditional ? make_conditional(p, *find<Graph>(p, graph), params->conditional, operation)
                       : make_any(p, params, operation);
  });
}
CUresult cuGraphAddNode(CUgraphNode* node, CUgraph graph, const CUgraphNode* after, size_t count,
                        CUgraphNodeParams* params) {
  return cuGraphAddNode_v2(node, graph, after, nullptr, count, params);
}

CUresult cuGraphAddMemAllocNode(CUgraphNode* node, CUgraph graph, const CUgraphNode* after, size_t count,
                                CUDA_MEM_ALLOC_NODE_PARAMS* params) {
  if (params == nullptr) return CUDA_ERROR_INVALID_VALUE;
  CUgraphNodeParams any{};
  any.type = CU_GRAPH_NODE_TYPE_MEM_ALLOC;
  any.alloc.poolProps = params->poolProps;
  any.alloc.bytesize = params->bytesize;
  const CUresult result = cuGraphAddNode(node, graph, after, count, &any);
  if (result == CUDA_SUCCESS) params->dptr = any.alloc.dptr;
  return result;
}
CUresult cuGraphAddMemFreeNode(CUgraphNode* node, CUgraph graph, const CUgraphNode* after, size_t count,
                               CUdeviceptr address) {
  CUgraphNodeParams any{};
  any.type = CU_GRAPH_NODE_TYPE_MEM_FREE;
  any.free.dptr = address;
  return cuGraphAddNode(node, graph, after, count, &any);
}

CUresult cuGraphAddBatchMemOpNode(CUgraphNode* node, CUgraph graph, const CUgraphNode* after, size_t count,
                                  const CUDA_BATCH_MEM_OP_NODE_PARAMS* params) {
  if (params == nullptr) return CUDA_ERROR_INVALID_VALUE;
  return add_node(node, graph, after, count, [&](Platform& p, Operation* operation) {
    return make_batch(p, params->count, params->paramArray, params->flags, operation);
  });
}
CUresult cuGraphBatchMemOpNodeGetParams(CUgraphNode handle, CUDA_BATCH_MEM_OP_NODE_PARAMS* params) {
  return with_operation<BatchOperation>(handle, [&](GraphNode&, BatchOperation& batch) -> CUresult {
    if (params == nullptr) return CUDA_ERROR_INVALID_VALUE;
    *params = {nullptr, static_cast<unsigned>(batch.as_given.size()), batch.as_given.data(), batch.flags};
    return CUDA_SUCCESS;
  });
}
CUresult cuGraphBatchMemOpNodeSetParams(CUgraphNode node, const CUDA_BATCH_MEM_OP_NODE_PARAMS* params) {
  if (params == nullptr) return CUDA_ERROR_INVALID_VALUE;
  return set_node(node, [&](Platform& p, Operation* operation) {
    return make_batch(p, params->count, params->paramArray, params->flags, operation);
  });
}

CUresult cuGraphKernelNodeGetParams_v2(CUgraphNode handle, CUDA_KERNEL_NODE_PARAMS* params) {
  return with_operation<KernelOperation>(handle, [&](GraphNode& node, KernelOperation&) -> CUresult {
    if (params == nullptr) return CUDA_ERROR_INVALID_VALUE;
    *params = kernel_params(node);
    return CUDA_SUCCESS;
  });
}
CUresult cuGraphKernelNodeGetParams(CUgraphNode handle, CUDA_KERNEL_NODE_PARAMS_v1* params) {
  CUDA_KERNEL_NODE_PARAMS p{};
  if (params == nullptr) return CUDA_ERROR_INVALID_VALUE;
  const CUresult result = cuGraphKernelNodeGetParams_v2(handle, &p);
  if (result == CUDA_SUCCESS) {
    *params = {p.func,      p.gridDimX,  p.gridDimY,       p.gridDimZ,     p.blockDimX,
               p.blockDimY, p.blockDimZ, p.sharedMemBytes, p.kernelParams, p.extra};
  }
  return result;
}
CUresult cuGraphMemcpyNodeGetParams(CUgraphNode handle, CUDA_MEMCPY3D* params) {
  return with_operation<CopyOperation>(handle, [&](GraphNode&, CopyOperation& copy) -> CUresult {
    if (params == nullptr) return CUDA_ERROR_INVALID_VALUE;
    *params = copy.as_given;
    return CUDA_SUCCESS;
  });
}
CUresult cuGraphMemsetNodeGetParams(CUgraphNode handle, CUDA_MEMSET_NODE_PARAMS* params) {
  return with_operation<MemsetOperation>(handle, [&](GraphNode&, MemsetOperation& fill) -> CUresult {
    if (params == nullptr) return CUDA_ERROR_INVALID_VALUE;
    *params = fill_params(fill);
    return CUDA_SUCCESS;
  });
}
CUresult cuGraphHostNodeGetParams(CUgraphNode handle, CUDA_HOST_NODE_PARAMS* params) {
  return with_operation<HostOperation>(handle, [&](GraphNode&, HostOperation& host) -> CUresult {
    if (params == nullptr) return CUDA_ERROR_INVALID_VALUE;
    *params = {host.function, host.user_data};
    return CUDA_SUCCESS;
  });
}
CUresult cuGraphChildGraphNodeGetGraph(CUgraphNode handle, CUgraph* graph) {
  return with_operation<ChildGraphOperation>(handle, [&](GraphNode&, ChildGraphOperation& child) -> CUresult {
    if (graph == nullptr) return CUDA_ERROR_INVALID_VALUE;
    *graph = to_handle<CUgraph>(*child.graph);
    return CUDA_SUCCESS;
  });
}
CUresult cuGraphEventRecordNodeGetEvent(CUgraphNode handle, CUevent* event) {
  return with_operation<EventRecordOperation>(handle,
                                              [&](GraphNode&, EventRecordOperation& record) -> CUresult {
                                                if (event == nullptr) return CUDA_ERROR_INVALID_VALUE;
                                                *event = to_handle<CUevent>(*record.event);
                                                return CUDA_SUCCESS;
                                              });
}
CUresult cuGraphEventWaitNodeGetEvent(CUgraphNode handle, CUevent* event) {
  return with_operation<EventWaitOperation>(handle, [&](GraphNode&, EventWaitOperation& wait) -> CUresult {
    if (event == nullptr) return CUDA_ERROR_INVALID_VALUE;
    *event = to_handle<CUevent>(*wait.event);
    return CUDA_SUCCESS;
  });
}
CUresult cuGraphMemAllocNodeGetParams(CUgraphNode handle, CUDA_MEM_ALLOC_NODE_PARAMS* params) {
  return with_operation<AllocateOperation>(handle, [&](GraphNode&, AllocateOperation& allocate) -> CUresult {
    if (params == nullptr) return CUDA_ERROR_INVALID_VALUE;
    *params = allocate.params;
    return CUDA_SUCCESS;
  });
}
CUresult cuGraphMemFreeNodeGetParams(CUgraphNode handle, CUdeviceptr* address) {
  return with_operation<FreeOperation>(handle, [&](GraphNode&, FreeOperation& operation) -> CUresult {
    if (address == nullptr) return CUDA_ERROR_INVALID_VALUE;
    *address = operation.address;
    return CUDA_SUCCESS;
  });
}

CUresult cuGraphKernelNodeSetParams_v2(CUgraphNode node, const CUDA_KERNEL_NODE_PARAMS* params) {
  return set_node(node, [&](Platform&, Operation* operation) { return make_kernel(params, operation); });
}
CUresult cuGraphKernelNodeSetParams(CUgraphNode node, const CUDA_KERNEL_NODE_PARAMS_v1* params) {
  if (params == nullptr) return CUDA_ERROR_INVALID_VALUE;
  const CUDA_KERNEL_NODE_PARAMS full = newer(*params);
  return cuGraphKernelNodeSetParams_v2(node, &full);
}
CUresult cuGraphMemcpyNodeSetParams(CUgraphNode node, const CUDA_MEMCPY3D* params) {
  return set_node(node, [&](Platform& p, Operation* operation) { return make_copy(p, params, operation); });
}
CUresult cuGraphMemsetNodeSetParams(CUgraphNode node, const CUDA_MEMSET_NODE_PARAMS* params) {
  return set_node(node, [&](Platform& p, Operation* operation) { return make_fill(p, params, operation); });
}
CUresult cuGraphHostNodeSetParams(CUgraphNode node, const CUDA_HOST_NODE_PARAMS* params) {
  return set_node(node, [&](Platform&, Operation* operation) { return make_host(params, operation); });
}
CUresult cuGraphEventRecordNodeSetEvent(CUgraphNode node, CUevent event) {
  return set_node(node,
                  [&](Platform& p, Operation* operation) { return make_event_record(p, event, operation); });
}
CUresult cuGraphEventWaitNodeSetEvent(CUgraphNode node, CUevent event) {
  return set_node(node,
                  [&](Platform& p, Operation* operation) { return make_event_wait(p, event, operation); });
}
CUresult cuGraphNodeSetParams(CUgraphNode node, CUgraphNodeParams* params) {
  return set_node(node, [&](Platform& p, Operation* operation) { return make_any(p, params, operation); });
}

// Attributes of kernel nodes are hints for real hardware; only the cooperative one means something.
CUresult cuGraphKernelNodeSetAttribute(CUgraphNode handle, CUkernelNodeAttrID attribute,
                                       const CUkernelNodeAttrValue* value) {
  return with_operation<KernelOperation>(handle, [&](GraphNode&, KernelOperation& launch) -> CUresult {
    if (value == nullptr) return CUDA_ERROR_INVALID_VALUE;
    if (attribute == CU_LAUNCH_ATTRIBUTE_COOPERATIVE) launch.cooperative = value->cooperative != 0;
    return CUDA_SUCCESS;
  });
}
CUresult cuGraphKernelNodeGetAttribute(CUgraphNode handle, CUkernelNodeAttrID attribute,
                                       CUkernelNodeAttrValue* value) {
  return with_operation<KernelOperation>(handle, [&](GraphNode&, KernelOperation& launch) -> CUresult {
    if (value == nullptr) return CUDA_ERROR_INVALID_VALUE;
    *value = {};
    if (attribute == CU_LAUNCH_ATTRIBUTE_COOPERATIVE) value->cooperative = launch.cooperative ? 1 : 0;
    return CUDA_SUCCESS;
  });
}
CUresult cuGraphKernelNodeCopyAttributes(CUgraphNode to, CUgraphNode from) {
  CUkernelNodeAttrValue value{};
  const CUresult result = cuGraphKernelNodeGetAttribute(from, CU_LAUNCH_ATTRIBUTE_COOPERATIVE, &value);
  return result == CUDA_SUCCESS ? cuGraphKernelNodeSetAttribute(to, CU_LAUNCH_ATTRIBUTE_COOPERATIVE, &value)
                                : result;
}

}  // extern "C"
