// Decoded code of a program. Read by the execution engine.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "server/softgpu/exec/op.h"
#include "server/softgpu/exec/tier.h"
#include "server/softgpu/ptx/ir.h"

namespace outboard::softgpu::ptx {

// Register rows and predicates of a function live at fixed places of the warp's register file,
// behind those of every caller, so that a call moves nothing. Calls that may come back to the same
// function save and restore the caller's part instead.
struct FunctionCode {
  std::string name;
  bool is_entry = false;
  bool defined = false;
  uint32_t entry = 0;           // index in Image::code
  uint32_t end = 0;             // one past its last Op
  uint32_t register_begin = 0;  // bytes
  uint32_t register_end = 0;
  uint32_t width_end[4] = {0, 0, 0,
                           0};  // rows of 16, 8, 4 and 2 bytes per lane end here, from register_begin
  uint32_t predicate_begin = 0;
  uint32_t predicate_end = 0;
  uint32_t return_row = exec::kNoOperand;  // where a call leaves the caller's next Op
  uint32_t frame_bytes = 0;                // of local memory
  // The rest holds for entries: maxima over everything reachable.
  uint32_t register_bytes = 0;
  uint32_t predicates = 0;
  uint32_t stack_bytes = 0;  // local memory per thread without recursion
  bool recursive = false;    // needs more stack than stack_bytes tells
  uint64_t specials = 0;     // exec::Special rows that are read
};

// A conditional table for brx.idx: code indices.
using BranchTable = std::vector<uint32_t>;

class Image {
 public:
  std::vector<exec::Op> code;
  std::vector<FunctionCode> functions;
  std::vector<BranchTable> branch_tables;
  std::vector<Constant> constants;
  std::vector<uint32_t> constant_offsets;  // bytes in the constant bank, parallel to `constants`
  uint32_t constant_bytes = 0;             // size of the bank
  std::vector<std::string> strings;        // what messages of the code say, e.g. of a refused call
  std::unique_ptr<exec::Tier> tier;        // may be absent

  // From now on `handler` executes the instruction, which must do the same. May be called while the
  // code is executed.
  void replace(uint32_t index, exec::Handler handler) const {
    std::atomic_ref(const_cast<exec::Op&>(code[index]).run).store(handler, std::memory_order_release);
  }
};

}  // namespace outboard::softgpu::ptx
