// What a name outside functions means, per text and across the texts of a link.
#pragma once

#include <cstdint>
#include <string_view>
#include <unordered_map>

#include "server/softgpu/ptx/ast.h"

namespace outboard::softgpu::ptx {

enum class SymbolKind : uint8_t {
  kVariable,       // global or constant memory: index of Program::variables()
  kShared,         // index of SharedVariable
  kDynamicShared,  // extern .shared array
  kFunction,       // index of functions
  kReference,      // texture, sampler or surface: index of Program::variables(), whose address is a handle
};

struct Symbol {
  SymbolKind kind = SymbolKind::kVariable;
  uint32_t index = 0;
};

struct SharedVariable {
  uint64_t bytes = 0;
  uint32_t align = 1;
  uint32_t offset = 0;  // in the CTA's shared memory, once laid out
};

using SymbolMap = std::unordered_map<std::string_view, Symbol>;

}  // namespace outboard::softgpu::ptx
