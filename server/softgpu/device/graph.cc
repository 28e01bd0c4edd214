#include "server/softgpu/device/graph.h"

#include <algorithm>

namespace outboard::softgpu {
namespace {

template <class... T>
struct Overloaded : T... {
  using T::operator()...;
};
template <class... T>
Overloaded(T...) -> Overloaded<T...>;

}  // namespace

CUgraphNodeType GraphNode::type() const {
  return std::visit(Overloaded{
                        [](const EmptyOperation&) { return CU_GRAPH_NODE_TYPE_EMPTY; },
                        [](const KernelOperation&) { return CU_GRAPH_NODE_TYPE_KERNEL; },
                        [](const CopyOperation&) { return CU_GRAPH_NODE_TYPE_MEMCPY; },
                        [](const MemsetOperation&) { return CU_GRAPH_NODE_TYPE_MEMSET; },
                        [](const HostOperation&) { return CU_GRAPH_NODE_TYPE_HOST; },
                        [](const EventRecordOperation&) { return CU_GRAPH_NODE_TYPE_EVENT_RECORD; },
                        [](const EventWaitOperation&) { return CU_GRAPH_NODE_TYPE_WAIT_EVENT; },
                        [](const AllocateOperation&) { return CU_GRAPH_NODE_TYPE_MEM_ALLOC; },
                        [](const FreeOperation&) { return CU_GRAPH_NODE_TYPE_MEM_FREE; },
                        [](const BatchOperation&) { return CU_GRAPH_NODE_TYPE_BATCH_MEM_OP; },
                        [](const ChildGraphOperation&) { return CU_GRAPH_NODE_TYPE_GRAPH; },
                        [](const ConditionalOperation&) { return CU_GRAPH_NODE_TYPE_CONDITIONAL; },
                    },
                    operation);
}

Graph::~Graph() {
  for (const auto& node : nodes_) {
    node->graph = nullptr;
    handles_.remove<GraphNode>(node->handle());
    drop_inner_graphs(*node);
  }
}

void Graph::drop_inner_graphs(const GraphNode& node) {
  if (const auto* child = std::get_if<ChildGraphOperation>(&node.operation)) {
    handles_.remove<Graph>(child->graph->handle());
  } else if (const auto* conditional = std::get_if<ConditionalOperation>(&node.operation)) {
    for (const auto& body : conditional->bodies) handles_.remove<Graph>(body->handle());
  }
}

std::shared_ptr<GraphNode> Graph::add(Operation operation, const std::vector<GraphNode*>& dependencies) {
  auto node = std::make_shared<GraphNode>(std::move(operation), this);
  node->dependencies = dependencies;
  handles_.add(node);
  nodes_.push_back(node);
  return node;
}

void Graph::remove(GraphNode* node) {
  for (const auto& other : nodes_) {
    auto& list = other->dependencies;
    list.erase(std::remove(list.begin(), list.end(), node), list.end());
  }
  const auto it = std::find_if(nodes_.begin(), nodes_.end(), [&](const auto& n) { return n.get() == node; });
  if (it == nodes_.end()) return;
  node->graph = nullptr;
  handles_.remove<GraphNode>(node->handle());
  drop_inner_graphs(*node);
  nodes_.erase(it);
}

bool Graph::release(const UserObject* object, unsigned count) {
  uint64_t held = 0;
  for (const UserReferences& references : retained_) {
    if (references.object() == object) held += references.count();
  }
  if (held < count) return false;
  for (auto it = retained_.begin(); count != 0; ++it) {
    if (it->object() != object) continue;
    const unsigned part = std::min(count, it->count());
    it->give_up(part);
    count -= part;
  }
  std::erase_if(retained_, [](const UserReferences& references) { return references.count() == 0; });
  return true;
}

std::shared_ptr<Graph> Graph::clone() const {
  auto copy = std::make_shared<Graph>(handles_);
  copy->retained_ = retained_;
  std::map<const GraphNode*, GraphNode*> twins;
  for (const auto& node : nodes_) {
    Operation operation = node->operation;
    if (auto* child = std::get_if<ChildGraphOperation>(&operation)) {
      child->graph = child->graph->clone();
      handles_.add(child->graph);
    }
    const auto twin = copy->add(std::move(operation), {});
    twins.emplace(node.get(), twin.get());
    copy->origins_.emplace(node->handle(), twin->handle());
  }
  for (const auto& node : nodes_) {
    for (const GraphNode* dependency : node->dependencies) {
      twins.at(node.get())->dependencies.push_back(twins.at(dependency));
    }
  }
  return copy;
}

std::vector<GraphNode*> Graph::dependents(const GraphNode* node) const {
  std::vector<GraphNode*> found;
  for (const auto& other : nodes_) {
    const auto& list = other->dependencies;
    if (std::find(list.begin(), list.end(), node) != list.end()) found.push_back(other.get());
  }
  return found;
}

std::vector<GraphNode*> Graph::ordered() const {
  std::map<const GraphNode*, size_t> missing;
  std::map<const GraphNode*, std::vector<GraphNode*>> next;
  std::vector<GraphNode*> order;
  order.reserve(nodes_.size());
  for (const auto& node : nodes_) {
    missing[node.get()] = node->dependencies.size();
    for (GraphNode* dependency : node->dependencies) next[dependency].push_back(node.get());
    if (node->dependencies.empty()) order.push_back(node.get());
  }
  for (size_t i = 0; i < order.size(); ++i) {
    for (GraphNode* follower : next[order[i]]) {
      if (--missing[follower] == 0) order.push_back(follower);
    }
  }
  if (order.size() != nodes_.size()) order.clear();
  return order;
}

}  // namespace outboard::softgpu
