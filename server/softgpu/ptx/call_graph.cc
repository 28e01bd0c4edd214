#include "server/softgpu/ptx/call_graph.h"

#include <algorithm>

namespace outboard::softgpu::ptx {
namespace {

// Tarjan's strongly connected components, without recursion; they come callees first.
class Components {
 public:
  Components(CallGraph& graph, size_t count)
      : graph_(graph), index_(count, kNoIndex), low_(count), on_stack_(count) {
    graph_.component.assign(count, kNoIndex);
    graph_.recursive.assign(count, false);
  }

  void visit(uint32_t root) {
    if (index_[root] != kNoIndex) return;
    enter(root);
    while (!frames_.empty()) {
      auto& [function, next] = frames_.back();
      if (next < graph_.callees[function].size()) {
        uint32_t callee = graph_.callees[function][next++];
        if (callee == function) graph_.recursive[function] = true;
        if (index_[callee] == kNoIndex)
          enter(callee);
        else if (on_stack_[callee])
          low_[function] = std::min(low_[function], index_[callee]);
        continue;
      }
      uint32_t done = function;
      frames_.pop_back();
      if (!frames_.empty()) low_[frames_.back().first] = std::min(low_[frames_.back().first], low_[done]);
      if (low_[done] == index_[done]) close(done);
    }
  }

 private:
  void enter(uint32_t function) {
    index_[function] = low_[function] = counter_++;
    on_stack_[function] = true;
    stack_.push_back(function);
    frames_.push_back({function, 0});
  }

  void close(uint32_t root) {
    size_t first = graph_.order.size();
    uint32_t member;
    do {
      member = stack_.back();
      stack_.pop_back();
      on_stack_[member] = false;
      graph_.component[member] = components_;
      graph_.order.push_back(member);
    } while (member != root);
    ++components_;
    if (graph_.order.size() - first < 2) return;
    for (size_t i = first; i < graph_.order.size(); ++i) graph_.recursive[graph_.order[i]] = true;
  }

  CallGraph& graph_;
  std::vector<uint32_t> index_, low_;
  std::vector<bool> on_stack_;
  std::vector<uint32_t> stack_;
  std::vector<std::pair<uint32_t, size_t>> frames_;
  uint32_t counter_ = 0;
  uint32_t components_ = 0;
};

}  // namespace

CallGraph build_call_graph(const std::vector<IrFunction>& functions, const std::vector<bool>& defined,
                           const std::vector<uint32_t>& in_memory) {
  CallGraph graph;
  std::vector<uint32_t> indirect = in_memory;
  for (const IrFunction& function : functions) {
    indirect.insert(indirect.end(), function.address_taken.begin(), function.address_taken.end());
  }
  std::sort(indirect.begin(), indirect.end());
  indirect.erase(std::unique(indirect.begin(), indirect.end()), indirect.end());
  std::erase_if(indirect, [&](uint32_t index) { return !defined[index]; });
  graph.callees.resize(functions.size());
  for (size_t i = 0; i < functions.size(); ++i) {
    std::vector<uint32_t>& callees = graph.callees[i];
    callees = functions[i].callees;
    if (functions[i].calls_indirectly) callees.insert(callees.end(), indirect.begin(), indirect.end());
    std::sort(callees.begin(), callees.end());
    callees.erase(std::unique(callees.begin(), callees.end()), callees.end());
    std::erase_if(callees, [&](uint32_t index) { return !defined[index]; });
  }
  Components components(graph, functions.size());
  for (uint32_t i = 0; i < functions.size(); ++i) {
    if (defined[i]) components.visit(i);
  }
  return graph;
}

std::vector<uint32_t> reachable_functions(const CallGraph& graph, uint32_t function) {
  std::vector<uint32_t> found{function};
  std::vector<bool> seen;
  seen.assign(graph.callees.size(), false);
  seen[function] = true;
  for (size_t i = 0; i < found.size(); ++i) {
    for (uint32_t callee : graph.callees[found[i]]) {
      if (!seen[callee]) {
        seen[callee] = true;
        found.push_back(callee);
      }
    }
  }
  return found;
}

}  // namespace outboard::softgpu::ptx
