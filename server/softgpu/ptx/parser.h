// PTX text to AST. Finds syntax errors only; names and types are resolved later (lower.h).
#pragma once

#include <optional>
#include <string_view>

#include "server/softgpu/ptx/ast.h"
#include "server/softgpu/ptx/lexer.h"

namespace outboard::softgpu::ptx {

class Parser {
 public:
  Parser(std::string_view text, Diagnostics& diagnostics);
  // Returns what could be read; whether it is usable says diagnostics.failed().
  Module parse();

 private:
  // parser.cc: module level
  void statement();
  void version();
  void target();
  void address_size();
  void skip_section();
  void skip_location();
  void alias();
  void linked_declaration();
  void module_variable(Linkage linkage);

  // parse_function.cc
  void function(Linkage linkage, bool is_entry);
  void function_directives(Function& function);
  void parse_extents(uint32_t (&extents)[3]);
  void parameter_list(std::vector<VariableDeclaration>& list, bool* variadic);
  void body(Function& function);
  void body_statement(Function& function, uint32_t& depth);
  void body_directive(Function& function);
  void register_declaration(Function& function);
  void labelled(Function& function, Token name);
  void instruction(Function& function);

  // parse_operand.cc
  void operand_list(char end, std::vector<Operand>& list, uint32_t depth);
  Operand operand(uint32_t depth);
  Operand single_operand(uint32_t depth);
  Operand address_operand(uint32_t depth);
  Operand group_operand(OperandKind kind, char end, uint32_t depth);
  void name_offset(Operand& operand);
  void store_elements(Operand& operand, const std::vector<Operand>& elements);

  // parse_variable.cc
  bool variable(StateSpace space, Linkage linkage, bool is_parameter, VariableDeclaration& out);
  bool variable_type(StateSpace space, Linkage linkage, bool is_parameter, VariableDeclaration& out);
  bool variable_name(VariableDeclaration& out);
  void variables(StateSpace space, Linkage linkage, std::vector<VariableDeclaration>& list);
  bool numbered_variables(const VariableDeclaration& shape, std::vector<VariableDeclaration>& list);
  void dimensions(VariableDeclaration& variable, std::vector<uint64_t>& extents);
  void reference_settings(VariableDeclaration& variable);
  void initializer(VariableDeclaration& variable, const std::vector<uint64_t>& extents, size_t level,
                   uint64_t offset);
  void initial_value(VariableDeclaration& variable, uint64_t offset);
  void put_initial(VariableDeclaration& variable, uint64_t offset, uint64_t bits, uint32_t bytes);

  // parse_expression.cc: constant expressions
  struct Value {
    enum class Kind : uint8_t { kSigned, kUnsigned, kFloat32, kFloat64, kSymbol } kind = Kind::kSigned;
    uint64_t bits = 0;
    std::string_view symbol;
    uint32_t symbol_shift = 0;  // 0xFF00(symbol): byte 1 of the address
    uint32_t symbol_bytes = 0;  // 0: whole address
  };
  Value expression(uint32_t depth);
  Value binary(int minimum_precedence, uint32_t depth);
  Value unary(uint32_t depth);
  Value primary(uint32_t depth);
  Value apply(std::string_view op, Value left, Value right, Position at);
  uint64_t integer_expression(uint32_t depth = 0);

  // helpers
  void take();
  bool accept(char c);
  bool expect(char c);
  bool at_directive(std::string_view name) const {
    return token_.kind == TokenKind::kDirective && token_.text == name;
  }
  bool accept_directive(std::string_view name);
  void fail_here(const std::string& message);
  void recover();
  std::string describe() const;

  Diagnostics& diagnostics_;
  Lexer lexer_;
  Token token_;
  bool panic_ = false;    // an error was reported in this statement; stay silent until recover()
  bool in_call_ = false;  // parentheses are lists of parameters
  Module module_;
  std::vector<Operand> scratch_;
};

}  // namespace outboard::softgpu::ptx
