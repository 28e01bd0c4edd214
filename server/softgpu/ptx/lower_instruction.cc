// From an instruction's text to its form, and from its operands to IR.
#include <algorithm>

#include "server/softgpu/ptx/lower.h"

namespace outboard::softgpu::ptx {

using exec::OperandSpec;
using exec::Role;

namespace {

// Replaces the modifier `from` (".param") by `to`, if it is there.
std::string replace_modifier(std::string_view opcode, std::string_view from, std::string_view to) {
  size_t at = opcode.find(from);
  std::string text(opcode);
  if (at != std::string::npos) text.replace(at, from.size(), to);
  return text;
}

bool has_modifier(std::string_view opcode, std::string_view modifier) {
  size_t at = opcode.find(modifier);
  return at != std::string_view::npos &&
         (at + modifier.size() == opcode.size() || opcode[at + modifier.size()] == '.' ||
          opcode[at + modifier.size()] == ':');
}

// Code for compute capability 1.x, which flushes subnormal numbers of f32 without saying so, and whose mad
// has no rounding: as CUDA's compilers read it for newer devices.
std::string newer_opcode(std::string_view opcode) {
  constexpr std::string_view kFlushing[] = {"add",   "sub", "mul", "mad", "div",  "rcp", "sqrt",
                                            "rsqrt", "sin", "cos", "lg2", "ex2",  "abs", "neg",
                                            "min",   "max", "set", "cvt", "setp", "slct"};
  std::string text(opcode);
  const std::string_view base = opcode.substr(0, opcode.find('.'));
  const bool flushes = std::find(std::begin(kFlushing), std::end(kFlushing), base) != std::end(kFlushing) &&
                       (opcode.ends_with(".f32") || opcode.ends_with(".f32.f64")) &&
                       !has_modifier(opcode, ".ftz");
  if (!flushes) return text;
  // It stands before .sat and the types.
  size_t at = text.size();
  for (size_t dot = text.find('.'); dot != std::string::npos && at == text.size();
       dot = text.find('.', dot + 1)) {
    const std::string_view rest = std::string_view(text).substr(dot + 1);
    const bool type = rest.size() > 1 && std::string_view("usfb").find(rest[0]) != std::string_view::npos &&
                      rest[1] >= '0' && rest[1] <= '9';
    if (type || rest.starts_with("sat")) at = dot;
  }
  text.insert(at, ".ftz");
  if (base == "mad") text.replace(0, base.size(), "fma.rn");
  return text;
}

}  // namespace

void FunctionLowering::set_guard(IrInstruction& ir, const Instruction& source) {
  if (source.guard.empty()) return;
  Resolved name;
  if (!resolve_register(source.guard, name) || name.type != Type::kPred) {
    return error(source.at, "guard '" + std::string(source.guard) + "' is not a predicate register");
  }
  ir.guard = name.index;
  ir.guard_negated = source.guard_negated;
}

uint32_t FunctionLowering::begin(const exec::Form& form, const Instruction& source) {
  if (!open_) {
    ir_.blocks.emplace_back();
    begin_block(static_cast<uint32_t>(ir_.blocks.size() - 1));
  }
  current_ = IrInstruction{};
  current_.form = &form;
  current_.line = source.at.line;
  set_guard(current_, source);
  pending_.clear();
  widens_.clear();
  return 0;
}

void FunctionLowering::finish() {
  current_.first_operand = static_cast<uint32_t>(ir_.operands.size());
  current_.operand_count = static_cast<uint16_t>(pending_.size());
  ir_.operands.insert(ir_.operands.end(), pending_.begin(), pending_.end());
  ir_.instructions.push_back(current_);
  Instruction plain{"", {}, false, 0, 0, Position{current_.line, 1}};
  for (const Widen& widen : widens_) {
    std::string sign = widen.is_signed ? "s" : "u";
    emit_internal("widen." + sign + std::to_string(8 * width_bytes(widen.to_width)) + "." + sign +
                      std::to_string(8 * width_bytes(widen.from_width)),
                  plain,
                  {{ValueKind::kRegister, true, false, false, widen.to},
                   {ValueKind::kRegister, false, false, false, widen.from}});
    ir_.instructions.back().guard = current_.guard;
    ir_.instructions.back().guard_negated = current_.guard_negated;
  }
  widens_.clear();
}

const exec::Form* FunctionLowering::internal_form(std::string_view text, Position at) {
  const exec::Form* form = context_.forms().find(text);
  if (form == nullptr) refuse(at, "internal instruction '" + std::string(text) + "' is missing");
  return form;
}

// One instruction that the text does not have. Leaves the current instruction alone.
void FunctionLowering::emit_internal(std::string_view text, const Instruction& source,
                                     std::initializer_list<IrOperand> operands) {
  const exec::Form* form = internal_form(text, source.at);
  if (form == nullptr) return;
  if (!open_) {
    ir_.blocks.emplace_back();
    begin_block(static_cast<uint32_t>(ir_.blocks.size() - 1));
  }
  IrInstruction ir;
  ir.form = form;
  ir.line = source.at.line;
  ir.first_operand = static_cast<uint32_t>(ir_.operands.size());
  ir.operand_count = static_cast<uint16_t>(operands.size());
  ir_.operands.insert(ir_.operands.end(), operands.begin(), operands.end());
  ir_.instructions.push_back(ir);
}

// Parameters of functions and of calls are local memory here; only a kernel's own are not.
std::string FunctionLowering::memory_opcode(const Instruction& source) {
  std::string opcode =
      replace_modifier(replace_modifier(source.opcode, ".param::entry", ".param"), ".param::func", ".param");
  if (!has_modifier(opcode, ".param") || opcode.starts_with("cvta") || opcode.starts_with("isspacep"))
    return opcode;
  bool frame = !function_.is_entry;
  for (uint32_t i = 0; i < source.operand_count; ++i) {
    const Operand& operand = module_.operands[source.first_operand + i];
    if (operand.kind != OperandKind::kAddress || operand.name.empty()) continue;
    Resolved name = resolve(operand.name);
    if (name.kind == Resolved::Kind::kLocal) frame = name.local.kind == LocalKind::kFrame;
  }
  return frame ? replace_modifier(opcode, ".param", ".local") : opcode;
}

const exec::Form* FunctionLowering::find_form(const Instruction& source, const std::string& opcode) {
  const exec::Form* form = context_.forms().find(opcode);
  if (form != nullptr && (form->flags & exec::kInternal) == 0) return form;
  std::string base(opcode.substr(0, opcode.find('.')));
  if (!context_.forms().knows(base)) {
    refuse(source.at, "instruction '" + std::string(source.opcode.substr(0, 80)) +
                          "' is unknown or not supported by the software device");
  } else {
    refuse(source.at, "'" + std::string(source.opcode.substr(0, 80)) + "': this form of '" + base +
                          "' is not supported by the software device");
  }
  return nullptr;
}

// With .L2::cache_hint the last operand is a cache policy, which changes nothing here.
bool FunctionLowering::drop_cache_policy(const Instruction& source, std::span<const Operand>& operands) {
  if (operands.empty() || !has_modifier(source.opcode, ".L2::cache_hint")) return true;
  const Operand& policy = operands.back();
  Resolved name;
  const bool is_register = policy.kind == OperandKind::kName && resolve_register(policy.name, name) &&
                           name.kind == Resolved::Kind::kRegister && type_width(name.type) == Width::k64;
  if (!is_register && policy.kind != OperandKind::kInteger) {
    error(policy.at, "'" + std::string(source.opcode) +
                         "' ends with a cache policy, which is a register or a number of 64 bits");
    return false;
  }
  operands = operands.first(operands.size() - 1);
  return true;
}

// cp.async copies a constant number of bytes; a predicate behind it, which only its register tells
// from a number, makes it a form of its own.
void FunctionLowering::copy_async(const Instruction& source, std::span<const Operand> operands) {
  const exec::Form* form = find_form(source, std::string(source.opcode));
  if (form == nullptr) return;
  if (operands.size() > 2 && operands[2].kind == OperandKind::kInteger) {
    const uint64_t bytes = operands[2].value;
    const bool by_16 = has_modifier(source.opcode, ".cg");
    if (by_16 ? bytes != 16 : bytes != 4 && bytes != 8 && bytes != 16) {
      return error(operands[2].at, "'" + std::string(source.opcode) + "' copies " +
                                       (by_16 ? "16" : "4, 8 or 16") + " bytes, not " +
                                       std::to_string(bytes));
    }
  }
  Resolved name;
  if (operands.size() > 3 && operands[3].kind == OperandKind::kName &&
      resolve_register(operands[3].name, name) && name.type == Type::kPred) {
    form = internal_form(form->text + ".ignore_src", source.at);
  }
  if (form != nullptr) generic(source, *form, operands);
}

// mov.v2.u32 and the like: one move for each element, through temporaries, since an element may be read
// after another one was written into its register.
void FunctionLowering::vector_move(const Instruction& source, std::span<const Operand> operands) {
  const auto count = static_cast<uint8_t>(source.opcode[5] - '0');
  const exec::Form* form = find_form(source, "mov" + std::string(source.opcode.substr(6)));
  if (form == nullptr) return;
  if (operands.size() != 2) return error(source.at, "'" + std::string(source.opcode) + "' takes two vectors");
  std::vector<IrOperand> sides[2];
  for (const int side : {1, 0}) {
    OperandSpec spec = form->operands[static_cast<size_t>(side)];
    spec.count = count;
    begin(*form, source);
    if (!value(spec, *form, operands[static_cast<size_t>(side)], source)) return;
    sides[side] = pending_;
  }
  auto move = [&](IrOperand to, IrOperand from) {
    begin(*form, source);
    put(to);
    put(from);
    finish();
  };
  const Width width = type_width(form->operands[1].type);
  std::vector<uint32_t> temporaries;
  for (const IrOperand& from : sides[1])
    move({ValueKind::kRegister, true, false, false, temporaries.emplace_back(add_register(width))}, from);
  for (size_t i = 0; i < temporaries.size(); ++i)
    move(sides[0][i], {ValueKind::kRegister, false, false, false, temporaries[i]});
}

void FunctionLowering::instruction(const Instruction& source) {
  std::span<const Operand> operands(module_.operands.data() + source.first_operand, source.operand_count);
  std::string_view base = source.opcode.substr(0, source.opcode.find('.'));
  if (control(source, base, operands)) return;
  if (source.opcode.starts_with("mov.v2.") || source.opcode.starts_with("mov.v4."))
    return vector_move(source, operands);
  // Packing and unpacking moves are forms of their own.
  if (base == "mov" && operands.size() == 2) {
    for (int side = 0; side < 2; ++side) {
      const Operand& operand = operands[side];
      Resolved name;
      uint32_t count = operand.element_count;
      if (operand.kind == OperandKind::kName && resolve_register(operand.name, name) &&
          name.kind == Resolved::Kind::kVector) {
        count = name.count;
      } else if (operand.kind != OperandKind::kVector) {
        continue;
      }
      std::string text =
          std::string(source.opcode) + (side == 0 ? ".unpack" : ".pack") + std::to_string(count);
      const exec::Form* form = context_.forms().find(text);
      if (form == nullptr)
        return refuse(source.at, "'" + std::string(source.opcode) + "' with a vector of " +
                                     std::to_string(count) + " is not supported");
      return generic(source, *form, operands);
    }
  }
  const bool memory = base == "ld" || base == "st" || base == "ldu" || base == "atom" || base == "red";
  if ((memory || base == "cp") && !drop_cache_policy(source, operands)) return;
  if (source.opcode.starts_with("cp.async.c") && has_modifier(source.opcode, ".global"))
    return copy_async(source, operands);
  const exec::Form* form = nullptr;
  if (memory || base == "cvta" || base == "isspacep") {
    form = find_form(source, memory_opcode(source));
  } else if (module_.target_number < 20) {
    if (module_.maps_doubles && source.opcode.find(".f64") != std::string_view::npos)
      return refuse(source.at, "'" + std::string(source.opcode) + "' with map_f64_to_f32 is not supported");
    form = find_form(source, newer_opcode(source.opcode));
  } else {
    form = context_.forms().find(source.opcode);
    if (form == nullptr || (form->flags & exec::kInternal) != 0)
      form = find_form(source, std::string(source.opcode));
  }
  if (form == nullptr) return;
  if (form->group == "video") return video(source, *form, operands);
  generic(source, *form, operands);
}

// One value, or several in braces or in a vector register.
bool FunctionLowering::value(const OperandSpec& spec, const exec::Form& form, const Operand& operand,
                             const Instruction& source) {
  if (spec.count == 1 && operand.kind != OperandKind::kVector) return element(spec, form, operand, source);
  std::span<const Operand> elements = elements_of(operand);
  Resolved name;
  if (operand.kind == OperandKind::kName && resolve_register(operand.name, name) &&
      name.kind == Resolved::Kind::kVector && has_count(name.count, spec.count)) {
    for (unsigned i = 0; i < spec.count; ++i) {
      put({ValueKind::kRegister, spec.role == Role::kDestination, false, false, name.index + i});
    }
    return true;
  }
  if (operand.kind != OperandKind::kVector || !has_count(elements.size(), spec.count)) {
    error(operand.at, "'" + std::string(source.opcode) + "' takes a vector of " +
                          std::to_string(padded(spec.count)) + " here");
    return false;
  }
  bool good = true;
  for (const Operand& part : elements.first(spec.count)) good &= element(spec, form, part, source);
  return good;
}

void FunctionLowering::generic(const Instruction& source, const exec::Form& first_form,
                               std::span<const Operand> operands) {
  const exec::Form& form = first_form.other == nullptr ? first_form : first_form.for_count(operands.size());
  begin(form, source);
  size_t next = 0;
  bool good = true;
  bool second_address = false;
  for (const OperandSpec& spec : form.operands) {
    if (spec.role == Role::kCarryIn || spec.role == Role::kCarryOut) {
      if (carry_ == kNoIndex) carry_ = add_register(Width::kPredicate);
      put({ValueKind::kRegister, spec.role == Role::kCarryOut, true, false, carry_});
      continue;
    }
    if (next == operands.size()) {
      if (!spec.optional) {
        return error(source.at, "'" + std::string(source.opcode) + "' has " +
                                    std::to_string(operands.size()) + " operands, which is too few");
      }
      for (unsigned i = 0; i < spec.count; ++i) put({});
      continue;
    }
    const Operand& operand = operands[next++];
    if (spec.role == Role::kAddress) {
      good &= address(operand, second_address);
      second_address = true;
      continue;
    }
    if (spec.role == Role::kTexture) {
      good &= texture(spec, form, operand, source);
      continue;
    }
    if (spec.optional && form.group == "texture" && is_depth_value(spec, operand))
      return refuse_depth(source);
    const bool is_pair = spec.pair && operand.kind == OperandKind::kPair;
    good &= value(spec, form, is_pair ? elements_of(operand)[0] : operand, source);
    if (is_pair) {
      OperandSpec predicate;
      predicate.role = Role::kDestination;
      predicate.type = Type::kPred;
      good &= element(predicate, form, elements_of(operand)[1], source);
    } else if (spec.pair) {
      put({ValueKind::kRaw, true, true, false, exec::kPredicateTrash});
    }
  }
  if (next < operands.size() && form.group == "texture") return refuse_depth(source);
  if (next < operands.size()) {
    return error(operands[next].at, "'" + std::string(source.opcode) + "' has " +
                                        std::to_string(operands.size()) + " operands, which is too many");
  }
  if (!good) return;
  finish();
  if ((form.flags & exec::kTerminator) != 0 && source.guard.empty()) end_block();
}

}  // namespace outboard::softgpu::ptx
