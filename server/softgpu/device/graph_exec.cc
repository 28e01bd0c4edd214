#include <algorithm>
#include <span>

#include "server/softgpu/device/context.h"
#include "server/softgpu/device/graph.h"
#include "server/softgpu/device/note.h"
#include "server/softgpu/device/shared_state.h"

namespace outboard::softgpu {
namespace {

using Step = GraphExec::Step;

// Steps run one after the other: a kernel uses all cores by itself, so side branches of a graph
// gain nothing from running beside it.
class GraphWork final : public Work {
 public:
  GraphWork(std::shared_ptr<Context> context, std::shared_ptr<GreenContext> green, std::vector<Step> steps,
            std::shared_ptr<ConditionSet> conditions,
            std::shared_ptr<const std::vector<UserReferences>> retained,
            std::vector<std::shared_ptr<std::atomic<uint64_t>>> record_times,
            std::vector<std::shared_ptr<SharedRecording>> recordings)
      : context_(std::move(context)),
        green_(std::move(green)),
        steps_(std::move(steps)),
        conditions_(std::move(conditions)),
        retained_(std::move(retained)),
        record_times_(std::move(record_times)),
        recordings_(std::move(recordings)) {}

  CUresult run(std::string& message) override {
    std::unique_lock lock(conditions_->launch_mutex, std::defer_lock);
    if (!conditions_->empty()) lock.lock();
    conditions_->begin_launch();
    const CUresult result = run_steps(steps_, message);
    if (result != CUDA_SUCCESS && !message.empty()) note(message);
    return result;
  }

 private:
  CUresult run_steps(const std::vector<Step>& steps, std::string& message) {
    for (const Step& step : steps) {
      if (!step.enabled) continue;
      if (std::holds_alternative<EventRecordOperation>(step.operation))
        record_times_[record_++]->store(monotonic_ns());
      const auto* conditional = std::get_if<ConditionalOperation>(&step.operation);
      const CUresult result = conditional == nullptr
                                  ? execute(step.operation, *context_, green_.get(), message)
                                  : run_bodies(*conditional, step.bodies, message);
      if (result != CUDA_SUCCESS) return result;
    }
    return CUDA_SUCCESS;
  }

  CUresult run_bodies(const ConditionalOperation& conditional, const std::vector<std::vector<Step>>& bodies,
                      std::string& message) {
    const unsigned value = conditional.condition->value();
    switch (conditional.type) {
      case CU_GRAPH_COND_TYPE_IF:
        if (value != 0) return run_steps(bodies[0], message);
        return bodies.size() > 1 ? run_steps(bodies[1], message) : CUDA_SUCCESS;
      case CU_GRAPH_COND_TYPE_WHILE:
        while (conditional.condition->value() != 0) {
          if (const CUresult result = run_steps(bodies[0], message); result != CUDA_SUCCESS) return result;
        }
        return CUDA_SUCCESS;
      default: return value < bodies.size() ? run_steps(bodies[value], message) : CUDA_SUCCESS;
    }
  }

