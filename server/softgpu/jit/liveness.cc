#include "server/softgpu/jit/liveness.h"

#include <algorithm>

#include "server/softgpu/jit/code.h"
#include "server/softgpu/jit/semantics.h"

namespace outboard::softgpu::jit {
namespace {

bool is_register_row(uint32_t operand) {
  return operand != exec::kNoOperand && (operand & 3) == exec::kBankRegisters;
}

uint32_t count_of(const Op& op, const RowUse& use) {
  return use.count != 0 ? use.count : op.flags & exec::kAddress32 ? 2 : 4;
}

}  // namespace

Liveness::Liveness(const ptx::Image& image, const ptx::FunctionCode& function)
    : image_(image), function_(function) {
  number_rows();
  split_blocks();
  solve();
}

// Only rows that machine code writes matter: others are never newer in a register.
void Liveness::number_rows() {
  std::unordered_map<uint32_t, uint32_t> widths;
  for (uint32_t index = function_.entry; index < function_.end; index = next_instruction(image_, index)) {
    const Op& op = image_.code[index];
    for (const RowUse& use : row_uses(op)) {
      const uint32_t operand = op.operand(use.slot), count = count_of(op, use);
      if (!is_register_row(operand)) continue;
      const auto [number, is_new] = numbers_.try_emplace(operand, static_cast<uint32_t>(numbers_.size()));
      if (is_new) ambiguous_.push_back(false);
      const auto [width, first] = widths.try_emplace(operand, count);
      if (width->second != count) ambiguous_[number->second] = true;
    }
  }
}

void Liveness::split_blocks() {
  // A block also begins behind whatever does not just go on.
  std::vector<bool> begins = branch_targets(image_, function_);
  for (uint32_t index = function_.entry; index < function_.end;) {
    const Flow flow = flow_of(image_.code[index]);
    index = next_instruction(image_, index);
    if (index < function_.end && flow != Flow::kOn) begins[index - function_.entry] = true;
  }
  for (uint32_t index = function_.entry; index < function_.end; ++index) {
    if (!begins[index - function_.entry]) continue;
    if (!blocks_.empty()) blocks_.back().last = index;
    block_at_[index] = static_cast<uint32_t>(blocks_.size());
    blocks_.push_back({index, function_.end, {}, false, Rows(numbers_.size() / 64 + 1)});
  }
  for (Block& block : blocks_) find_successors(block);
}

void Liveness::find_successors(Block& block) {
  uint32_t last = block.last - 1;
  while (image_.code[last].run == nullptr) --last;
  const Op& op = image_.code[last];
  const Flow flow = flow_of(op);
  const auto goes_to = [&](int64_t index) {
    const auto found = block_at_.find(static_cast<uint32_t>(index));
    if (found == block_at_.end()) {
      block.all_live_behind = true;
    } else {
      block.successors.push_back(found->second);
    }
  };
  if (flow == Flow::kBranch) goes_to(op.imm);
  if (flow == Flow::kIndexed) {
    for (uint32_t target : image_.branch_tables[static_cast<size_t>(op.imm)]) goes_to(target);
  }
  // The end of a kernel's thread reads nothing; what a caller reads we do not know.
  if (flow == Flow::kCall || flow == Flow::kAway || (flow == Flow::kEnd && !function_.is_entry))
    block.all_live_behind = true;
  const bool always = op.guard == exec::kPredicateTrue;
  if (always && flow != Flow::kOn && flow != Flow::kSuspend && flow != Flow::kBarrier) return;
  goes_to(block.last);
}

void Liveness::step_back(uint32_t index, Rows& live) const {
  const Op& op = image_.code[index];
  if (op.run == nullptr) return;
  const auto set = [&](uint32_t operand, bool value) {
    const auto found = numbers_.find(operand);
    if (found == numbers_.end()) return;
    const uint64_t bit = uint64_t{1} << (found->second % 64);
    if (value) {
      live[found->second / 64] |= bit;
    } else if (!ambiguous_[found->second]) {
      live[found->second / 64] &= ~bit;
    }
  };
  const std::span<const RowUse> uses = row_uses(op);
  if (find_rule(op) == nullptr) {
    // Whatever might be a row may be read.
    for (uint32_t at = index; at < next_instruction(image_, index); ++at) {
      for (uint32_t operand : image_.code[at].r) set(operand, true);
    }
    return;
  }
  if (op.guard == exec::kPredicateTrue) {
    for (const RowUse& use : uses) {
      if (use.is_written) set(op.operand(use.slot), false);
    }
  }
  for (const RowUse& use : uses) {
    if (!use.is_written) set(op.operand(use.slot), true);
  }
}

Liveness::Rows Liveness::live_behind(const Block& block) const {
  Rows live(numbers_.size() / 64 + 1, block.all_live_behind ? ~uint64_t{0} : 0);
  for (uint32_t successor : block.successors) {
    for (size_t i = 0; i < live.size(); ++i) live[i] |= blocks_[successor].in[i];
  }
  return live;
}

void Liveness::solve() {
  for (bool changed = true; changed;) {
    changed = false;
    for (auto block = blocks_.rbegin(); block != blocks_.rend(); ++block) {
      Rows live = live_behind(*block);
      for (uint32_t index = block->last; index-- > block->first;) step_back(index, live);
      if (live == block->in) continue;
      block->in = std::move(live);
      changed = true;
    }
  }
}

bool Liveness::live_at(uint32_t index, uint32_t operand) const {
  const auto number = numbers_.find(operand);
  const auto block = block_at_.find(index);
  if (number == numbers_.end() || block == block_at_.end()) return true;
  return blocks_[block->second].in[number->second / 64] >> (number->second % 64) & 1;
}

bool Liveness::live_before(uint32_t index, uint32_t operand) {
  const auto number = numbers_.find(operand);
  if (number == numbers_.end()) return true;
  const auto behind = std::upper_bound(blocks_.begin(), blocks_.end(), index,
                                       [](uint32_t at, const Block& block) { return at < block.first; });
  const auto which = static_cast<uint32_t>(behind - blocks_.begin()) - 1;
  const Block& block = blocks_[which];
  if (which != looked_at_) {
    looked_at_ = which;
    before_.assign(block.last - block.first, {});
    Rows live = live_behind(block);
    for (uint32_t at = block.last; at-- > block.first;) {
      step_back(at, live);
      before_[at - block.first] = live;
    }
  }
  return before_[index - block.first][number->second / 64] >> (number->second % 64) & 1;
}

}  // namespace outboard::softgpu::jit
