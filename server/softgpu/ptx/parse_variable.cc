// Variable declarations with types, alignment, array extents and initial values.
#include <algorithm>
#include <bit>
#include <cstring>

#include "server/softgpu/ptx/limits.h"
#include "server/softgpu/ptx/parser.h"

namespace outboard::softgpu::ptx {

namespace {

// Set by what is bound to the reference.
bool is_image_property(std::string_view field) {
  return field == "width" || field == "height" || field == "depth" || field == "channel_data_type" ||
         field == "channel_order" || field == "array_size" || field == "num_mipmap_levels" ||
         field == "num_samples" || field == "memory_layout";
}

}  // namespace

// What follows the state space up to the name; out.bytes is one element. `is_parameter`: of a function,
// where .ptr attributes may follow the type.
bool Parser::variable_type(StateSpace space, Linkage linkage, bool is_parameter, VariableDeclaration& out) {
  out.space = space;
  out.linkage = linkage;
  bool aligned = false;
  while (token_.kind == TokenKind::kDirective) {
    std::string_view word = token_.text;
    if (word == ".align") {
      take();
      uint64_t align = integer_expression();
      if (!std::has_single_bit(align) || align > kMaxAlign) {
        fail_here("alignment " + std::to_string(align) + " is not a power of two up to " +
                  std::to_string(kMaxAlign));
        return false;
      }
      // A pointer parameter's .align tells of what it points to, not of the parameter.
      if (!is_parameter || out.type == Type::kNone) {
        out.align = static_cast<uint32_t>(align);
        aligned = true;
      }
      continue;
    }
    if (word == ".v2" || word == ".v4" || word == ".v8") {
      out.vector = static_cast<uint32_t>(word[2] - '0');
    } else if (word == ".ptr" || (is_parameter && out.type != Type::kNone)) {
      // .ptr .global and the like
    } else if (word == ".attribute") {
      take();
      if (!expect('(')) return false;
      while (token_.kind != TokenKind::kEnd && !token_.is(')')) {
        if (at_directive(".managed")) out.managed = true;
        take();
      }
      if (!expect(')')) return false;
      continue;
    } else if (word == ".texref" || word == ".samplerref" || word == ".surfref") {
      // Where one is a parameter, it holds a 64-bit handle.
      out.type = Type::kB64;
      if (space == StateSpace::kGlobal) {
        out.space = word == ".texref"    ? StateSpace::kTexture
                    : word == ".surfref" ? StateSpace::kSurface
                                         : StateSpace::kSampler;
      }
    } else if (Type type = find_type(word.substr(1)); type != Type::kNone && type != Type::kPred) {
      out.type = type;
    } else if (out.type == Type::kNone && type == Type::kPred && space == StateSpace::kRegister) {
      out.type = type;
    } else {
      fail_here("unexpected " + describe() + " in a variable's declaration");
      return false;
    }
    take();
  }
  if (out.type == Type::kNone) {
    fail_here("the declaration has no type");
    return false;
  }
  out.bytes = uint64_t{type_bytes(out.type)} * out.vector;
  if (!aligned) out.align = static_cast<uint32_t>(out.bytes ? out.bytes : 1);
  return true;
}

bool Parser::variable(StateSpace space, Linkage linkage, bool is_parameter, VariableDeclaration& out) {
  return variable_type(space, linkage, is_parameter, out) && variable_name(out);
}

// One statement may declare several of the same type: .global .u32 a, b[4], c<2>;
void Parser::variables(StateSpace space, Linkage linkage, std::vector<VariableDeclaration>& list) {
  VariableDeclaration type;
  if (!variable_type(space, linkage, false, type)) return;
  do {
    VariableDeclaration next = type;
    if (!variable_name(next)) return;
    if (!accept('<')) {
      list.push_back(std::move(next));
    } else if (!numbered_variables(next, list)) {
      return;
    }
  } while (accept(','));
  expect(';');
}

// name<2> stands for name0 and name1.
bool Parser::numbered_variables(const VariableDeclaration& shape, std::vector<VariableDeclaration>& list) {
  const uint64_t room = kMaxNumberedVariables - module_.numbered_names.size();
  if (token_.kind != TokenKind::kInteger || token_.value > room) {
    fail_here("expected a number of variables up to " + std::to_string(room) + " (a text may have " +
              std::to_string(kMaxNumberedVariables) + " of this kind), found " + describe());
    return false;
  }
  for (uint64_t i = 0; i < token_.value; ++i) {
    list.push_back(shape);
    module_.numbered_names.push_back(
        std::make_unique<const std::string>(std::string(shape.name) + std::to_string(i)));
    list.back().name = *module_.numbered_names.back();
  }
  take();
  return expect('>');
}

// The name, and what may follow it.
bool Parser::variable_name(VariableDeclaration& out) {
  if (token_.kind != TokenKind::kIdentifier) {
    fail_here("expected a name, found " + describe());
    return false;
  }
  out.name = token_.text;
  out.at = token_.at;
  take();
  std::vector<uint64_t> extents;
  dimensions(out, extents);
  if (panic_) return false;
  const bool is_reference = out.space == StateSpace::kTexture || out.space == StateSpace::kSampler ||
                            out.space == StateSpace::kSurface;
  if (is_reference && !extents.empty()) {
    fail_here("'" + std::string(out.name) + "' is an array of references; a reference stands alone");
    return false;
  }
  if (is_reference && accept('=')) {
    reference_settings(out);
  } else if (accept('=')) {
    if (out.space != StateSpace::kGlobal && out.space != StateSpace::kConstant) {
      fail_here("'" + std::string(out.name) +
                "' cannot have an initial value; only variables of .global and .const can");
      return false;
    }
    if (out.vector > 1) extents.push_back(out.vector);
    if (out.bytes > kMaxInitialBytes) {
      fail_here("an initial value may have at most " + std::to_string(kMaxInitialBytes) + " bytes");
      return false;
    }
    initializer(out, extents, 0, 0);
  }
  return !panic_;
}

// { field = value, ... }
void Parser::reference_settings(VariableDeclaration& variable) {
  constexpr std::string_view kAddressModes[] = {"wrap", "clamp_to_edge", "mirror", "clamp_to_border"};
  ReferenceSettings& settings = variable.reference;
  if (!expect('{')) return;
  while (!token_.is('}') && !panic_) {
    const std::string_view field = token_.text;
    take();
    if (!expect('=')) return;
    const std::string_view word = token_.text;
    const bool is_word = token_.kind == TokenKind::kIdentifier;
    uint64_t number = 0;
    if (is_word)
      take();
    else
      number = integer_expression();
    if (field == "normalized_coords") {
      settings.normalized_coordinates = number != 0;
    } else if (field == "force_unnormalized_coords") {
      settings.force_unnormalized = number != 0;
    } else if (field == "filter_mode" && (word == "nearest" || word == "linear")) {
      settings.linear_filter = word == "linear";
    } else if (field.starts_with("addr_mode_") && field.size() == 11 && field[10] >= '0' &&
               field[10] <= '2') {
      const auto* mode = std::find(std::begin(kAddressModes), std::end(kAddressModes), word);
      // OpenCL's border, of zeros, is what a border is unless cuTexRefSetBorderColor says otherwise.
      if (mode == std::end(kAddressModes) && word != "clamp_ogl")
        return fail_here("'" + std::string(word) + "' is no address mode");
      settings.address_modes[field[10] - '0'] =
          static_cast<uint8_t>(word == "clamp_ogl" ? 3 : mode - std::begin(kAddressModes));
    } else if (is_word || !is_image_property(field)) {
      return fail_here("'" + std::string(field) + "' of a reference cannot have this value, or is unknown");
    }
    if (!accept(',')) break;
  }
  expect('}');
}

void Parser::dimensions(VariableDeclaration& variable, std::vector<uint64_t>& extents) {
  while (accept('[')) {
    if (accept(']')) {
      variable.unsized = true;
      extents.push_back(0);
      continue;
    }
    uint64_t extent = integer_expression();
    if (!expect(']')) return;
    extents.push_back(extent);
    if (extent != 0 && variable.bytes > kMaxVariableBytes / extent) {
      fail_here("a variable may have at most " + std::to_string(kMaxVariableBytes) + " bytes");
      return;
    }
    variable.bytes *= extent;
    if (extents.size() > 8) return fail_here("more than 8 dimensions");
  }
  if (variable.unsized) variable.bytes = 0;
}

// `level` is the dimension that the coming brace describes.
void Parser::initializer(VariableDeclaration& variable, const std::vector<uint64_t>& extents, size_t level,
                         uint64_t offset) {
  if (!accept('{')) return initial_value(variable, offset);
  if (level > extents.size()) return fail_here("too many braces in the initial value");
  uint64_t stride = type_bytes(variable.type);
  for (size_t i = level + 1; i < extents.size(); ++i) stride *= extents[i] ? extents[i] : 1;
  uint64_t limit =
      level < extents.size() && extents[level] ? extents[level] : kMaxInitialBytes / (stride ? stride : 1);
  uint64_t count = 0;
  while (!token_.is('}') && !panic_) {
    if (count == limit)
      return fail_here("more initial values than elements in '" + std::string(variable.name) + "'");
    if (token_.is('{')) {
      if (level + 1 > extents.size()) return fail_here("too many braces in the initial value");
      initializer(variable, extents, level + 1, offset + count * stride);
    } else {
      // A flat list fills the elements one after another, whatever the dimensions are.
      uint64_t element = type_bytes(variable.type);
      if (level + 1 < extents.size() && count == 0) {
        stride = element;
        limit = (variable.bytes - offset) / (element ? element : 1);
      }
      initial_value(variable, offset + count * stride);
    }
    ++count;
    if (!accept(',')) break;
  }
  if (variable.unsized && level == 0) variable.bytes = count * stride;
  expect('}');
}

void Parser::put_initial(VariableDeclaration& variable, uint64_t offset, uint64_t bits, uint32_t bytes) {
  if (offset + bytes > kMaxInitialBytes) return fail_here("the initial value is too large");
  if (!variable.unsized && offset + bytes > variable.bytes)
    return fail_here("the initial value is larger than the variable");
  if (variable.initial.size() < offset + bytes) variable.initial.resize(offset + bytes);
  std::memcpy(variable.initial.data() + offset, &bits, bytes);
}

void Parser::initial_value(VariableDeclaration& variable, uint64_t offset) {
  Position at = token_.at;
  uint32_t bytes = type_bytes(variable.type);
  Value value = expression(0);
  if (panic_) return;
  if (value.kind == Value::Kind::kSymbol) {
    if (bytes <= 8 && (value.symbol_bytes != 0 || bytes >= 4)) {
      // A byte of an address is resolved like a whole one; `bytes` 1 and the shift say which.
      InitialSymbol symbol{offset, value.symbol, static_cast<int64_t>(value.bits), bytes, at};
      if (value.symbol_bytes != 0) {
        // Eight consecutive bytes of one address make one relocation, entered at byte 0.
        put_initial(variable, offset, 0, bytes);
        if (value.symbol_shift != 0) return;
        symbol.bytes = 8;
      }
      put_initial(variable, offset, 0, bytes);
      variable.symbols.push_back(symbol);
      return;
    }
    return fail_here("an address cannot be a value of " + std::to_string(bytes) + " bytes");
  }
  uint64_t bits = value.bits;
  bool is_float = type_kind(variable.type) == TypeKind::kFloat;
  if (value.kind == Value::Kind::kFloat64 && (variable.type == Type::kF32 || !is_float) && bytes == 4) {
    bits = std::bit_cast<uint32_t>(static_cast<float>(std::bit_cast<double>(bits)));
  } else if (value.kind == Value::Kind::kFloat32 && variable.type == Type::kF64) {
    bits = std::bit_cast<uint64_t>(static_cast<double>(std::bit_cast<float>(static_cast<uint32_t>(bits))));
  } else if (value.kind != Value::Kind::kFloat32 && value.kind != Value::Kind::kFloat64 && is_float) {
    double number = value.kind == Value::Kind::kUnsigned ? static_cast<double>(bits)
                                                         : static_cast<double>(static_cast<int64_t>(bits));
    if (variable.type == Type::kF32) bits = std::bit_cast<uint32_t>(static_cast<float>(number));
    if (variable.type == Type::kF64) bits = std::bit_cast<uint64_t>(number);
  }
  put_initial(variable, offset, bits, bytes < 8 ? bytes : 8);
}

}  // namespace outboard::softgpu::ptx