  std::shared_ptr<Context> context_;
  std::shared_ptr<GreenContext> green_;  // of the stream that it was launched in
  std::vector<Step> steps_;
  std::shared_ptr<ConditionSet> conditions_;
  std::shared_ptr<const std::vector<UserReferences>> retained_;       // what host functions rely on
  std::vector<std::shared_ptr<std::atomic<uint64_t>>> record_times_;  // of the event records, in order
  std::vector<std::shared_ptr<SharedRecording>> recordings_;          // of those that processes share
  size_t record_ = 0;
};

// What the bodies of conditional nodes may contain.
bool allowed_in_body(const Operation& operation) {
  return std::holds_alternative<EmptyOperation>(operation) ||
         std::holds_alternative<KernelOperation>(operation) ||
         std::holds_alternative<CopyOperation>(operation) ||
         std::holds_alternative<MemsetOperation>(operation) ||
         std::holds_alternative<ChildGraphOperation>(operation) ||
         std::holds_alternative<ConditionalOperation>(operation);
}

// Child graphs become part of their parent.
CUgraphInstantiateResult flatten(const Graph& graph, bool in_body, std::vector<Step>* steps) {
  const std::vector<GraphNode*> order = graph.ordered();
  if (order.size() != graph.nodes().size()) return CUDA_GRAPH_INSTANTIATE_INVALID_STRUCTURE;
  for (const GraphNode* node : order) {
    if (in_body && !allowed_in_body(node->operation)) return CUDA_GRAPH_INSTANTIATE_INVALID_STRUCTURE;
    CUgraphInstantiateResult result = CUDA_GRAPH_INSTANTIATE_SUCCESS;
    if (const auto* child = std::get_if<ChildGraphOperation>(&node->operation)) {
      const size_t at = steps->size();
      steps->push_back({node->handle(), EmptyOperation{}, true, {}, 0});
      result = flatten(*child->graph, in_body, steps);
      (*steps)[at].child_steps = steps->size() - at - 1;
    } else {
      steps->push_back({node->handle(), node->operation, true, {}, 0});
    }
    if (const auto* conditional = std::get_if<ConditionalOperation>(&node->operation)) {
      auto& bodies = steps->back().bodies;
      bodies.resize(conditional->bodies.size());
      for (size_t i = 0; i < bodies.size() && result == CUDA_GRAPH_INSTANTIATE_SUCCESS; ++i)
        result = flatten(*conditional->bodies[i], true, &bodies[i]);
    }
    if (result != CUDA_GRAPH_INSTANTIATE_SUCCESS) return result;
  }
  return CUDA_GRAPH_INSTANTIATE_SUCCESS;
}

// Whether the same kinds of work on the same kinds of objects stand there, so that `next` may replace `now`.
CUgraphExecUpdateResult compare(std::span<const Step> now, std::span<const Step> next,
                                uint64_t* differing_node) {
  *differing_node = 0;
  if (next.size() != now.size()) return CU_GRAPH_EXEC_UPDATE_ERROR_TOPOLOGY_CHANGED;
  for (size_t i = 0; i < next.size(); ++i) {
    *differing_node = next[i].node;
    if (now[i].operation.index() != next[i].operation.index())
      return CU_GRAPH_EXEC_UPDATE_ERROR_NODE_TYPE_CHANGED;
    const auto* conditional = std::get_if<ConditionalOperation>(&now[i].operation);
    if (conditional == nullptr) continue;
    const bool same = conditional->type == std::get<ConditionalOperation>(next[i].operation).type &&
                      now[i].bodies.size() == next[i].bodies.size();
    if (!same) return CU_GRAPH_EXEC_UPDATE_ERROR_PARAMETERS_CHANGED;
    for (size_t body = 0; body < now[i].bodies.size(); ++body) {
      const auto result = compare(now[i].bodies[body], next[i].bodies[body], differing_node);
      if (result != CU_GRAPH_EXEC_UPDATE_SUCCESS) return result;
    }
  }
  *differing_node = 0;
  return CU_GRAPH_EXEC_UPDATE_SUCCESS;
}

// The handles stay those of the graph that the application instantiated.
void replace_operations(std::span<Step> now, std::vector<Step>&& next) {
  for (size_t i = 0; i < next.size(); ++i) {
    now[i].operation = std::move(next[i].operation);
    for (size_t body = 0; body < now[i].bodies.size(); ++body)
      replace_operations(now[i].bodies[body], std::move(next[i].bodies[body]));
  }
}

Step* find_step(std::vector<Step>& steps, uint64_t node) {
  for (Step& step : steps) {
    if (step.node == node) return &step;
    for (auto& body : step.bodies) {
      if (Step* found = find_step(body, node); found != nullptr) return found;
    }
  }
  return nullptr;
}

void collect_retained(const Graph& graph, std::vector<UserReferences>* all) {
  all->insert(all->end(), graph.retained().begin(), graph.retained().end());
  for (const auto& node : graph.nodes()) {
    if (const auto* child = std::get_if<ChildGraphOperation>(&node->operation)) {
      collect_retained(*child->graph, all);
    } else if (const auto* conditional = std::get_if<ConditionalOperation>(&node->operation)) {
      for (const auto& body : conditional->bodies) collect_retained(*body, all);
    }
  }
}

std::shared_ptr<const std::vector<UserReferences>> retained_by(const Graph& graph) {
  auto all = std::make_shared<std::vector<UserReferences>>();
  collect_retained(graph, all.get());
  return all;
}

}  // namespace

CUgraphInstantiateResult GraphExec::create(const Graph& graph, uint64_t flags,
                                           std::shared_ptr<GraphExec>* made) {
  const auto& conditions = graph.conditions();
  if (!conditions->all_taken()) return CUDA_GRAPH_INSTANTIATE_CONDITIONAL_HANDLE_UNUSED;
  if (!conditions->empty() && !conditions->exec.expired()) return CUDA_GRAPH_INSTANTIATE_ERROR;
  auto exec = std::make_shared<GraphExec>();
  exec->flags_ = flags;
  exec->retained_ = retained_by(graph);
  exec->conditions_ = conditions;
  const CUgraphInstantiateResult result = flatten(graph, false, &exec->steps_);
  if (result != CUDA_GRAPH_INSTANTIATE_SUCCESS) return result;
  conditions->exec = exec;
  *made = std::move(exec);
  return result;
}

GraphExec::Step* GraphExec::find(uint64_t node) { return find_step(steps_, node); }

bool GraphExec::update(const Graph& graph, uint64_t* differing_node, CUgraphExecUpdateResult* why) {
  std::vector<Step> next;
  *differing_node = 0;
  *why = CU_GRAPH_EXEC_UPDATE_ERROR_TOPOLOGY_CHANGED;
  if (flatten(graph, false, &next) != CUDA_GRAPH_INSTANTIATE_SUCCESS) return false;
  std::lock_guard lock(mutex_);
  *why = compare(steps_, next, differing_node);
  if (*why != CU_GRAPH_EXEC_UPDATE_SUCCESS) return false;
  replace_operations(steps_, std::move(next));
  conditions_ = graph.conditions();
  retained_ = retained_by(graph);
  return true;
}

bool GraphExec::update_child(uint64_t node, const Graph& child) {
  std::vector<Step> next;
  if (flatten(child, false, &next) != CUDA_GRAPH_INSTANTIATE_SUCCESS) return false;
  std::lock_guard lock(mutex_);
  const auto at = std::find_if(steps_.begin(), steps_.end(), [&](const Step& s) { return s.node == node; });
  if (at == steps_.end() || at->child_steps != next.size()) return false;
  const std::span<Step> now(&*at + 1, next.size());
  uint64_t differing = 0;
  if (compare(now, next, &differing) != CU_GRAPH_EXEC_UPDATE_SUCCESS) return false;
  replace_operations(now, std::move(next));
  // What the graph had before may still be named by other steps, so it stays.
  auto all = std::make_shared<std::vector<UserReferences>>(*retained_);
  collect_retained(child, all.get());
  retained_ = std::move(all);
  return true;
}

std::shared_ptr<Graph> GraphExec::as_graph(HandleTable& handles) {
  auto graph = std::make_shared<Graph>(handles);
  std::vector<GraphNode*> before;
  std::lock_guard lock(mutex_);
  for (const Step& step : steps_) {
    if (std::holds_alternative<ConditionalOperation>(step.operation)) return nullptr;
    if (!step.enabled) continue;
    before = {graph->add(step.operation, before).get()};
  }
  for (const UserReferences& references : *retained_) graph->retain(references);
  return graph;
}

CUresult GraphExec::launch(Context& context, const std::shared_ptr<Stream>& stream) {
  std::vector<Step> steps;
  std::shared_ptr<ConditionSet> conditions;
  std::shared_ptr<const std::vector<UserReferences>> retained;
  std::vector<std::shared_ptr<std::atomic<uint64_t>>> times;
  std::vector<std::shared_ptr<Event>> recorded;
  std::vector<EventRecord> waits;
  std::vector<std::shared_ptr<SharedRecording>> recordings;
  {
    std::lock_guard lock(mutex_);
    for (const Step& step : steps_) {
      if (!step.enabled || std::holds_alternative<EmptyOperation>(step.operation)) continue;
      if (const auto* wait = std::get_if<EventWaitOperation>(&step.operation)) {
        EventRecord record = wait->event->record();
        if (!record.reached()) waits.push_back(std::move(record));
        continue;
      }
      if (const auto* record = std::get_if<EventRecordOperation>(&step.operation)) {
        recorded.push_back(record->event);
        times.push_back(std::make_shared<std::atomic<uint64_t>>(0));
        const auto& shared = record->event->shared();
        recordings.push_back(shared == nullptr ? nullptr : std::make_shared<SharedRecording>(shared));
      }
      steps.push_back(step);
    }
    conditions = conditions_;
    retained = retained_;
  }
  for (const EventRecord& record : waits) context.wait_record(stream, record);
  const Point done = context.enqueue(
      stream, std::make_unique<GraphWork>(context.shared_from_this(), stream->green(), std::move(steps),
                                          std::move(conditions), std::move(retained), times, recordings));
  for (size_t i = 0; i < recorded.size(); ++i) {
    const uint32_t number = recordings[i] == nullptr ? 0 : recordings[i]->number();
    recorded[i]->set_record({done, times[i], nullptr, number});
  }
  return CUDA_SUCCESS;
}

}  // namespace outboard::softgpu
