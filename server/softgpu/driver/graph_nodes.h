// From the C structures of graph nodes to operations and back.
#pragma once

#include "protocol/abi/cuda_abi_gen.h"
#include "server/softgpu/device/graph.h"
#include "server/softgpu/driver/driver.h"

namespace outboard::softgpu {

template <typename F>
CUresult with_graph(CUgraph handle, F&& function) noexcept {
  return with_platform([&](Platform& platform) -> CUresult {
    const auto graph = find<Graph>(platform, handle);
    return graph == nullptr ? CUDA_ERROR_INVALID_VALUE : function(platform, *graph);
  });
}

// A node that is still part of a graph.
template <typename F>
CUresult with_node(CUgraphNode handle, F&& function) noexcept {
  return with_platform([&](Platform& platform) -> CUresult {
    const auto node = find<GraphNode>(platform, handle);
    return node == nullptr || node->graph == nullptr ? CUDA_ERROR_INVALID_VALUE : function(platform, *node);
  });
}

// Nodes of `graph`; CUDA_ERROR_INVALID_VALUE for others and for repetitions.
CUresult find_nodes(Platform& platform, const Graph& graph, const CUgraphNode* handles, size_t count,
                    std::vector<GraphNode*>* nodes);

// Adds what `make(Platform&, Operation*)` makes; it is called only if everything else is right.
template <typename F>
CUresult add_node(CUgraphNode* handle, CUgraph graph_handle, const CUgraphNode* dependencies, size_t count,
                  F&& make) noexcept {
  return with_graph(graph_handle, [&](Platform& platform, Graph& graph) -> CUresult {
    if (handle == nullptr) return CUDA_ERROR_INVALID_VALUE;
    std::vector<GraphNode*> after;
    if (const CUresult result = find_nodes(platform, graph, dependencies, count, &after);
        result != CUDA_SUCCESS)
      return result;
    Operation operation;
    if (const CUresult result = make(platform, &operation); result != CUDA_SUCCESS) return result;
    *handle = to_handle<CUgraphNode>(*graph.add(std::move(operation), after));
    return CUDA_SUCCESS;
  });
}

CUresult make_kernel(const CUDA_KERNEL_NODE_PARAMS* params, Operation* operation);
CUresult make_copy(Platform& platform, const CUDA_MEMCPY3D* params, Operation* operation);
CUresult make_fill(Platform& platform, const CUDA_MEMSET_NODE_PARAMS* params, Operation* operation);
CUresult make_host(const CUDA_HOST_NODE_PARAMS* params, Operation* operation);
CUresult make_event_record(Platform& platform, CUevent event, Operation* operation);
CUresult make_event_wait(Platform& platform, CUevent event, Operation* operation);
// `move`: the graph itself becomes part of its parent, else a copy of it.
CUresult make_child(Platform& platform, CUgraph child, bool move, Operation* operation);
CUresult make_batch(Platform& platform, unsigned count, const CUstreamBatchMemOpParams* operations,
                    unsigned flags, Operation* operation);
// A conditional node of `graph` with empty bodies; fills in their handles.
CUresult make_conditional(Platform& platform, const Graph& graph, CUDA_CONDITIONAL_NODE_PARAMS& params,
                          Operation* operation);
// Any other, from the union of cuGraphAddNode; fills in what the union gives back.
CUresult make_any(Platform& platform, CUgraphNodeParams* params, Operation* operation);

CUDA_KERNEL_NODE_PARAMS kernel_params(GraphNode& node);
CUDA_MEMSET_NODE_PARAMS fill_params(const MemsetOperation& operation);

// The new operation replaces the old one if it is of the same type.
CUresult replace(GraphNode& node, Operation operation);

// The common shape of calls that list handles: null `out` asks for the number only.
void give_nodes(const std::vector<GraphNode*>& nodes, CUgraphNode* out, size_t* count);

}  // namespace outboard::softgpu
