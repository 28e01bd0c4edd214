// Operands of texture and surface instructions: "[object, sampler, {coordinates}]".
#include "server/softgpu/ptx/lower.h"

namespace outboard::softgpu::ptx {

using exec::OperandSpec;
using exec::Role;

// A texture, sampler or surface: a register that holds its handle, or the name of a reference.
bool FunctionLowering::object_handle(const Operand& operand, const Instruction& source) {
  const std::string name_text = "'" + std::string(operand.name) + "'";
  if (operand.name.empty() || operand.value != 0) {
    error(operand.at, "expected a texture, sampler or surface, or a register that holds one");
    return false;
  }
  Resolved name = resolve(operand.name);
  if (name.kind == Resolved::Kind::kRegister && type_width(name.type) == Width::k64) {
    put({ValueKind::kRegister, false, false, false, name.index});
    return true;
  }
  if (name.kind == Resolved::Kind::kSymbol && name.symbol.kind == SymbolKind::kReference) {
    put(symbol_constant(name.symbol, Width::k64, 0));
    return true;
  }
  if (name.kind == Resolved::Kind::kLocal && name.local.bytes == 8) {
    // A parameter that is a reference holds the handle.
    const bool frame = name.local.kind == LocalKind::kFrame;
    const IrOperand loaded{ValueKind::kRegister, false, false, false, add_register(Width::k64)};
    IrOperand to = loaded;
    to.is_destination = true;
    if (frame) {
      emit_internal("frame.load.b64", source,
                    {to, {ValueKind::kRaw, false, false, false, name.local.offset}});
    } else {
      emit_internal("ld.param.b64", source,
                    {to, constant(Width::k32, name.local.offset), {ValueKind::kRaw, false, false, false, 0}});
      ir_.instructions.back().flags = exec::kAddress32 | exec::kUniformAddress;
    }
    put(loaded);
    return true;
  }
  error(operand.at, name_text + " is no texture, sampler or surface reference, and no 64-bit register");
  return false;
}

bool FunctionLowering::texture(const OperandSpec& spec, const exec::Form& form, const Operand& operand,
                               const Instruction& source) {
  std::span<const Operand> inside = elements_of(operand);
  const bool is_texture = form.group == "texture";
  const size_t most = spec.count == 0 ? 0 : is_texture ? 2 : 1;
  if (operand.kind != OperandKind::kAddress || inside.size() > most || (spec.count != 0 && inside.empty())) {
    error(operand.at, "'" + std::string(source.opcode) + "' takes [object" +
                          (spec.count == 0 ? ""
                           : is_texture    ? ", optional sampler, coordinates"
                                           : ", coordinates") +
                          "] here");
    return false;
  }
  if (!object_handle(operand, source)) return false;
  if (spec.count == 0) return true;
  if (inside.size() == 1)
    put({});
  else if (!object_handle(inside[0], source))
    return false;
  OperandSpec layer;
  layer.type = Type::kU32;
  OperandSpec coordinate = spec;
  coordinate.role = Role::kSource;
  const size_t count = spec.count + (spec.layer ? 1 : 0);
  const Operand& place = inside.back();
  Resolved name;
  if (place.kind == OperandKind::kName && resolve_register(place.name, name) &&
      name.kind == Resolved::Kind::kVector && has_count(name.count, count)) {
    for (uint32_t i = 0; i < count; ++i) put({ValueKind::kRegister, false, false, false, name.index + i});
    return true;
  }
  std::span<const Operand> parts = elements_of(place);
  if (place.kind != OperandKind::kVector && count == 1) parts = {&place, 1};
  if (!has_count(parts.size(), count)) {
    error(place.at, "'" + std::string(source.opcode) + "' takes a vector of " +
                        std::to_string(padded(count)) + " coordinates");
    return false;
  }
  bool good = true;
  for (size_t i = 0; i < count; ++i)
    good &= element(spec.layer && i == 0 ? layer : coordinate, form, parts[i], source);
  return good;
}

// Behind what every form takes, depth textures take a value to compare with.
bool FunctionLowering::is_depth_value(const OperandSpec& spec, const Operand& operand) {
  if (operand.kind == OperandKind::kVector) return false;
  Resolved name;
  const bool is_float =
      operand.kind == OperandKind::kFloat32 ||
      (operand.kind == OperandKind::kName && resolve_register(operand.name, name) && name.type == Type::kF32);
  return spec.count > 1 || is_float;
}

void FunctionLowering::refuse_depth(const Instruction& source) {
  refuse(source.at, "'" + std::string(source.opcode) +
                        "' with a depth to compare with is not supported: the device has no depth textures");
}

}  // namespace outboard::softgpu::ptx
