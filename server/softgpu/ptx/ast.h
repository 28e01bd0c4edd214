// What the parser found, close to the text. Names are views into the text, or into
// Module::numbered_names.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "server/softgpu/ptx/reference.h"
#include "server/softgpu/ptx/source.h"
#include "server/softgpu/ptx/types.h"

namespace outboard::softgpu::ptx {

enum class StateSpace : uint8_t {
  kRegister,
  kGlobal,
  kConstant,
  kShared,
  kLocal,
  kParameter,
  kTexture,  // references: a variable of these is an object, not memory
  kSampler,
  kSurface,
};
enum class Linkage : uint8_t { kInternal, kExtern, kVisible, kWeak, kCommon };

enum class OperandKind : uint8_t {
  kName,     // register, variable, label or function; with `value` as byte offset
  kInteger,  // `value`, two's complement
  kFloat32,
  kFloat64,
  kAddress,  // [name + value]; elements: what follows a comma (texture coordinates)
  kVector,   // {a, b, ...}
  kList,     // (a, b, ...)
  kPair,     // a|b
  kSink,     // _
};

struct Operand {
  OperandKind kind = OperandKind::kName;
  bool negated = false;  // !p, or a minus in front of a register
  uint32_t element_count = 0;
  uint32_t first_element = 0;  // in Module::operands
  Position at;
  std::string_view name;
  uint64_t value = 0;
};

struct Instruction {
  std::string_view opcode;  // with all modifiers
  std::string_view guard;   // predicate register, empty if none
  bool guard_negated = false;
  uint16_t operand_count = 0;
  uint32_t first_operand = 0;  // in Module::operands
  Position at;
};

struct RegisterDeclaration {
  Type type = Type::kNone;
  std::string_view name;
  uint32_t count = 0;   // 0: just `name`; else name0 .. name(count-1)
  uint32_t vector = 1;  // .v2, .v4
  Position at;
};

struct InitialSymbol {
  uint64_t offset = 0;
  std::string_view symbol;
  int64_t addend = 0;
  uint32_t bytes = 8;
  Position at;
};

struct VariableDeclaration {
  StateSpace space = StateSpace::kGlobal;
  Linkage linkage = Linkage::kInternal;
  Type type = Type::kNone;
  uint32_t vector = 1;  // .v2, .v4, .v8
  uint32_t align = 1;
  uint64_t bytes = 0;
  bool unsized = false;  // name[]
  bool managed = false;
  std::string_view name;
  std::vector<std::byte> initial;
  std::vector<InitialSymbol> symbols;
  ReferenceSettings reference;  // of a texture or sampler
  Position at;
};

// Names that a .branchtargets or .calltargets statement lists, or the signature of a
// .callprototype.
struct TargetList {
  std::string_view label;
  std::vector<std::string_view> names;
  Position at;
};

struct Prototype {
  std::string_view label;
  std::vector<VariableDeclaration> results;
  std::vector<VariableDeclaration> parameters;
  Position at;
};

enum class StatementKind : uint8_t {
  kInstruction,
  kLabel,
  kRegister,
  kVariable,
  kScopeBegin,
  kScopeEnd,
  kBranchTargets,
  kCallTargets,
  kPrototype,
};

struct Statement {
  StatementKind kind;
  uint32_t index = 0;  // in the vector of its kind
};

struct Label {
  std::string_view name;
  Position at;
};

struct Function {
  std::string_view name;
  bool is_entry = false;
  bool has_body = false;
  bool no_return = false;
  bool variadic = false;
  Linkage linkage = Linkage::kInternal;
  std::vector<VariableDeclaration> results;
  std::vector<VariableDeclaration> parameters;
  uint32_t max_threads[3] = {0, 0, 0};
  uint32_t required_threads[3] = {0, 0, 0};
  uint32_t cluster[3] = {0, 0, 0};
  std::vector<Statement> body;
  std::vector<Instruction> instructions;
  std::vector<Label> labels;
  std::vector<RegisterDeclaration> registers;
  std::vector<VariableDeclaration> variables;
  std::vector<TargetList> targets;
  std::vector<Prototype> prototypes;
  Position at;
};

struct Alias {
  std::string_view name;
  std::string_view target;
  Position at;
};

struct Module {
  uint32_t version_major = 0, version_minor = 0;
  std::string_view target;     // "sm_90", "sm_90a", ...
  uint32_t target_number = 0;  // 90
  bool maps_doubles = false;   // map_f64_to_f32
  uint32_t address_size = 0;   // 0: the text, an old one, does not say
  std::vector<VariableDeclaration> variables;
  std::vector<Function> functions;
  std::vector<Alias> aliases;
  std::vector<Operand> operands;                                   // pool of all instructions' operands
  std::vector<std::unique_ptr<const std::string>> numbered_names;  // of variables declared as name<count>
};

}  // namespace outboard::softgpu::ptx
