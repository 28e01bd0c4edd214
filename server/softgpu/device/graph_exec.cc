#include <algorithm>

#include "server/softgpu/device/context.h"
#include "server/softgpu/device/graph.h"
#include "server/softgpu/device/note.h"
#include "server/softgpu/device/shared_state.h"

namespace outboard::softgpu {
namespace {

// Steps run one after the other: a kernel uses all cores by itself, so side branches of a graph
// gain nothing from running beside it.
class GraphWork final : public Work {
 public:
  GraphWork(std::shared_ptr<Context> context, std::vector<Operation> operations,
            std::vector<std::shared_ptr<std::atomic<uint64_t>>> record_times)
      : context_(std::move(context)),
        operations_(std::move(operations)),
        record_times_(std::move(record_times)) {}

  CUresult run(std::string& message) override {
    size_t record = 0;
    for (const Operation& operation : operations_) {
      if (std::holds_alternative<EventRecordOperation>(operation))
        record_times_[record++]->store(monotonic_ns());
      const CUresult result = execute(operation, *context_, message);
      if (result == CUDA_SUCCESS) continue;
      if (!message.empty()) note(message);
      return result;
    }
    return CUDA_SUCCESS;
  }

 private:
  std::shared_ptr<Context> context_;
  std::vector<Operation> operations_;
  std::vector<std::shared_ptr<std::atomic<uint64_t>>> record_times_;  // of the event records, in order
};

// Same kind of work on the same kind of object, so that one may replace the other.
CUgraphExecUpdateResult compatible(const Operation& now, const Operation& next) {
  if (now.index() != next.index()) return CU_GRAPH_EXEC_UPDATE_ERROR_NODE_TYPE_CHANGED;
  return CU_GRAPH_EXEC_UPDATE_SUCCESS;
}

}  // namespace

bool GraphExec::flatten(const Graph& graph, std::vector<Step>* steps) {
  const std::vector<GraphNode*> order = graph.ordered();
  if (order.size() != graph.nodes().size()) return false;
  for (const GraphNode* node : order) {
    if (const auto* child = std::get_if<ChildGraphOperation>(&node->operation)) {
      steps->push_back({node->handle(), EmptyOperation{}, true});
      if (!flatten(*child->graph, steps)) return false;
    } else {
      steps->push_back({node->handle(), node->operation, true});
    }
  }
  return true;
}

std::shared_ptr<GraphExec> GraphExec::create(const Graph& graph, uint64_t flags) {
  auto exec = std::make_shared<GraphExec>();
  exec->flags_ = flags;
  exec->retained_ = graph.retained();
  if (!flatten(graph, &exec->steps_)) return nullptr;
  return exec;
}

GraphExec::Step* GraphExec::find(uint64_t node) {
  const auto it =
      std::find_if(steps_.begin(), steps_.end(), [&](const Step& step) { return step.node == node; });
  return it == steps_.end() ? nullptr : &*it;
}

bool GraphExec::update(const Graph& graph, uint64_t* differing_node, CUgraphExecUpdateResult* why) {
  std::vector<Step> next;
  *differing_node = 0;
  *why = CU_GRAPH_EXEC_UPDATE_ERROR_TOPOLOGY_CHANGED;
  if (!flatten(graph, &next)) return false;
  std::lock_guard lock(mutex_);
  if (next.size() != steps_.size()) return false;
  for (size_t i = 0; i < next.size(); ++i) {
    *why = compatible(steps_[i].operation, next[i].operation);
    if (*why == CU_GRAPH_EXEC_UPDATE_SUCCESS) continue;
    *differing_node = next[i].node;
    return false;
  }
  for (size_t i = 0; i < next.size(); ++i) {
    // The handles stay those of the graph that the application instantiated.
    steps_[i].operation = std::move(next[i].operation);
  }
  *why = CU_GRAPH_EXEC_UPDATE_SUCCESS;
  return true;
}

CUresult GraphExec::launch(Context& context, const std::shared_ptr<Stream>& stream) {
  std::vector<Operation> operations;
  std::vector<std::shared_ptr<std::atomic<uint64_t>>> times;
  std::vector<std::shared_ptr<Event>> recorded;
  std::vector<Point> after;
  {
    std::lock_guard lock(mutex_);
    for (const Step& step : steps_) {
      if (!step.enabled || std::holds_alternative<EmptyOperation>(step.operation)) continue;
      if (const auto* wait = std::get_if<EventWaitOperation>(&step.operation)) {
        const EventRecord record = wait->event->record();
        if (!record.point.reached()) after.push_back(record.point);
        continue;
      }
      if (const auto* record = std::get_if<EventRecordOperation>(&step.operation)) {
        recorded.push_back(record->event);
        times.push_back(std::make_shared<std::atomic<uint64_t>>(0));
      }
      operations.push_back(step.operation);
    }
  }
  const Point done = context.enqueue(
      stream, std::make_unique<GraphWork>(context.shared_from_this(), std::move(operations), times),
      std::move(after));
  for (size_t i = 0; i < recorded.size(); ++i) recorded[i]->set_record({done, times[i]});
  return CUDA_SUCCESS;
}

}  // namespace outboard::softgpu
