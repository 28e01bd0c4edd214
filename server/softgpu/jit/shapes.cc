#include "server/softgpu/jit/shapes.h"

#include <algorithm>
#include <limits>

#include "server/softgpu/exec/special.h"
#include "server/softgpu/jit/code.h"
#include "server/softgpu/jit/semantics.h"

namespace outboard::softgpu::jit {
namespace {

using exec::Special;

// A warp's special registers by how their lanes lie; %tid is checked when machine code is entered.
std::optional<int64_t> special_stride(uint32_t operand) {
  switch (static_cast<Special>((operand & ~(exec::kRowUnit - 1)) / exec::kSpecialRowBytes)) {
    case Special::kTidX:
    case Special::kLaneid: return 1;
    case Special::kLanemaskEq:
    case Special::kLanemaskLe:
    case Special::kLanemaskLt:
    case Special::kLanemaskGe:
    case Special::kLanemaskGt:
    case Special::kStackPointer: return std::nullopt;
    default: return 0;
  }
}

int64_t in_width(int64_t stride, uint32_t count) {
  return count == 2 ? static_cast<int32_t>(static_cast<uint32_t>(stride)) : stride;
}

int64_t times(int64_t a, uint64_t b) { return static_cast<int64_t>(static_cast<uint64_t>(a) * b); }

int64_t sum(int64_t a, int64_t b) {
  return static_cast<int64_t>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b));
}

uint32_t count_of(const Op& op, const RowUse& use) {
  return use.count != 0 ? use.count : op.flags & exec::kAddress32 ? 2 : 4;
}

}  // namespace

Shapes::Shapes(const ptx::Image& image, const ptx::FunctionCode& function)
    : image_(image), function_(function) {
  number_rows();
  solve();
}

int Shapes::slot(uint32_t operand) const {
  const auto found = slots_.find(operand);
  return found == slots_.end() ? -1 : found->second;
}

const Shapes::State* Shapes::at(uint32_t index) const {
  const auto found = states_.find(index);
  return found == states_.end() ? nullptr : &found->second;
}

void Shapes::number_rows() {
  for (uint32_t index = function_.entry; index < function_.end; index = next_instruction(image_, index)) {
    const Op& op = image_.code[index];
    for (const RowUse& use : row_uses(op)) {
      const uint32_t operand = op.operand(use.slot);
      if (!use.is_written || (use.count != 2 && use.count != 4)) continue;
      if ((operand & 3) != exec::kBankRegisters || slots_.size() == kSlots) continue;
      slots_.try_emplace(operand, static_cast<int>(slots_.size()));
    }
  }
}

std::optional<int64_t> Shapes::stride(uint32_t operand, uint32_t count, const State& state) const {
  if (operand == exec::kNoOperand) return std::nullopt;
  switch (operand & 3) {
    case exec::kBankConstants: return 0;
    case exec::kBankSpecial: return count == 2 ? special_stride(operand) : std::nullopt;
    case exec::kBankCta: return count == 2 ? std::optional<int64_t>(0) : std::nullopt;
    default: break;
  }
  const auto found = state.find(operand);
  if (found == state.end() || found->second.count != count) return std::nullopt;
  return found->second.stride;
}

// d = a * b: both the same in all lanes, or one of them a constant.
std::optional<int64_t> Shapes::product(const Op& op, uint32_t count, const State& state) const {
  const auto a = stride(op.r[1], count, state), b = stride(op.r[2], count, state);
  if (!a || !b) return std::nullopt;
  uint64_t constant = 0;
  if (*a == 0 && *b == 0) return 0;
  if (*b == 0 && plain_constant(image_, op.r[2], constant)) return in_width(times(*a, constant), count);
  if (*a == 0 && plain_constant(image_, op.r[1], constant)) return in_width(times(*b, constant), count);
  return std::nullopt;
}

// Of a 32-bit row whose lanes are extended to 64 bits. What lies further apart than the width allows
// has no shape; that no lane overflows is checked by the code.
std::optional<int64_t> Shapes::wide(uint32_t operand, const State& state) const {
  const auto found = stride(operand, 2, state);
  if (!found || std::abs(*found) > std::numeric_limits<int32_t>::max() / 32) return std::nullopt;
  return found;
}

