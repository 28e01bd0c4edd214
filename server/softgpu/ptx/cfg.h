// The order of blocks in memory, which is the order in which diverged lanes are executed.
#pragma once

#include <cstdint>
#include <vector>

#include "server/softgpu/ptx/ir.h"

namespace outboard::softgpu::ptx {

// Blocks reachable from the entry, so that every block comes behind its predecessors except along
// back edges, and the blocks of a loop stand together. The interpreter always runs the lanes that
// are lowest in this order, so lanes that left a loop or took one side of a branch wait where the
// others join them.
std::vector<uint32_t> order_blocks(const IrFunction& function);

}  // namespace outboard::softgpu::ptx
