// Liveness and register allocation: virtual registers to rows that are shared over time.
#pragma once

#include <cstdint>
#include <vector>

#include "server/softgpu/ptx/ir.h"

namespace outboard::softgpu::ptx {

struct Allocation {
  // Per virtual register: byte offset of its row in the function's part of the register file, or
  // for predicates their number; kNoIndex for registers that never occur.
  std::vector<uint32_t> place;
  uint32_t register_bytes = 0;           // a multiple of the row unit
  uint32_t width_end[4] = {0, 0, 0, 0};  // see FunctionCode
  uint32_t predicates = 0;
  uint32_t words_per_thread = 0;  // 32-bit registers, for reports
};

// `order` is what order_blocks() gave. Lanes that are diverged do not disturb one another: each
// has its own column of a row, so liveness along a single thread's paths is enough.
Allocation allocate_registers(const IrFunction& function, const std::vector<uint32_t>& order);

}  // namespace outboard::softgpu::ptx
