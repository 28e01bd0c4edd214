// Which instructions machine code is made for, and by whom. An instruction is what its handler and
// parameter are: forms that the interpreter executes alike need one rule.
#pragma once

#include <cstdint>
#include <span>

#include "server/softgpu/jit/emitter.h"

namespace outboard::softgpu::jit {

struct Rule {
  const char* text;  // the form, as exec::FormTable::find() takes it
  Emit emit;
  uint32_t what;       // an x86 instruction, a width: the emitter's matter
  uint32_t count = 0;  // registers of the destination's row
};

struct LawRule {
  const char* text;
  Law law;
};

std::span<const LawRule> scalar_rules();
std::span<const Rule> arithmetic_rules();
std::span<const Rule> bit_rules();
std::span<const Rule> compare_rules();
std::span<const Rule> memory_rules();

// nullptr: the interpreter's handler is called. Thread-safe.
const Rule* find_rule(const Op& op);

// An operand that is a row.
struct RowUse {
  uint8_t slot;   // Op::operand()
  uint8_t count;  // registers
  bool is_written;
};
// Of an instruction that has a rule.
std::span<const RowUse> row_uses(const Op& op);
Law law_of(const Op& op);
// It has a rule, and equal sources give equal results in all lanes.
bool is_elementwise(const Op& op);

enum class Flow : uint8_t {
  kOn,       // goes on behind the instruction, or stops and goes on there later
  kSuspend,  // may stop there
  kBarrier,  // the same, but all lanes that it is for go on together
  kBranch,
  kIndexed,  // brx.idx
  kCall,     // of a known function
  kAway,     // other calls
  kExit,     // of a thread
  kEnd,      // nothing is executed behind it either: returns, traps
};
// How control goes on after the instruction.
Flow flow_of(const Op& op);

}  // namespace outboard::softgpu::jit
