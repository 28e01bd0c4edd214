// Reading an image's decoded code.
#pragma once

#include <cstdint>
#include <vector>

#include "server/softgpu/ptx/image.h"

namespace outboard::softgpu::jit {

// The instruction behind the one at `index`: long instructions take several Ops.
uint32_t next_instruction(const ptx::Image& image, uint32_t index);

// The 64 bits of an immediate operand, if it is one and known before the module is loaded.
bool plain_constant(const ptx::Image& image, uint32_t operand, uint64_t& bits);

// For every Op of the function, from its entry on, and one more: whether a branch goes there. The
// entry counts as one.
std::vector<bool> branch_targets(const ptx::Image& image, const ptx::FunctionCode& function);

}  // namespace outboard::softgpu::jit
