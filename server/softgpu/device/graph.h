// Graphs: nodes with dependencies, made by hand or by capturing a stream, and their executable form.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "protocol/abi/cuda_abi_gen.h"
#include "server/softgpu/device/condition.h"
#include "server/softgpu/device/object.h"
#include "server/softgpu/device/operation.h"
#include "server/softgpu/device/stream.h"
#include "server/softgpu/device/user_object.h"

namespace outboard::softgpu {

class GraphNode : public Object {
 public:
  static constexpr ObjectKind kKind = ObjectKind::kGraphNode;

  GraphNode(Operation operation, Graph* graph) : operation(std::move(operation)), graph(graph) {}
  CUgraphNodeType type() const;

  Operation operation;
  Graph* graph;                          // owner; null once the node is destroyed
  std::vector<GraphNode*> dependencies;  // nodes of the same graph
  std::vector<void*> param_pointers;     // of a kernel node, for who asks for its parameters
};

using NodeList = std::vector<std::shared_ptr<GraphNode>>;

// Not safe for several threads at once, as CUDA says of graphs.
class Graph : public Object {
 public:
  static constexpr ObjectKind kKind = ObjectKind::kGraph;

  explicit Graph(HandleTable& handles) : Graph(handles, std::make_shared<ConditionSet>()) {}
  // The body of a conditional node: it shares the conditions of the graph that it is part of.
  Graph(HandleTable& handles, std::shared_ptr<ConditionSet> conditions)
      : handles_(handles), conditions_(std::move(conditions)) {}
  ~Graph() override;

  // Dependencies must be nodes of this graph, without repetition. The node gets a handle.
  std::shared_ptr<GraphNode> add(Operation operation, const std::vector<GraphNode*>& dependencies);
  void remove(GraphNode* node);
  bool owns(const GraphNode* node) const { return node->graph == this; }
  const NodeList& nodes() const { return nodes_; }
  // A copy with nodes in the same order. Child graphs are copied too. Not for graphs with conditions.
  std::shared_ptr<Graph> clone() const;
  // Dependencies first. Empty when there is a cycle.
  std::vector<GraphNode*> ordered() const;
  std::vector<GraphNode*> dependents(const GraphNode* node) const;

  // Keeps objects of the application alive as long as the graph.
  void retain(UserReferences references) { retained_.push_back(std::move(references)); }
  // False if it does not hold that many.
  bool release(const UserObject* object, unsigned count);

  const std::shared_ptr<ConditionSet>& conditions() const { return conditions_; }

  // From which node of which graph each node was cloned, for cuGraphNodeFindInClone.
  const std::map<uint64_t, uint64_t>& origins() const { return origins_; }
  const std::vector<UserReferences>& retained() const { return retained_; }

 private:
  // The graphs inside the node go with it, although the application knows their handles.
  void drop_inner_graphs(const GraphNode& node);

  HandleTable& handles_;
  const std::shared_ptr<ConditionSet> conditions_;
  NodeList nodes_;
  std::vector<UserReferences> retained_;
  std::map<uint64_t, uint64_t> origins_;  // original node's handle -> own node's handle
};

// An immutable shape with replaceable operations.
class GraphExec : public Object {
 public:
  static constexpr ObjectKind kKind = ObjectKind::kGraphExec;

  struct Step {
    uint64_t node = 0;  // handle of the node that it was made from
    Operation operation;
    bool enabled = true;
    std::vector<std::vector<Step>> bodies;  // of a conditional operation
    size_t child_steps = 0;                 // of a child graph, which follow it
  };

  static CUgraphInstantiateResult create(const Graph& graph, uint64_t flags,
                                         std::shared_ptr<GraphExec>* made);
  // One launch: all steps in dependency order, as one piece of the stream's work.
  CUresult launch(Context& context, const std::shared_ptr<Stream>& stream);
  // Takes over the operations of a graph of the same shape; false, and the first node that differs,
  // if it is not.
  bool update(const Graph& graph, uint64_t* differing_node, CUgraphExecUpdateResult* why);
  // The same for the steps of a child graph's node.
  bool update_child(uint64_t node, const Graph& child);
  // What a launch does, as a graph: for launches into a stream that captures. Null with conditions.
  std::shared_ptr<Graph> as_graph(HandleTable& handles);
  // Null if no step was made from that node.
  Step* find(uint64_t node);
  uint64_t flags() const { return flags_; }
  std::mutex& mutex() { return mutex_; }

 private:
  std::mutex mutex_;  // guards steps_ and conditions_ between launches and updates
  std::vector<Step> steps_;
  std::shared_ptr<ConditionSet> conditions_;
  std::shared_ptr<const std::vector<UserReferences>> retained_;  // of the graph and those inside it
  uint64_t flags_ = 0;
};

// A capture in progress. One mutex for all of its streams.
class Capture {
 public:
  Capture(std::shared_ptr<Graph> graph, std::shared_ptr<Stream> origin, CUstreamCaptureMode mode, uint64_t id,
          bool into_given_graph)
      : graph_(std::move(graph)),
        origin_(std::move(origin)),
        mode_(mode),
        id_(id),
        into_given_graph_(into_given_graph),
        thread_(std::this_thread::get_id()) {}

  // Adds what was queued in a stream of this capture.
  CUresult add(Stream& stream, Operation operation);
  // A stream that waits for an event recorded in the capture takes part in it.
  void join(const std::shared_ptr<Stream>& stream, const NodeList& nodes);
  NodeList position(const Stream& stream);
  void set_position(const Stream& stream, NodeList nodes, bool append);
  // Takes all streams out of the capture. CUDA_ERROR_STREAM_CAPTURE_UNJOINED if work of another
  // stream does not lead back to the origin, CUDA_ERROR_STREAM_CAPTURE_INVALIDATED if it was spoilt.
  CUresult end();

  void invalidate() { invalidated_.store(true); }
  bool invalidated() const { return invalidated_.load(); }
  const std::shared_ptr<Graph>& graph() const { return graph_; }
  const std::shared_ptr<Stream>& origin() const { return origin_; }
  CUstreamCaptureMode mode() const { return mode_; }
  std::thread::id thread() const { return thread_; }
  uint64_t id() const { return id_; }
  // cuStreamBeginCaptureToGraph: the graph was there before and stays.
  bool into_given_graph() const { return into_given_graph_; }

 private:
  struct Member {
    std::shared_ptr<Stream> stream;
    NodeList position;  // what the stream's next node depends on
  };
  Member* member_locked(const Stream& stream);

  const std::shared_ptr<Graph> graph_;
  const std::shared_ptr<Stream> origin_;
  const CUstreamCaptureMode mode_;
  const uint64_t id_;
  const bool into_given_graph_;
  const std::thread::id thread_;
  std::atomic<bool> invalidated_{false};
  std::mutex mutex_;
  std::vector<Member> members_;
};

}  // namespace outboard::softgpu
