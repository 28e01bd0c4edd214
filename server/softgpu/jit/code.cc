#include "server/softgpu/jit/code.h"

#include <algorithm>

#include "server/softgpu/jit/semantics.h"

namespace outboard::softgpu::jit {

uint32_t next_instruction(const ptx::Image& image, uint32_t index) {
  ++index;
  while (index < image.code.size() && image.code[index].run == nullptr) ++index;
  return index;
}

bool plain_constant(const ptx::Image& image, uint32_t operand, uint64_t& bits) {
  if ((operand & 3) != exec::kBankConstants) return false;
  // The bank is filled in the constants' order.
  const std::vector<uint32_t>& offsets = image.constant_offsets;
  const auto found = std::lower_bound(offsets.begin(), offsets.end(), operand & ~(exec::kRowUnit - 1));
  const ptx::Constant& constant = image.constants[static_cast<size_t>(found - offsets.begin())];
  if (constant.kind != ptx::Constant::Kind::kPlain) return false;
  bits = constant.bits;
  return true;
}

std::vector<bool> branch_targets(const ptx::Image& image, const ptx::FunctionCode& function) {
  std::vector<bool> targets(function.end - function.entry + 1, false);
  const auto mark = [&](int64_t index) {
    if (index >= function.entry && index < function.end)
      targets[static_cast<size_t>(index) - function.entry] = true;
  };
  mark(function.entry);
  for (uint32_t index = function.entry; index < function.end; index = next_instruction(image, index)) {
    const Op& op = image.code[index];
    const Flow flow = flow_of(op);
    if (flow == Flow::kBranch) mark(op.imm);
    if (flow != Flow::kIndexed) continue;
    for (uint32_t target : image.branch_tables[static_cast<size_t>(op.imm)]) mark(target);
  }
  return targets;
}

}  // namespace outboard::softgpu::jit
