#include "server/softgpu/ptx/cfg.h"

#include <algorithm>

namespace outboard::softgpu::ptx {
namespace {

// Beyond this nesting of loops the order is just the text's: slower reconvergence, still correct.
constexpr uint32_t kMaxLoopDepth = 64;

class Orderer {
 public:
  explicit Orderer(const IrFunction& function)
      : function_(function), region_(function.blocks.size(), 0), state_(function.blocks.size()) {}

  std::vector<uint32_t> run() {
    std::vector<uint32_t> nodes = reachable();
    order(nodes, 0, 0);
    return std::move(order_);
  }

 private:
  struct State {
    uint32_t index = 0, low = 0;
    uint32_t epoch = 0;  // `index` is valid for the current search only
    bool on_stack = false;
  };
  struct Frame {
    uint32_t block;
    size_t next;
  };

  uint32_t text_position(uint32_t block) const { return function_.blocks[block].first; }

  std::vector<uint32_t> reachable() {
    std::vector<uint32_t> nodes, stack{0};
    std::vector<bool> seen(function_.blocks.size());
    seen[0] = true;
    while (!stack.empty()) {
      uint32_t block = stack.back();
      stack.pop_back();
      nodes.push_back(block);
      for (uint32_t next : function_.blocks[block].successors) {
        if (!seen[next]) {
          seen[next] = true;
          stack.push_back(next);
        }
      }
    }
    return nodes;
  }

  // Appends `nodes`, all reachable from `header` among themselves; edges to the header are ignored.
  void order(std::vector<uint32_t>& nodes, uint32_t header, uint32_t depth) {
    if (depth == kMaxLoopDepth) {
      std::sort(nodes.begin(), nodes.end(),
                [&](uint32_t a, uint32_t b) { return text_position(a) < text_position(b); });
      order_.insert(order_.end(), nodes.begin(), nodes.end());
      return;
    }
    uint32_t region = ++regions_;
    for (uint32_t node : nodes) region_[node] = region;
    std::vector<std::vector<uint32_t>> components;
    search(header, region, header, components);
    // Tarjan's algorithm gives the components last first.
    for (auto component = components.rbegin(); component != components.rend(); ++component) {
      if (component->size() == 1) {
        order_.push_back(component->front());
        continue;
      }
      order(*component, loop_header(*component, region), depth + 1);
    }
  }

  // The first block in the text that is entered from outside the loop, or simply the first.
  uint32_t loop_header(const std::vector<uint32_t>& loop, uint32_t region) {
    uint32_t mark = ++regions_;
    for (uint32_t node : loop) region_[node] = mark;
    uint32_t best = loop.front();
    bool best_entered = false;
    for (uint32_t node : loop) {
      bool entered = entered_[node] == region;
      if (std::pair(!entered, text_position(node)) < std::pair(!best_entered, text_position(best))) {
        best = node;
        best_entered = entered;
      }
    }
    return best;
  }

  void search(uint32_t root, uint32_t region, uint32_t header,
              std::vector<std::vector<uint32_t>>& components) {
    ++epoch_;
    uint32_t counter = 0;
    std::vector<uint32_t> stack;
    std::vector<Frame> frames;
    component_of_.resize(function_.blocks.size());
    entered_.resize(function_.blocks.size());
    auto enter = [&](uint32_t block) {
      state_[block] = {counter, counter, epoch_, true};
      ++counter;
      stack.push_back(block);
      frames.push_back({block, 0});
    };
    enter(root);
    while (!frames.empty()) {
      Frame& frame = frames.back();
      const std::vector<uint32_t>& successors = function_.blocks[frame.block].successors;
      if (frame.next < successors.size()) {
        // The successor that is last in the text is visited first and so ends up last.
        uint32_t next = later_first(successors, frame.next++);
        if (region_[next] != region || next == header) continue;
        if (state_[next].epoch != epoch_) {
          enter(next);
        } else if (state_[next].on_stack) {
          state_[frame.block].low = std::min(state_[frame.block].low, state_[next].index);
        }
        continue;
      }
      uint32_t block = frame.block;
      frames.pop_back();
      if (!frames.empty())
        state_[frames.back().block].low = std::min(state_[frames.back().block].low, state_[block].low);
      if (state_[block].low != state_[block].index) continue;
      components.emplace_back();
      uint32_t member;
      do {
        member = stack.back();
        stack.pop_back();
        state_[member].on_stack = false;
        component_of_[member] = static_cast<uint32_t>(components.size());
        components.back().push_back(member);
      } while (member != block);
    }
    // Which blocks have a predecessor in another component of this region?
    for (const auto& component : components) {
      for (uint32_t block : component) {
        for (uint32_t next : function_.blocks[block].successors) {
          if (region_[next] == region && component_of_[next] != component_of_[block]) entered_[next] = region;
        }
      }
    }
  }

  uint32_t later_first(const std::vector<uint32_t>& successors, size_t rank) {
    if (successors.size() == 1) return successors[0];
    if (successors.size() == 2) {
      bool swap = text_position(successors[0]) < text_position(successors[1]);
      return successors[rank == 0 ? (swap ? 1 : 0) : (swap ? 0 : 1)];
    }
    return successors[successors.size() - 1 - rank];
  }

  const IrFunction& function_;
  std::vector<uint32_t> region_;
  std::vector<State> state_;
  std::vector<uint32_t> component_of_;
  std::vector<uint32_t> entered_;
  uint32_t regions_ = 0;
  uint32_t epoch_ = 0;
  std::vector<uint32_t> order_;
};

}  // namespace

std::vector<uint32_t> order_blocks(const IrFunction& function) { return Orderer(function).run(); }

}  // namespace outboard::softgpu::ptx