std::optional<int64_t> Shapes::result(const Op& op, Law law, const State& state) const {
  if (law == Law::kNone || op.guard != exec::kPredicateTrue || slot(op.r[0]) < 0) return std::nullopt;
  const std::span<const RowUse> uses = row_uses(op);
  const uint32_t count = uses.front().count;
  const auto a = stride(op.r[1], count, state), b = stride(op.r[2], count, state);
  uint64_t constant = 0;
  switch (law) {
    case Law::kCopy: return a;
    case Law::kNegate: return a ? std::optional(in_width(times(*a, ~uint64_t{0}), count)) : std::nullopt;
    case Law::kAdd: return a && b ? std::optional(in_width(sum(*a, *b), count)) : std::nullopt;
    case Law::kSubtract:
      return a && b ? std::optional(in_width(sum(*a, times(*b, ~uint64_t{0})), count)) : std::nullopt;
    case Law::kMultiply: return product(op, count, state);
    case Law::kMultiplyAdd: {
      const auto first = product(op, count, state), c = stride(op.r[3], count, state);
      return first && c ? std::optional(in_width(sum(*first, *c), count)) : std::nullopt;
    }
    case Law::kShiftLeft:
      if (!a || !plain_constant(image_, op.r[2], constant) || constant >= count * 16) return std::nullopt;
      return in_width(times(*a, uint64_t{1} << constant), count);
    case Law::kNarrow: {
      const auto whole = stride(op.r[1], 4, state);
      return whole ? std::optional(in_width(*whole, 2)) : std::nullopt;
    }
    case Law::kWidenSigned: return wide(op.r[1], state);
    case Law::kWidenUnsigned: return wide(op.r[1], state);
    default: break;
  }
  // Wide products: one factor the same in all lanes, and a constant unless both are.
  const bool is_signed = law == Law::kWideSigned || law == Law::kWideAddSigned;
  const bool adds = law == Law::kWideAddSigned || law == Law::kWideAddUnsigned;
  const auto wide_a = wide(op.r[1], state), factor = stride(op.r[2], 2, state);
  if (!wide_a || !factor || *factor != 0) return std::nullopt;
  int64_t distance = 0;
  if (*wide_a != 0) {
    if (!plain_constant(image_, op.r[2], constant)) return std::nullopt;
    const uint32_t low = static_cast<uint32_t>(constant);
    distance = times(*wide_a, is_signed ? static_cast<uint64_t>(int64_t{static_cast<int32_t>(low)}) : low);
  }
  if (!adds) return distance;
  const auto c = stride(op.r[3], 4, state);
  return c ? std::optional(sum(distance, *c)) : std::nullopt;
}

bool Shapes::all_uniform(const Op& op, const State& state) const {
  for (const RowUse& use : row_uses(op)) {
    if (!use.is_written && stride(op.operand(use.slot), count_of(op, use), state) != 0) return false;
  }
  return true;
}

void Shapes::step(uint32_t index, State& state) const {
  const Op& op = image_.code[index];
  const Flow flow = flow_of(op);
  if (flow == Flow::kCall || flow == Flow::kAway) return state.clear();
  if (find_rule(op) == nullptr) {
    // Whatever might be a row may be written.
    for (uint32_t at = index; at < next_instruction(image_, index); ++at) {
      for (uint32_t operand : image_.code[at].r) state.erase(operand);
    }
    return;
  }
  std::optional<int64_t> stride = result(op, law_of(op), state);
  if (!stride && op.guard == exec::kPredicateTrue && is_elementwise(op) && all_uniform(op, state)) stride = 0;
  for (const RowUse& use : row_uses(op)) {
    if (!use.is_written) continue;
    const uint32_t operand = op.operand(use.slot);
    state.erase(operand);
    if (stride && slot(operand) >= 0 && (use.count == 2 || use.count == 4))
      state.emplace(operand, Shape{*stride, use.count});
  }
}

bool Shapes::meet(uint32_t index, const State& state) {
  const auto [place, is_new] = states_.try_emplace(index, state);
  if (is_new) return true;
  return std::erase_if(place->second, [&](const auto& known) {
           const auto other = state.find(known.first);
           return other == state.end() || other->second != known.second;
         }) != 0;
}

void Shapes::solve() {
  std::vector<bool> begins = branch_targets(image_, function_);
  std::vector<uint32_t> waiting{function_.entry};
  meet(function_.entry, {});
  while (!waiting.empty()) {
    uint32_t index = waiting.back();
    waiting.pop_back();
    State state = states_.at(index);
    for (;;) {
      const Op& op = image_.code[index];
      const Flow flow = flow_of(op);
      const bool always = op.guard == exec::kPredicateTrue;
      step(index, state);
      if (flow == Flow::kBranch && meet(static_cast<uint32_t>(op.imm), state))
        waiting.push_back(static_cast<uint32_t>(op.imm));
      // Behind calls and indexed branches, lanes are not known to be together.
      if (always && flow != Flow::kOn && flow != Flow::kSuspend && flow != Flow::kBarrier) break;
      index = next_instruction(image_, index);
      if (index >= function_.end) break;
      if (!begins[index - function_.entry] && (flow == Flow::kOn || flow == Flow::kBranch)) continue;
      if (meet(index, state)) waiting.push_back(index);
      break;
    }
  }
}

}  // namespace outboard::softgpu::jit
