// One function between parsing and decoding: instructions on virtual registers, in basic blocks.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "server/softgpu/exec/forms.h"
#include "server/softgpu/exec/special.h"
#include "server/softgpu/ptx/source.h"
#include "server/softgpu/ptx/types.h"

namespace outboard::softgpu::ptx {

inline constexpr uint32_t kNoIndex = 0xffff'ffff;

enum class ValueKind : uint8_t {
  kNone,      // an absent optional operand
  kRegister,  // virtual register of any width, predicates included
  kConstant,  // index in ConstantPool
  kSpecial,   // exec::Special
  kRaw,       // goes into the operand as it is
  kFrame,     // raw offset behind the function's own frame: where a callee's frame starts
};

struct IrOperand {
  ValueKind kind = ValueKind::kNone;
  bool is_destination = false;
  bool is_predicate = false;
  bool negated = false;
  uint32_t value = 0;
};

struct IrInstruction {
  const exec::Form* form = nullptr;
  uint32_t first_operand = 0;  // in IrFunction::operands
  uint16_t operand_count = 0;
  uint16_t flags = 0;         // of exec::Op
  uint32_t guard = kNoIndex;  // virtual register
  bool guard_negated = false;
  bool ends_block = false;
  uint32_t target = kNoIndex;  // block
  uint32_t line = 0;
  int64_t imm = 0;
};

struct IrBlock {
  uint32_t first = 0, last = 0;  // instructions [first, last)
  std::vector<uint32_t> successors;
  uint32_t fallthrough = kNoIndex;  // block that control reaches at the end, if any
  bool is_target = false;           // something jumps here
};

// Values that are the same in all lanes: immediates and addresses.
struct Constant {
  enum class Kind : uint8_t { kPlain, kVariable, kShared, kFunction } kind = Kind::kPlain;
  Width width = Width::k32;
  uint32_t symbol = 0;  // index in the program, for the other kinds
  uint64_t bits = 0;    // value, or what is added to the symbol's address
  friend bool operator==(const Constant&, const Constant&) = default;
};

// Where results and parameters of a function lie in its frame of local memory.
struct FrameLayout {
  struct Slot {
    uint32_t offset = 0, bytes = 0;
  };
  std::vector<Slot> parameters, results;
  uint32_t bytes = 0;
};

struct IrFunction {
  std::vector<Width> registers;
  std::vector<IrOperand> operands;
  std::vector<IrInstruction> instructions;
  std::vector<IrBlock> blocks;                       // block 0 is the entry
  std::vector<std::vector<uint32_t>> branch_tables;  // blocks, for brx.idx: IrInstruction::imm
  FrameLayout frame;
  uint32_t frame_bytes = 0;     // of local memory, parameters included
  uint32_t outgoing_bytes = 0;  // largest frame of parameters that a call of this function fills
  uint32_t return_register = kNoIndex;
  std::vector<uint32_t> callees;        // function indices, direct calls
  std::vector<uint32_t> address_taken;  // function indices
  std::vector<uint32_t> shared_variables;
  bool calls_indirectly = false;
  bool uses_dynamic_shared = false;
  uint64_t specials = 0;  // bit per exec::Special
  std::string refusal;    // not empty: cannot be executed, and why
};

}  // namespace outboard::softgpu::ptx
