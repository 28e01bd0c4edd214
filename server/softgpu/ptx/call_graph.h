// Who calls whom: the order of functions, their places in the register file and shared memory.
#pragma once

#include <cstdint>
#include <vector>

#include "server/softgpu/ptx/ir.h"

namespace outboard::softgpu::ptx {

struct CallGraph {
  std::vector<std::vector<uint32_t>> callees;  // per function, without duplicates, indirect ones included
  std::vector<uint32_t> order;                 // callees before callers
  std::vector<uint32_t> component;             // functions that can call one another share a number
  std::vector<bool> recursive;                 // can come back to itself
};

// `defined`: functions with a body. An indirect call may reach every function whose address is
// taken anywhere in the program, `in_memory` ones (from initial values) included.
CallGraph build_call_graph(const std::vector<IrFunction>& functions, const std::vector<bool>& defined,
                           const std::vector<uint32_t>& in_memory);

// Everything that `function` can reach, itself first.
std::vector<uint32_t> reachable_functions(const CallGraph& graph, uint32_t function);

}  // namespace outboard::softgpu::ptx
