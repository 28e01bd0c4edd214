// Branches, calls and returns.
#include <algorithm>

#include "server/softgpu/ptx/lower.h"

namespace outboard::softgpu::ptx {

// True if the instruction was one of these.
bool FunctionLowering::control(const Instruction& source, std::string_view base,
                               std::span<const Operand> operands) {
  if (base == "bra")
    branch(source, operands);
  else if (base == "brx")
    indexed_branch(source, operands);
  else if (base == "ret")
    leave(source, false);
  else if (base == "exit")
    leave(source, true);
  else if (base == "call")
    call(source, operands);
  else
    return false;
  return true;
}

void FunctionLowering::branch(const Instruction& source, std::span<const Operand> operands) {
  const exec::Form* form = find_form(source, std::string(source.opcode));
  if (form == nullptr) return;
  if (operands.size() != 1 || operands[0].kind != OperandKind::kName)
    return error(source.at, "'bra' takes one label");
  uint32_t target = find_label(operands[0].name, operands[0].at);
  if (target == kNoIndex) return;
  begin(*form, source);
  current_.target = target;
  current_.ends_block = true;
  finish();
  ir_.blocks[target].is_target = true;
  ir_.blocks[block_].successors.push_back(target);
  if (source.guard.empty()) return end_block();
  // The next instruction starts a block that a false guard falls into.
  ir_.blocks.emplace_back();
  begin_block(static_cast<uint32_t>(ir_.blocks.size() - 1));
}

void FunctionLowering::indexed_branch(const Instruction& source, std::span<const Operand> operands) {
  const exec::Form* form = find_form(source, std::string(source.opcode));
  if (form == nullptr) return;
  if (operands.size() != 2 || operands[1].kind != OperandKind::kName) {
    return error(source.at, "'brx.idx' takes an index and the label of a .branchtargets list");
  }
  auto list = targets_.find(operands[1].name);
  if (list == targets_.end()) {
    return error(operands[1].at,
                 "'" + std::string(operands[1].name) + "' is not the label of a .branchtargets list");
  }
  begin(*form, source);
  exec::OperandSpec spec;
  spec.type = Type::kU32;
  if (!source_value(spec, *form, operands[0], source)) return;
  std::vector<uint32_t> blocks;
  for (std::string_view name : list->second->names) {
    uint32_t target = find_label(name, list->second->at);
    if (target == kNoIndex) return;
    blocks.push_back(target);
    ir_.blocks[target].is_target = true;
    ir_.blocks[block_].successors.push_back(target);
  }
  current_.imm = static_cast<int64_t>(ir_.branch_tables.size());
  current_.ends_block = true;
  ir_.branch_tables.push_back(std::move(blocks));
  finish();
  if (source.guard.empty()) return end_block();
  ir_.blocks.emplace_back();
  begin_block(static_cast<uint32_t>(ir_.blocks.size() - 1));
}

// ret, or exit (`whole_thread`). A kernel's ret is an exit.
void FunctionLowering::leave(const Instruction& source, bool whole_thread) {
  bool ends_thread = whole_thread || function_.is_entry;
  if (!ends_thread) {
    for (size_t i = 0; i < function_.results.size(); ++i) {
      const VariableDeclaration& result = function_.results[i];
      Resolved name;
      if (result.space != StateSpace::kRegister || !resolve_register(result.name, name) ||
          name.type == Type::kPred)
        continue;
      emit_internal("frame.store.b" + std::to_string(8 * type_bytes(result.type)), source,
                    {{ValueKind::kRaw, false, false, false, ir_.frame.results[i].offset},
                     {ValueKind::kRegister, false, false, false, name.index}});
    }
  }
  const exec::Form* form = internal_form(ends_thread ? "thread.exit" : "function.return", source.at);
  if (form == nullptr) return;
  begin(*form, source);
  if (!ends_thread) put({ValueKind::kRegister, false, false, false, ir_.return_register});
  finish();
  if (source.guard.empty()) end_block();
}

// Moves one actual parameter into the callee's frame, or one result out of it.
void FunctionLowering::pass(const Instruction& source, const Operand& actual, const FrameLayout::Slot& slot,
                            bool is_result) {
  IrOperand there{ValueKind::kFrame, false, false, false, slot.offset};
  Resolved name;
  if (actual.kind == OperandKind::kName) name = resolve(actual.name);
  if (name.kind == Resolved::Kind::kLocal && name.local.kind == LocalKind::kFrame) {
    uint32_t bytes = static_cast<uint32_t>(std::min<uint64_t>(slot.bytes, name.local.bytes));
    IrOperand here{ValueKind::kRaw, false, false, false, name.local.offset};
    IrOperand size{ValueKind::kRaw, false, false, false, bytes};
    if (is_result)
      emit_internal("frame.copy", source, {here, there, size});
    else
      emit_internal("frame.copy", source, {there, here, size});
    return;
  }
  if (slot.bytes != 1 && slot.bytes != 2 && slot.bytes != 4 && slot.bytes != 8) {
    return error(actual.at, "a value of " + std::to_string(slot.bytes) +
                                " bytes can only be passed in a .param variable");
  }
  std::string width = std::to_string(8 * slot.bytes);
  Width want = slot.bytes <= 2 ? Width::k16 : slot.bytes == 4 ? Width::k32 : Width::k64;
  if (is_result) {
    if (actual.kind == OperandKind::kSink) return;
    if (name.kind != Resolved::Kind::kRegister || type_width(name.type) != want) {
      return error(actual.at,
                   "the call's result needs a register of " + width + " bits or a .param variable");
    }
    return emit_internal("frame.load.b" + width, source,
                         {{ValueKind::kRegister, true, false, false, name.index}, there});
  }
  IrOperand value;
  if (name.kind == Resolved::Kind::kRegister && type_width(name.type) == want) {
    value = {ValueKind::kRegister, false, false, false, name.index};
  } else if (actual.kind == OperandKind::kInteger || actual.kind == OperandKind::kFloat32 ||
             actual.kind == OperandKind::kFloat64) {
    value = constant(want, actual.value);
  } else if (name.kind == Resolved::Kind::kSymbol || name.kind == Resolved::Kind::kLocal) {
    if (!symbol_value(name, want, actual.value, source, actual.at, value)) return;
  } else {
    return error(actual.at,
                 "'" + std::string(actual.name) + "' cannot be passed as a parameter of " + width + " bits");
  }
  emit_internal("frame.store.b" + width, source, {there, value});
}

// call{.uni} [(results),] function [, (arguments)] [, prototype or target list]
void FunctionLowering::call(const Instruction& source, std::span<const Operand> operands) {
  if (!source.guard.empty()) {
    // A guarded call is a branch around an unguarded one.
    const exec::Form* form = internal_form("bra", source.at);
    if (form == nullptr) return;
    ir_.blocks.emplace_back();
    uint32_t behind = static_cast<uint32_t>(ir_.blocks.size() - 1);
    Instruction inverse = source;
    inverse.guard_negated = !source.guard_negated;
    begin(*form, inverse);
    current_.target = behind;
    current_.ends_block = true;
    finish();
    ir_.blocks[behind].is_target = true;
    ir_.blocks[block_].successors.push_back(behind);
    ir_.blocks.emplace_back();
    begin_block(static_cast<uint32_t>(ir_.blocks.size() - 1));
    Instruction plain = source;
    plain.guard = {};
    call(plain, operands);
    return begin_block(behind);
  }
  size_t at = 0;
  std::span<const Operand> results, arguments;
  if (at < operands.size() && operands[at].kind == OperandKind::kList) results = elements_of(operands[at++]);
  if (at == operands.size() || operands[at].kind != OperandKind::kName)
    return error(source.at, "'call' needs the function to call");
  const Operand& callee = operands[at++];
  if (at < operands.size() && operands[at].kind == OperandKind::kList)
    arguments = elements_of(operands[at++]);
  Resolved name = resolve(callee.name);
  const Prototype* prototype = nullptr;
  if (at < operands.size() && operands[at].kind == OperandKind::kName) {
    if (auto found = prototypes_.find(operands[at].name); found != prototypes_.end())
      prototype = found->second;
    if (auto list = targets_.find(operands[at].name);
        list != targets_.end() && !list->second->names.empty()) {
      // All functions of a target list have the same signature; take the first one's.
      if (const Symbol* first = context_.find_symbol(list->second->names[0]);
          first != nullptr && first->kind == SymbolKind::kFunction) {
        const Function& head = context_.function_head(first->index);
        borrowed_.results = head.results;
        borrowed_.parameters = head.parameters;
        prototype = &borrowed_;
      }
    }
  }
  bool direct = name.kind == Resolved::Kind::kSymbol && name.symbol.kind == SymbolKind::kFunction;
  const std::vector<VariableDeclaration>*formal_parameters, *formal_results;
  if (direct) {
    const Function& head = context_.function_head(name.symbol.index);
    formal_parameters = &head.parameters;
    formal_results = &head.results;
  } else if (name.kind == Resolved::Kind::kRegister) {
    if (prototype == nullptr)
      return error(source.at, "an indirect call needs a .callprototype or .calltargets");
    if (type_width(name.type) != Width::k64)
      return error(callee.at, "a function's address needs a 64-bit register");
    formal_parameters = &prototype->parameters;
    formal_results = &prototype->results;
  } else {
    return error(callee.at, "function '" + std::string(callee.name) + "' is not declared");
  }
  if (arguments.size() != formal_parameters->size() || results.size() != formal_results->size()) {
    return error(source.at, "the call passes " + std::to_string(arguments.size()) + " parameters and takes " +
                                std::to_string(results.size()) + " results; '" + std::string(callee.name) +
                                "' has " + std::to_string(formal_parameters->size()) + " and " +
                                std::to_string(formal_results->size()));
  }
  FrameLayout layout = layout_frame(*formal_parameters, *formal_results);
  ir_.outgoing_bytes = std::max(ir_.outgoing_bytes, layout.bytes);
  for (size_t i = 0; i < arguments.size(); ++i) pass(source, arguments[i], layout.parameters[i], false);
  IrOperand frame{ValueKind::kFrame, false, false, false, 0};
  int system =
      direct && !context_.function_head(name.symbol.index).has_body ? context_.system_call(callee.name) : -1;
  if (system >= 0) {
    call_system(source, system, arguments, results, layout);
  } else if (direct) {
    const exec::Form* form = internal_form("function.call", source.at);
    if (form == nullptr) return;
    begin(*form, source);
    put(frame);
    current_.imm = name.symbol.index;
    finish();
    ir_.callees.push_back(name.symbol.index);
    emit_internal("function.resume", source, {frame});
  } else {
    const exec::Form* form = internal_form("function.call_indirect", source.at);
    if (form == nullptr) return;
    begin(*form, source);
    put(frame);
    put({ValueKind::kRegister, false, false, false, name.index});
    finish();
    ir_.calls_indirectly = true;
    emit_internal("function.resume", source, {frame});
  }
  for (size_t i = 0; i < results.size(); ++i) pass(source, results[i], layout.results[i], true);
}

void FunctionLowering::call_system(const Instruction& source, int number, std::span<const Operand>,
                                   std::span<const Operand>, const FrameLayout& layout) {
  const exec::Form* form = internal_form("system.call", source.at);
  if (form == nullptr) return;
  begin(*form, source);
  put({ValueKind::kFrame, false, false, false, 0});
  put({ValueKind::kRaw, false, false, false, static_cast<uint32_t>(number)});
  put({ValueKind::kFrame, false, false, false, layout.results.empty() ? 0 : layout.results[0].offset});
  // The first eight parameters' places are all that a system call of ours looks at.
  for (size_t i = 0; i < 5; ++i) {
    put({ValueKind::kFrame, false, false, false,
         i < layout.parameters.size() ? layout.parameters[i].offset : 0});
  }
  finish();
}

}  // namespace outboard::softgpu::ptx
