// Kernels and functions: header, directives, body.
#include "server/softgpu/ptx/limits.h"
#include "server/softgpu/ptx/parser.h"

namespace outboard::softgpu::ptx {

void Parser::parameter_list(std::vector<VariableDeclaration>& list, bool* variadic) {
  if (!expect('(')) return;
  while (!token_.is(')') && !panic_) {
    if (list.size() == kMaxParameters)
      return fail_here("more than " + std::to_string(kMaxParameters) + " parameters");
    VariableDeclaration parameter;
    StateSpace space = StateSpace::kParameter;
    if (accept_directive(".reg"))
      space = StateSpace::kRegister;
    else if (!accept_directive(".param"))
      return fail_here("expected .param or .reg, found " + describe());
    if (!variable(space, Linkage::kInternal, true, parameter)) return;
    if (parameter.unsized && variadic != nullptr) *variadic = true;
    list.push_back(std::move(parameter));
    if (!accept(',')) break;
  }
  expect(')');
}

void Parser::parse_extents(uint32_t (&extents)[3]) {
  extents[0] = extents[1] = extents[2] = 1;
  for (int i = 0; i < 3; ++i) {
    extents[i] = static_cast<uint32_t>(integer_expression());
    if (!accept(',')) return;
  }
}

void Parser::function_directives(Function& function) {
  while (token_.kind == TokenKind::kDirective && !panic_) {
    std::string_view name = token_.text;
    if (name == ".noreturn") {
      function.no_return = true;
      take();
    } else if (name == ".maxntid" || name == ".reqntid" || name == ".reqnctapercluster") {
      take();
      parse_extents(name == ".maxntid"   ? function.max_threads
                    : name == ".reqntid" ? function.required_threads
                                         : function.cluster);
    } else if (name == ".maxnreg" || name == ".minnctapersm" || name == ".maxnctapersm" ||
               name == ".maxclusterrank" || name == ".abi_preserve" || name == ".abi_preserve_control") {
      take();
      integer_expression();
    } else if (name == ".explicitcluster" || name == ".blocksareclusters") {
      take();
    } else if (name == ".pragma") {
      take();
      while (token_.kind == TokenKind::kString || token_.is(',')) take();
      expect(';');
    } else if (name == ".attribute") {
      take();
      while (token_.kind != TokenKind::kEnd && !token_.is(')')) take();
      expect(')');
    } else {
      return fail_here("unknown directive " + describe() + " at the head of a function");
    }
  }
}

void Parser::function(Linkage linkage, bool is_entry) {
  Function function;
  function.linkage = linkage;
  function.is_entry = is_entry;
  // Attributes may stand before the name: .func .attribute(...) name
  while (at_directive(".attribute") || at_directive(".noreturn")) {
    if (accept_directive(".noreturn")) {
      function.no_return = true;
      continue;
    }
    while (token_.kind != TokenKind::kEnd && !token_.is(')')) take();
    if (!expect(')')) return;
  }
  if (!is_entry && token_.is('(')) parameter_list(function.results, nullptr);
  if (panic_) return;
  if (token_.kind != TokenKind::kIdentifier)
    return fail_here("expected the function's name, found " + describe());
  function.name = token_.text;
  function.at = token_.at;
  take();
  if (token_.is('(')) parameter_list(function.parameters, &function.variadic);
  if (panic_) return;
  function_directives(function);
  if (panic_) return;
  if (token_.is('{')) {
    function.has_body = true;
    body(function);
  } else if (!accept(';')) {
    return fail_here("expected '{' or ';' after the head of function '" + std::string(function.name) +
                     "', found " + describe());
  }
  module_.functions.push_back(std::move(function));
}

void Parser::body(Function& function) {
  take();
  uint32_t depth = 1;
  while (depth > 0 && !diagnostics_.full()) {
    if (token_.kind == TokenKind::kEnd) {
      fail_here("the text ends inside function '" + std::string(function.name) + "'");
      return;
    }
    body_statement(function, depth);
    recover();
  }
}

void Parser::body_statement(Function& function, uint32_t& depth) {
  if (accept(';')) return;
  if (token_.is('{')) {
    if (++depth > kMaxNesting) {
      fail_here("blocks nested deeper than " + std::to_string(kMaxNesting));
      --depth;
    }
    take();
    function.body.push_back({StatementKind::kScopeBegin});
    return;
  }
  if (token_.is('}')) {
    if (--depth > 0) function.body.push_back({StatementKind::kScopeEnd});
    take();
    return;
  }
  if (token_.kind == TokenKind::kDirective) return body_directive(function);
  if (token_.is('@') || token_.kind == TokenKind::kIdentifier) return instruction(function);
  fail_here("expected an instruction, found " + describe());
  take();
}

void Parser::body_directive(Function& function) {
  if (accept_directive(".reg")) return register_declaration(function);
  if (accept_directive(".loc")) return skip_location();
  if (accept_directive(".pragma")) {
    while (token_.kind == TokenKind::kString || token_.is(',')) take();
    expect(';');
    return;
  }
  StateSpace space;
  if (accept_directive(".shared"))
    space = StateSpace::kShared;
  else if (accept_directive(".local"))
    space = StateSpace::kLocal;
  else if (accept_directive(".param"))
    space = StateSpace::kParameter;
  else if (accept_directive(".global"))
    space = StateSpace::kGlobal;
  else if (accept_directive(".const"))
    space = StateSpace::kConstant;
  else {
    fail_here("unknown directive " + describe() + " in a function's body");
    take();
    return;
  }
  auto index = static_cast<uint32_t>(function.variables.size());
  variables(space, Linkage::kInternal, function.variables);
  for (; index < function.variables.size(); ++index)
    function.body.push_back({StatementKind::kVariable, index});
}

// .reg [.vN] .type name[<count>] [, ...];
void Parser::register_declaration(Function& function) {
  RegisterDeclaration shape;
  while (token_.kind == TokenKind::kDirective) {
    if (token_.text == ".v2" || token_.text == ".v4") {
      shape.vector = static_cast<uint32_t>(token_.text[2] - '0');
    } else if (token_.text == ".align") {
      take();
      integer_expression();
      continue;
    } else {
      shape.type = find_type(token_.text.substr(1));
      if (shape.type == Type::kNone) return fail_here("unknown register type " + describe());
    }
    take();
  }
  if (shape.type == Type::kNone) return fail_here("the register declaration has no type");
  do {
    RegisterDeclaration declaration = shape;
    declaration.at = token_.at;
    if (token_.kind != TokenKind::kIdentifier)
      return fail_here("expected a register's name, found " + describe());
    declaration.name = token_.text;
    take();
    if (accept('<')) {
      if (token_.kind != TokenKind::kInteger || token_.value > kMaxRegistersPerFunction) {
        return fail_here("expected a register count up to " + std::to_string(kMaxRegistersPerFunction) +
                         ", found " + describe());
      }
      declaration.count = static_cast<uint32_t>(token_.value);
      take();
      if (!expect('>')) return;
      if (declaration.count == 0) continue;
    }
    function.body.push_back({StatementKind::kRegister, static_cast<uint32_t>(function.registers.size())});
    function.registers.push_back(declaration);
  } while (accept(','));
  expect(';');
}

void Parser::labelled(Function& function, Token name) {
  if (at_directive(".branchtargets") || at_directive(".calltargets")) {
    StatementKind kind =
        token_.text == ".branchtargets" ? StatementKind::kBranchTargets : StatementKind::kCallTargets;
    take();
    TargetList list{name.text, {}, name.at};
    do {
      if (token_.kind != TokenKind::kIdentifier) return fail_here("expected a name, found " + describe());
      list.names.push_back(token_.text);
      take();
    } while (accept(','));
    function.body.push_back({kind, static_cast<uint32_t>(function.targets.size())});
    function.targets.push_back(std::move(list));
    expect(';');
    return;
  }
  if (accept_directive(".callprototype")) {
    Prototype prototype;
    prototype.label = name.text;
    prototype.at = name.at;
    if (token_.is('(')) parameter_list(prototype.results, nullptr);
    if (!panic_ && token_.kind == TokenKind::kIdentifier) take();  // '_'
    if (!panic_ && token_.is('(')) parameter_list(prototype.parameters, nullptr);
    while (token_.kind == TokenKind::kDirective) {  // .noreturn, .abi_preserve N
      take();
      if (token_.kind == TokenKind::kInteger) take();
    }
    function.body.push_back({StatementKind::kPrototype, static_cast<uint32_t>(function.prototypes.size())});
    function.prototypes.push_back(std::move(prototype));
    expect(';');
    return;
  }
  function.body.push_back({StatementKind::kLabel, static_cast<uint32_t>(function.labels.size())});
  function.labels.push_back({name.text, name.at});
}

void Parser::instruction(Function& function) {
  Instruction instruction;
  instruction.at = token_.at;
  if (accept('@')) {
    instruction.guard_negated = accept('!');
    if (token_.kind != TokenKind::kIdentifier)
      return fail_here("expected a predicate register after '@', found " + describe());
    instruction.guard = token_.text;
    take();
    instruction.at = token_.at;
  }
  if (token_.kind != TokenKind::kIdentifier) return fail_here("expected an instruction, found " + describe());
  Token name = token_;
  take();
  if (token_.is(':') && instruction.guard.empty()) {
    take();
    return labelled(function, name);
  }
  instruction.opcode = name.text;
  in_call_ = name.text.starts_with("call");
  scratch_.clear();
  operand_list(';', scratch_, 0);
  if (panic_ || !expect(';')) return;
  if (function.instructions.size() >= kMaxInstructionsPerFunction) {
    return fail_here("more than " + std::to_string(kMaxInstructionsPerFunction) +
                     " instructions in one function");
  }
  instruction.operand_count = static_cast<uint16_t>(scratch_.size());
  instruction.first_operand = static_cast<uint32_t>(module_.operands.size());
  module_.operands.insert(module_.operands.end(), scratch_.begin(), scratch_.end());
  function.body.push_back({StatementKind::kInstruction, static_cast<uint32_t>(function.instructions.size())});
  function.instructions.push_back(instruction);
}

}  // namespace outboard::softgpu::ptx
