// Graphs: making, shape, copies.
#include <algorithm>
#include <climits>
#include <cstdio>

#include "server/softgpu/driver/graph_nodes.h"

using namespace outboard::softgpu;

namespace {

struct Edge {
  GraphNode* from;
  GraphNode* to;
};

CUresult find_edges(Platform& platform, const Graph& graph, const CUgraphNode* from, const CUgraphNode* to,
                    size_t count, std::vector<Edge>* edges) {
  if (count != 0 && (from == nullptr || to == nullptr)) return CUDA_ERROR_INVALID_VALUE;
  for (size_t i = 0; i < count; ++i) {
    const auto a = find<GraphNode>(platform, from[i]);
    const auto b = find<GraphNode>(platform, to[i]);
    if (a == nullptr || b == nullptr || a == b || !graph.owns(a.get()) || !graph.owns(b.get()))
      return CUDA_ERROR_INVALID_VALUE;
    edges->push_back({a.get(), b.get()});
  }
  return CUDA_SUCCESS;
}

bool has_edge(const Edge& edge) {
  const auto& list = edge.to->dependencies;
  return std::find(list.begin(), list.end(), edge.from) != list.end();
}

}  // namespace

extern "C" {

CUresult cuGraphCreate(CUgraph* handle, unsigned int flags) {
  return with_platform([&](Platform& platform) -> CUresult {
    if (handle == nullptr || flags != 0) return CUDA_ERROR_INVALID_VALUE;
    *handle = reinterpret_cast<CUgraph>(platform.handles().add(std::make_shared<Graph>(platform.handles())));
    return CUDA_SUCCESS;
  });
}

CUresult cuGraphDestroy(CUgraph handle) {
  return with_platform([&](Platform& platform) {
    const auto graph = platform.handles().remove<Graph>(reinterpret_cast<uint64_t>(handle));
    return graph == nullptr ? CUDA_ERROR_INVALID_VALUE : CUDA_SUCCESS;
  });
}

CUresult cuGraphClone(CUgraph* copy, CUgraph original) {
  return with_graph(original, [&](Platform& platform, Graph& graph) -> CUresult {
    if (copy == nullptr) return CUDA_ERROR_INVALID_VALUE;
    if (!graph.conditions()->empty()) return CUDA_ERROR_NOT_SUPPORTED;
    *copy = reinterpret_cast<CUgraph>(platform.handles().add(graph.clone()));
    return CUDA_SUCCESS;
  });
}

CUresult cuGraphNodeFindInClone(CUgraphNode* node, CUgraphNode original, CUgraph copy) {
  return with_graph(copy, [&](Platform&, Graph& graph) -> CUresult {
    if (node == nullptr) return CUDA_ERROR_INVALID_VALUE;
    const auto found = graph.origins().find(reinterpret_cast<uint64_t>(original));
    if (found == graph.origins().end()) return CUDA_ERROR_INVALID_VALUE;
    *node = reinterpret_cast<CUgraphNode>(found->second);
    return CUDA_SUCCESS;
  });
}

CUresult cuGraphNodeGetType(CUgraphNode handle, CUgraphNodeType* type) {
  return with_node(handle, [&](Platform&, GraphNode& node) -> CUresult {
    if (type == nullptr) return CUDA_ERROR_INVALID_VALUE;
    *type = node.type();
    return CUDA_SUCCESS;
  });
}

CUresult cuGraphDestroyNode(CUgraphNode handle) {
  return with_node(handle, [](Platform&, GraphNode& node) {
    node.graph->remove(&node);
    return CUDA_SUCCESS;
  });
}

CUresult cuGraphGetNodes(CUgraph handle, CUgraphNode* nodes, size_t* count) {
  return with_graph(handle, [&](Platform&, Graph& graph) -> CUresult {
    if (count == nullptr) return CUDA_ERROR_INVALID_VALUE;
    std::vector<GraphNode*> all;
    for (const auto& node : graph.nodes()) all.push_back(node.get());
    give_nodes(all, nodes, count);
    return CUDA_SUCCESS;
  });
}

CUresult cuGraphGetRootNodes(CUgraph handle, CUgraphNode* nodes, size_t* count) {
  return with_graph(handle, [&](Platform&, Graph& graph) -> CUresult {
    if (count == nullptr) return CUDA_ERROR_INVALID_VALUE;
    std::vector<GraphNode*> roots;
    for (const auto& node : graph.nodes()) {
      if (node->dependencies.empty()) roots.push_back(node.get());
    }
    give_nodes(roots, nodes, count);
    return CUDA_SUCCESS;
  });
}

CUresult cuGraphGetEdges_v2(CUgraph handle, CUgraphNode* from, CUgraphNode* to, CUgraphEdgeData* data,
                            size_t* count) {
  return with_graph(handle, [&](Platform&, Graph& graph) -> CUresult {
    if (count == nullptr || (from == nullptr) != (to == nullptr)) return CUDA_ERROR_INVALID_VALUE;
    std::vector<GraphNode*> sources;
    std::vector<GraphNode*> targets;
    for (const auto& node : graph.nodes()) {
      for (GraphNode* dependency : node->dependencies) {
        sources.push_back(dependency);
        targets.push_back(node.get());
      }
    }
    size_t other_count = *count;
    if (data != nullptr) std::fill_n(data, *count, CUgraphEdgeData{});
    give_nodes(sources, from, count);
    give_nodes(targets, to, &other_count);
    return CUDA_SUCCESS;
  });
}
CUresult cuGraphGetEdges(CUgraph graph, CUgraphNode* from, CUgraphNode* to, size_t* count) {
  return cuGraphGetEdges_v2(graph, from, to, nullptr, count);
}

CUresult cuGraphNodeGetDependencies_v2(CUgraphNode handle, CUgraphNode* nodes, CUgraphEdgeData* data,
                                       size_t* count) {
  return with_node(handle, [&](Platform&, GraphNode& node) -> CUresult {
    if (count == nullptr) return CUDA_ERROR_INVALID_VALUE;
    if (data != nullptr && nodes != nullptr) std::fill_n(data, *count, CUgraphEdgeData{});
    give_nodes(node.dependencies, nodes, count);
    return CUDA_SUCCESS;
  });
}
CUresult cuGraphNodeGetDependencies(CUgraphNode node, CUgraphNode* nodes, size_t* count) {
  return cuGraphNodeGetDependencies_v2(node, nodes, nullptr, count);
}

CUresult cuGraphNodeGetDependentNodes_v2(CUgraphNode handle, CUgraphNode* nodes, CUgraphEdgeData* data,
                                         size_t* count) {
  return with_node(handle, [&](Platform&, GraphNode& node) -> CUresult {
    if (count == nullptr) return CUDA_ERROR_INVALID_VALUE;
    if (data != nullptr && nodes != nullptr) std::fill_n(data, *count, CUgraphEdgeData{});
    give_nodes(node.graph->dependents(&node), nodes, count);
    return CUDA_SUCCESS;
  });
}
CUresult cuGraphNodeGetDependentNodes(CUgraphNode node, CUgraphNode* nodes, size_t* count) {
  return cuGraphNodeGetDependentNodes_v2(node, nodes, nullptr, count);
}

CUresult cuGraphAddDependencies_v2(CUgraph handle, const CUgraphNode* from, const CUgraphNode* to,
                                   const CUgraphEdgeData*, size_t count) {
  return with_graph(handle, [&](Platform& platform, Graph& graph) -> CUresult {
    std::vector<Edge> edges;
    if (const CUresult result = find_edges(platform, graph, from, to, count, &edges); result != CUDA_SUCCESS)
      return result;
    if (std::any_of(edges.begin(), edges.end(), has_edge)) return CUDA_ERROR_INVALID_VALUE;
    for (const Edge& edge : edges) edge.to->dependencies.push_back(edge.from);
    return CUDA_SUCCESS;
  });
}
CUresult cuGraphAddDependencies(CUgraph graph, const CUgraphNode* from, const CUgraphNode* to, size_t count) {
  return cuGraphAddDependencies_v2(graph, from, to, nullptr, count);
}

CUresult cuGraphRemoveDependencies_v2(CUgraph handle, const CUgraphNode* from, const CUgraphNode* to,
                                      const CUgraphEdgeData*, size_t count) {
  return with_graph(handle, [&](Platform& platform, Graph& graph) -> CUresult {
    std::vector<Edge> edges;
    if (const CUresult result = find_edges(platform, graph, from, to, count, &edges); result != CUDA_SUCCESS)
      return result;
    if (!std::all_of(edges.begin(), edges.end(), has_edge)) return CUDA_ERROR_INVALID_VALUE;
    for (const Edge& edge : edges) {
      auto& list = edge.to->dependencies;
      list.erase(std::remove(list.begin(), list.end(), edge.from), list.end());
    }
    return CUDA_SUCCESS;
  });
}
CUresult cuGraphRemoveDependencies(CUgraph graph, const CUgraphNode* from, const CUgraphNode* to,
                                   size_t count) {
  return cuGraphRemoveDependencies_v2(graph, from, to, nullptr, count);
}

CUresult cuGraphDebugDotPrint(CUgraph handle, const char* path, unsigned int) {
  return with_graph(handle, [&](Platform&, Graph& graph) -> CUresult {
    std::FILE* file = path == nullptr ? nullptr : std::fopen(path, "w");
    if (file == nullptr) return CUDA_ERROR_INVALID_VALUE;
    std::fprintf(file, "digraph outboard {\n");
    for (const auto& node : graph.nodes()) {
      std::fprintf(file, "  n%u [label=\"type %d\"];\n", static_cast<unsigned>(node->handle()), node->type());
      for (const GraphNode* dependency : node->dependencies) {
        std::fprintf(file, "  n%u -> n%u;\n", static_cast<unsigned>(dependency->handle()),
                     static_cast<unsigned>(node->handle()));
      }
    }
    std::fprintf(file, "}\n");
    return std::fclose(file) == 0 ? CUDA_SUCCESS : CUDA_ERROR_OPERATING_SYSTEM;
  });
}

CUresult cuGraphConditionalHandleCreate(CUgraphConditionalHandle* handle, CUgraph graph_handle,
                                        CUcontext context_handle, unsigned int default_value,
                                        unsigned int flags) {
  return with_graph(graph_handle, [&](Platform& platform, Graph& graph) -> CUresult {
    if (handle == nullptr) return CUDA_ERROR_INVALID_VALUE;
    const auto create = [&](Context& context) -> CUresult {
      uint64_t made = 0;
      const CUresult result = graph.conditions()->create(context, default_value, flags, &made);
      if (result == CUDA_SUCCESS) *handle = made;
      return result;
    };
    if (context_handle == nullptr) return with_context(create);
    const auto context = find<Context>(platform, context_handle);
    return context == nullptr || !context->active() ? CUDA_ERROR_INVALID_CONTEXT : create(*context);
  });
}

CUresult cuUserObjectCreate(CUuserObject* handle, void* pointer, CUhostFn destroy, unsigned int count,
                            unsigned int flags) {
  return with_platform([&](Platform& platform) -> CUresult {
    if (handle == nullptr || destroy == nullptr || flags != CU_USER_OBJECT_NO_DESTRUCTOR_SYNC)
      return CUDA_ERROR_INVALID_VALUE;
    if (count == 0 || count > INT_MAX) return CUDA_ERROR_INVALID_VALUE;
    *handle = reinterpret_cast<CUuserObject>(
        platform.handles().add(std::make_shared<UserObject>(platform.handles(), pointer, destroy, count)));
    return CUDA_SUCCESS;
  });
}

CUresult cuUserObjectRetain(CUuserObject handle, unsigned int count) {
  return with_platform([&](Platform& platform) -> CUresult {
    const auto object = find<UserObject>(platform, handle);
    if (object == nullptr || count == 0 || count > INT_MAX) return CUDA_ERROR_INVALID_VALUE;
    object->retain(count);
    return CUDA_SUCCESS;
  });
}

CUresult cuUserObjectRelease(CUuserObject handle, unsigned int count) {
  return with_platform([&](Platform& platform) -> CUresult {
    const auto object = find<UserObject>(platform, handle);
    if (object == nullptr || count == 0 || count > INT_MAX) return CUDA_ERROR_INVALID_VALUE;
    object->release(count);
    return CUDA_SUCCESS;
  });
}

CUresult cuGraphRetainUserObject(CUgraph graph_handle, CUuserObject handle, unsigned int count,
                                 unsigned int flags) {
  return with_graph(graph_handle, [&](Platform& platform, Graph& graph) -> CUresult {
    const auto object = find<UserObject>(platform, handle);
    if (object == nullptr || count == 0 || count > INT_MAX) return CUDA_ERROR_INVALID_VALUE;
    if ((flags & ~static_cast<unsigned>(CU_GRAPH_USER_OBJECT_MOVE)) != 0) return CUDA_ERROR_INVALID_VALUE;
    if ((flags & CU_GRAPH_USER_OBJECT_MOVE) == 0) object->retain(count);
    graph.retain({object, count});
    return CUDA_SUCCESS;
  });
}

CUresult cuGraphReleaseUserObject(CUgraph graph_handle, CUuserObject handle, unsigned int count) {
  return with_graph(graph_handle, [&](Platform& platform, Graph& graph) -> CUresult {
    const auto object = find<UserObject>(platform, handle);
    return object != nullptr && count != 0 && graph.release(object.get(), count) ? CUDA_SUCCESS
                                                                                 : CUDA_ERROR_INVALID_VALUE;
  });
}

}  // extern "C"
