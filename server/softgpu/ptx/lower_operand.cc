// Operands of ordinary instructions: registers, immediates, names of variables, addresses.
#include <bit>

#include "server/softgpu/ptx/lower.h"

namespace outboard::softgpu::ptx {

using exec::OperandSpec;
using exec::Role;

namespace {

std::string quoted(std::string_view name) { return "'" + std::string(name.substr(0, 80)) + "'"; }

std::string bits_text(Width width) {
  return width == Width::kPredicate ? "a predicate" : std::to_string(8 * width_bytes(width)) + " bits wide";
}

uint16_t half_bits(double value, bool brain) {
  if (!brain) return std::bit_cast<uint16_t>(static_cast<_Float16>(value));
  uint32_t bits = std::bit_cast<uint32_t>(static_cast<float>(value));
  return static_cast<uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

}  // namespace

IrOperand FunctionLowering::constant(Width width, uint64_t bits) {
  Constant value;
  value.width = width;
  uint32_t bytes = width_bytes(width);
  value.bits = bytes < 8 ? bits & ((uint64_t{1} << (8 * bytes)) - 1) : bits;
  return {ValueKind::kConstant, false, false, false, context_.constants().add(value)};
}

IrOperand FunctionLowering::symbol_constant(const Symbol& symbol, Width width, uint64_t addend) {
  Constant value;
  value.width = width;
  value.bits = addend;
  value.symbol = symbol.index;
  value.kind = symbol.kind == SymbolKind::kShared     ? Constant::Kind::kShared
               : symbol.kind == SymbolKind::kFunction ? Constant::Kind::kFunction
                                                      : Constant::Kind::kVariable;
  if (symbol.kind == SymbolKind::kShared) ir_.shared_variables.push_back(symbol.index);
  if (symbol.kind == SymbolKind::kFunction) ir_.address_taken.push_back(symbol.index);
  return {ValueKind::kConstant, false, false, false, context_.constants().add(value)};
}

IrOperand FunctionLowering::immediate(Type type, const Operand& operand) {
  uint64_t bits = operand.value;
  bool is_float = operand.kind == OperandKind::kFloat32 || operand.kind == OperandKind::kFloat64;
  double number = operand.kind == OperandKind::kFloat32
                      ? static_cast<double>(std::bit_cast<float>(static_cast<uint32_t>(bits)))
                  : is_float ? std::bit_cast<double>(bits)
                             : static_cast<double>(static_cast<int64_t>(bits));
  switch (type) {
    case Type::kF32:
      if (operand.kind != OperandKind::kFloat32) bits = std::bit_cast<uint32_t>(static_cast<float>(number));
      break;
    case Type::kF64:
      if (operand.kind != OperandKind::kFloat64) bits = std::bit_cast<uint64_t>(number);
      break;
    case Type::kF16:
    case Type::kBF16:
      if (is_float) bits = half_bits(number, type == Type::kBF16);
      break;
    case Type::kB8:
    case Type::kU8: bits &= 0xff; break;
    case Type::kS8: bits = static_cast<uint64_t>(static_cast<int64_t>(static_cast<int8_t>(bits))); break;
    default:
      // A float in an untyped operand keeps its bits, rounded to the width if it was decimal.
      if (operand.kind == OperandKind::kFloat64 && type_bytes(type) == 4)
        bits = std::bit_cast<uint32_t>(static_cast<float>(number));
      break;
  }
  return constant(type_width(type), bits);
}

bool FunctionLowering::fit_width(IrOperand& operand, Width have, Width want, const exec::Form& form,
                                 const Instruction& source, Position at) {
  if (have == want) return true;
  bool relaxed = (form.flags & exec::kRelaxedWidths) != 0 || operand.kind == ValueKind::kSpecial;
  bool possible =
      have != Width::kPredicate && want != Width::kPredicate && have != Width::k128 && want != Width::k128;
  if (!relaxed || !possible || (have < want && operand.kind != ValueKind::kSpecial)) {
    error(at, "the operand is " + bits_text(have) + ", but '" + std::string(source.opcode) +
                  "' takes one that is " + bits_text(want));
    return false;
  }
  uint32_t temporary = add_register(want);
  std::string bits_have = std::to_string(8 * width_bytes(have)),
              bits_want = std::to_string(8 * width_bytes(want));
  IrOperand to{ValueKind::kRegister, true, false, false, temporary};
  if (have > want)
    emit_internal("narrow.b" + bits_want + ".b" + bits_have, source, {to, operand});
  else
    emit_internal("widen.u" + bits_want + ".u" + bits_have, source, {to, operand});
  operand = {ValueKind::kRegister, false, false, false, temporary};
  return true;
}

// The value that a variable's or function's name stands for.
bool FunctionLowering::symbol_value(const Resolved& name, Width width, uint64_t addend,
                                    const Instruction& source, Position at, IrOperand& out) {
  if (width != Width::k32 && width != Width::k64) {
    error(at, "an address needs an operand of 32 or 64 bits");
    return false;
  }
  std::string suffix = width == Width::k32 ? "b32" : "b64";
  if (name.kind == Resolved::Kind::kLocal) {
    if (name.local.kind == LocalKind::kParamBuffer) {
      out = constant(width, name.local.offset + addend);
      return true;
    }
    uint32_t temporary = add_register(width);
    emit_internal(
        "frame.address." + suffix, source,
        {{ValueKind::kRegister, true, false, false, temporary},
         {ValueKind::kRaw, false, false, false, static_cast<uint32_t>(name.local.offset + addend)}});
    out = {ValueKind::kRegister, false, false, false, temporary};
    return true;
  }
  if (name.symbol.kind == SymbolKind::kDynamicShared) {
    ir_.uses_dynamic_shared = true;
    ir_.specials |= uint64_t{1} << static_cast<unsigned>(exec::Special::kDynamicSharedBase);
    uint32_t temporary = add_register(width);
    emit_internal("shared.address." + suffix, source,
                  {{ValueKind::kRegister, true, false, false, temporary},
                   {ValueKind::kRaw, false, false, false, static_cast<uint32_t>(addend)}});
    out = {ValueKind::kRegister, false, false, false, temporary};
    return true;
  }
  if (width == Width::k32 && name.symbol.kind != SymbolKind::kShared) {
    refuse(at, "32-bit addresses of global variables do not exist on this device");
    return false;
  }
  out = symbol_constant(name.symbol, width, addend);
  return true;
}

bool FunctionLowering::predicate_source(const Operand& operand) {
  Resolved name;
  if (operand.kind == OperandKind::kInteger) {
    // A constant predicate: 0 is false.
    bool value = (operand.value != 0) != operand.negated;
    put({ValueKind::kRaw, false, true, false, exec::kPredicateTrue << 1 | (value ? 0u : 1u)});
    return true;
  }
  if (operand.kind != OperandKind::kName || !resolve_register(operand.name, name) ||
      name.type != Type::kPred) {
    error(operand.at, "expected a predicate register" +
                          (operand.name.empty() ? std::string() : ", found " + quoted(operand.name)));
    return false;
  }
  put({ValueKind::kRegister, false, true, operand.negated, name.index});
  return true;
}

bool FunctionLowering::source_value(const OperandSpec& spec, const exec::Form& form, const Operand& operand,
                                    const Instruction& source) {
  if (spec.type == Type::kPred) return predicate_source(operand);
  Width want = type_width(spec.type);
  IrOperand value;
  switch (operand.kind) {
    case OperandKind::kInteger:
    case OperandKind::kFloat32:
    case OperandKind::kFloat64: put(immediate(spec.type, operand)); return true;
    case OperandKind::kName: break;
    default:
      error(operand.at, "'" + std::string(source.opcode) + "' takes a register or a constant here");
      return false;
  }
  Resolved name = resolve(operand.name);
  Width have = Width::k32;
  switch (name.kind) {
    case Resolved::Kind::kRegister:
      if (operand.value != 0) {
        error(operand.at, "a register with an offset is only possible in an address");
        return false;
      }
      value = {ValueKind::kRegister, false, false, false, name.index};
      have = type_width(name.type);
      break;
    case Resolved::Kind::kSpecial:
      ir_.specials |= uint64_t{1} << name.index;
      value = {ValueKind::kSpecial, false, false, false, name.index};
      break;
    case Resolved::Kind::kClock: {
      have = name.clock_form.ends_with("64") ? Width::k64 : Width::k32;
      uint32_t temporary = add_register(have);
      emit_internal(name.clock_form, source, {{ValueKind::kRegister, true, false, false, temporary}});
      value = {ValueKind::kRegister, false, false, false, temporary};
      break;
    }
    case Resolved::Kind::kLocal:
    case Resolved::Kind::kSymbol:
      if (!symbol_value(name, want, operand.value, source, operand.at, value)) return false;
      put(value);
      return true;
    default: error(operand.at, quoted(operand.name) + " is not declared"); return false;
  }
  if (!fit_width(value, have, want, form, source, operand.at)) return false;
  put(value);
  return true;
}

bool FunctionLowering::destination(const OperandSpec& spec, const exec::Form& form, const Operand& operand,
                                   const Instruction& source) {
  bool predicate = spec.type == Type::kPred;
  Width want = type_width(spec.type);
  if (operand.kind == OperandKind::kSink) {
    if (predicate)
      put({ValueKind::kRaw, true, true, false, exec::kPredicateTrash});
    else
      put({ValueKind::kRegister, true, false, false, add_register(want)});
    return true;
  }
  Resolved name;
  if (operand.kind != OperandKind::kName || !resolve_register(operand.name, name) ||
      name.kind != Resolved::Kind::kRegister) {
    error(operand.at, operand.kind == OperandKind::kName ? quoted(operand.name) + " is not a register"
                                                         : "expected a register as destination");
    return false;
  }
  Width have = type_width(name.type);
  if (have == want) {
    put({ValueKind::kRegister, true, predicate, false, name.index});
    return true;
  }
  bool relaxed = (form.flags & exec::kRelaxedWidths) != 0 && have > want && !predicate && have != Width::k128;
  if (!relaxed) {
    error(operand.at, "register " + quoted(operand.name) + " is " + bits_text(have) + ", but '" +
                          std::string(source.opcode) + "' gives a result that is " + bits_text(want));
    return false;
  }
  uint32_t temporary = add_register(want);
  widens_.push_back({temporary, name.index, want, have, type_kind(spec.type) == TypeKind::kSigned});
  put({ValueKind::kRegister, true, false, false, temporary});
  return true;
}

bool FunctionLowering::element(const OperandSpec& spec, const exec::Form& form, const Operand& operand,
                               const Instruction& source) {
  if (spec.role == Role::kDestination) return destination(spec, form, operand, source);
  if (spec.role == Role::kInteger) {
    if (operand.kind != OperandKind::kInteger) {
      error(operand.at, "'" + std::string(source.opcode) + "' takes an integer constant here");
      return false;
    }
    put({ValueKind::kRaw, false, false, false, static_cast<uint32_t>(operand.value)});
    return true;
  }
  return source_value(spec, form, operand, source);
}

bool FunctionLowering::address(const Operand& operand, bool second) {
  if (operand.kind != OperandKind::kAddress) {
    error(operand.at, "expected an address in brackets");
    return false;
  }
  uint16_t flag32 = second ? exec::kSecondAddress32 : exec::kAddress32;
  uint16_t uniform = second ? exec::kSecondUniformAddress : exec::kUniformAddress;
  IrOperand base;
  int64_t offset = static_cast<int64_t>(operand.value);
  if (operand.name.empty()) {
    base = constant(Width::k64, operand.value);
    offset = 0;
    current_.flags |= uniform;
  } else {
    Resolved name = resolve(operand.name);
    switch (name.kind) {
      case Resolved::Kind::kRegister: {
        Width width = type_width(name.type);
        if (width != Width::k32 && width != Width::k64) {
          error(operand.at,
                "register " + quoted(operand.name) + " cannot hold an address: it is " + bits_text(width));
          return false;
        }
        if (width == Width::k32 && module_.address_size == 0) {
          refuse(operand.at,
                 "this is 32-bit PTX, which is not supported: it has no .address_size, and register " +
                     quoted(operand.name) + " of 32 bits holds an address");
          return false;
        }
        if (width == Width::k32) current_.flags |= flag32;
        base = {ValueKind::kRegister, false, false, false, name.index};
        break;
      }
      case Resolved::Kind::kLocal:
        current_.flags |= flag32;
        if (name.local.kind == LocalKind::kParamBuffer) {
          base = constant(Width::k32, name.local.offset + operand.value);
          offset = 0;
          current_.flags |= uniform;
        } else {
          ir_.specials |= uint64_t{1} << static_cast<unsigned>(exec::Special::kStackPointer);
          base = {ValueKind::kSpecial, false, false, false,
                  static_cast<uint32_t>(exec::Special::kStackPointer)};
          offset += name.local.offset;
        }
        break;
      case Resolved::Kind::kSymbol:
        if (name.symbol.kind == SymbolKind::kReference) {
          error(operand.at,
                quoted(operand.name) + " is a texture, sampler or surface reference: it is no memory");
          return false;
        }
        current_.flags |= uniform;
        if (name.symbol.kind == SymbolKind::kDynamicShared) {
          ir_.uses_dynamic_shared = true;
          ir_.specials |= uint64_t{1} << static_cast<unsigned>(exec::Special::kDynamicSharedBase);
          base = {ValueKind::kSpecial, false, false, false,
                  static_cast<uint32_t>(exec::Special::kDynamicSharedBase)};
          current_.flags |= flag32;
        } else {
          bool shared = name.symbol.kind == SymbolKind::kShared;
          if (shared) current_.flags |= flag32;
          base = symbol_constant(name.symbol, shared ? Width::k32 : Width::k64, operand.value);
          offset = 0;
        }
        break;
      default: error(operand.at, quoted(operand.name) + " is not declared"); return false;
    }
  }
  if (offset != static_cast<int32_t>(offset)) {
    error(operand.at, "offset " + std::to_string(offset) + " does not fit in 32 bits");
    return false;
  }
  put(base);
  put({ValueKind::kRaw, false, false, false, static_cast<uint32_t>(static_cast<int32_t>(offset))});
  return true;
}

}  // namespace outboard::softgpu::ptx
