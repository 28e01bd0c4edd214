// AST function to IR: resolves names, checks operands against the instruction forms, splits into
// blocks.
#pragma once

#include <initializer_list>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "server/softgpu/ptx/ast.h"
#include "server/softgpu/ptx/constants.h"
#include "server/softgpu/ptx/ir.h"
#include "server/softgpu/ptx/symbols.h"

namespace outboard::softgpu::ptx {

// What lowering needs of the program around the function. Functions' heads are known to all.
class LoweringContext {
 public:
  virtual ~LoweringContext() = default;
  virtual const Symbol* find_symbol(std::string_view name) = 0;
  virtual const Function& function_head(uint32_t index) = 0;
  // A variable declared inside a function's body.
  virtual Symbol add_variable(const VariableDeclaration& declaration) = 0;
  virtual ConstantPool& constants() = 0;
  virtual const exec::FormTable& forms() = 0;
  // Calls of functions that the device itself provides (vprintf, malloc, ...): a number for the
  // handler, or -1.
  virtual int system_call(std::string_view name) = 0;
  virtual Diagnostics& diagnostics() = 0;
  // Unsupported instructions refuse just the function, not the module.
  virtual bool refuse_functions_only() = 0;
};

FrameLayout layout_frame(const std::vector<VariableDeclaration>& parameters,
                         const std::vector<VariableDeclaration>& results);

class FunctionLowering {
 public:
  FunctionLowering(const Module& module, const Function& function, LoweringContext& context);
  IrFunction lower();

 private:
  struct RegisterName {
    uint32_t first = 0;  // virtual register
    uint32_t count = 0;  // 0: a single one; else a numbered family
    Type type = Type::kNone;
    uint32_t vector = 1;
  };
  enum class LocalKind : uint8_t { kFrame, kParamBuffer };
  struct LocalName {
    LocalKind kind = LocalKind::kFrame;
    uint32_t offset = 0;
    uint64_t bytes = 0;
  };
  struct Scope {
    std::unordered_map<std::string_view, RegisterName> registers;
    std::unordered_map<std::string_view, LocalName> locals;
    std::unordered_map<std::string_view, Symbol> symbols;
  };
  struct Resolved {
    enum class Kind : uint8_t {
      kNone,
      kRegister,
      kVector,
      kSpecial,
      kClock,
      kLocal,
      kSymbol
    } kind = Kind::kNone;
    uint32_t index = 0;  // virtual register, Special
    uint32_t count = 0;  // of a vector register
    Type type = Type::kNone;
    LocalName local;
    Symbol symbol;
    std::string_view clock_form;
  };

  // lower.cc
  void declare_parameters();
  void statement(const Statement& statement);
  void declare_registers(const RegisterDeclaration& declaration);
  void declare_variable(const VariableDeclaration& declaration);
  void collect_labels();
  void begin_block(uint32_t block);
  void end_block();
  void finish_blocks();
  uint32_t add_register(Width width);
  void refuse(Position at, std::string message);
  void error(Position at, std::string message);
  bool resolve_register(std::string_view name, Resolved& out) const;
  Resolved resolve(std::string_view name);
  uint32_t find_label(std::string_view name, Position at);

  // lower_instruction.cc
  void video(const Instruction& source, const exec::Form& form, std::span<const Operand> operands);
  void vector_move(const Instruction& source, std::span<const Operand> operands);
  void copy_async(const Instruction& source, std::span<const Operand> operands);
  void instruction(const Instruction& source);
  const exec::Form* find_form(const Instruction& source, const std::string& opcode);
  std::string memory_opcode(const Instruction& source);
  bool drop_cache_policy(const Instruction& source, std::span<const Operand>& operands);
  void generic(const Instruction& source, const exec::Form& form, std::span<const Operand> operands);
  bool value(const exec::OperandSpec& spec, const exec::Form& form, const Operand& operand,
             const Instruction& source);
  uint32_t begin(const exec::Form& form, const Instruction& source);
  void put(IrOperand operand) { pending_.push_back(operand); }
  void finish();
  const exec::Form* internal_form(std::string_view text, Position at);
  void emit_internal(std::string_view form, const Instruction& source,
                     std::initializer_list<IrOperand> operands);

  // lower_operand.cc
  bool element(const exec::OperandSpec& spec, const exec::Form& form, const Operand& operand,
               const Instruction& source);
  bool destination(const exec::OperandSpec& spec, const exec::Form& form, const Operand& operand,
                   const Instruction& source);
  bool source_value(const exec::OperandSpec& spec, const exec::Form& form, const Operand& operand,
                    const Instruction& source);
  bool predicate_source(const Operand& operand);
  bool address(const Operand& operand, bool second);
  IrOperand immediate(Type type, const Operand& operand);
  IrOperand constant(Width width, uint64_t bits);
  IrOperand symbol_constant(const Symbol& symbol, Width width, uint64_t addend);
  bool symbol_value(const Resolved& name, Width width, uint64_t addend, const Instruction& source,
                    Position at, IrOperand& out);
  bool fit_width(IrOperand& operand, Width have, Width want, const exec::Form& form,
                 const Instruction& source, Position at);

  // lower_texture.cc
  bool texture(const exec::OperandSpec& spec, const exec::Form& form, const Operand& operand,
               const Instruction& source);
  bool object_handle(const Operand& operand, const Instruction& source);
  bool is_depth_value(const exec::OperandSpec& spec, const Operand& operand);
  void refuse_depth(const Instruction& source);
  // A vector of three has a fourth element in the text.
  static size_t padded(size_t count) { return count == 3 ? 4 : count; }
  static bool has_count(size_t given, size_t count) { return given == padded(count); }

  // lower_control.cc
  bool control(const Instruction& source, std::string_view base, std::span<const Operand> operands);
  void branch(const Instruction& source, std::span<const Operand> operands);
  void indexed_branch(const Instruction& source, std::span<const Operand> operands);
  void leave(const Instruction& source, bool whole_thread);
  void call(const Instruction& source, std::span<const Operand> operands);
  void call_system(const Instruction& source, int number, std::span<const Operand> arguments,
                   std::span<const Operand> results, const FrameLayout& layout);
  void pass(const Instruction& source, const Operand& actual, const FrameLayout::Slot& slot, bool is_result);
  void set_guard(IrInstruction& ir, const Instruction& source);

  std::span<const Operand> elements_of(const Operand& operand) const {
    return {module_.operands.data() + operand.first_element, operand.element_count};
  }

  const Module& module_;
  const Function& function_;
  LoweringContext& context_;
  IrFunction ir_;
  std::vector<Scope> scopes_;
  // Labels belong to the braces they stand in: inlined assembly repeats them.
  struct LabelPlace {
    uint32_t scope, block;
  };
  std::unordered_map<std::string_view, std::vector<LabelPlace>> labels_;
  std::vector<uint32_t> scope_parents_;  // by number in textual order
  std::vector<uint32_t> scope_numbers_;  // of the open scopes
  uint32_t scopes_seen_ = 0;
  uint32_t labels_seen_ = 0;
  std::unordered_map<std::string_view, const TargetList*> targets_;
  std::unordered_map<std::string_view, const Prototype*> prototypes_;
  Prototype borrowed_;  // signature of a function that stands in a .calltargets list
  uint32_t block_ = 0;
  bool open_ = false;  // a block is being filled
  uint32_t local_bytes_ = 0;
  uint32_t carry_ = kNoIndex;
  IrInstruction current_;
  std::vector<IrOperand> pending_;
  struct Widen {
    uint32_t from, to;
    Width from_width, to_width;
    bool is_signed;
  };
  std::vector<Widen> widens_;  // conversions to emit behind the current instruction
};

}  // namespace outboard::softgpu::ptx
