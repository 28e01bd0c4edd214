// State of one compile().
#pragma once

#include <memory>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "server/softgpu/exec/system_calls.h"
#include "server/softgpu/ptx/allocate.h"
#include "server/softgpu/ptx/call_graph.h"
#include "server/softgpu/ptx/image.h"
#include "server/softgpu/ptx/lower.h"
#include "server/softgpu/ptx/module.h"

namespace outboard::softgpu::ptx {

class Compiler : private LoweringContext {
 public:
  explicit Compiler(const CompileOptions& options);
  Result<std::shared_ptr<const Program>> compile(std::span<const std::string_view> texts, JitLog& log);

 private:
  struct FunctionSource {
    const Function* head = nullptr;
    uint32_t text = 0;
  };
  struct Exported {
    Symbol symbol;
    bool weak = false;
  };
  struct InitialSymbols {
    std::vector<InitialSymbol> symbols;
    uint32_t text = 0;
  };

  // The passes, in order.
  bool parse(std::span<const std::string_view> texts);
  void declare_symbols();
  void lower();
  void generate();

  void declare_variable(const VariableDeclaration& declaration);
  bool define(std::string_view name, Linkage linkage, Symbol symbol, Position at);
  void check_calls();
  void resolve_initial_values();
  void lay_out_shared(const CallGraph& graph);
  void place_registers(const CallGraph& graph, const std::vector<Allocation>& allocations);
  void make_kernel(const CallGraph& graph, uint32_t index, const std::vector<Allocation>& allocations);
  uint32_t stack_bytes(const CallGraph& graph, const std::vector<uint32_t>& reachable, uint32_t index);

  // LoweringContext
  const Symbol* find_symbol(std::string_view name) override;
  const Function& function_head(uint32_t index) override { return *functions_[index].head; }
  Symbol add_variable(const VariableDeclaration& declaration) override;
  ConstantPool& constants() override { return constants_; }
  const exec::FormTable& forms() override { return forms_; }
  int system_call(std::string_view name) override;
  Diagnostics& diagnostics() override { return diagnostics_; }
  bool refuse_functions_only() override { return !options_.refuse_module; }

  CompileOptions options_;
  Diagnostics diagnostics_;
  const exec::FormTable& forms_;
  std::shared_ptr<Program> program_;
  std::vector<Module> modules_;
  uint32_t text_ = 0;  // whose symbols find_symbol() sees
  std::vector<SymbolMap> local_;
  std::unordered_map<std::string_view, Exported> exported_;
  std::unordered_map<std::string_view, Position> externs_;
  std::vector<FunctionSource> functions_;
  std::vector<IrFunction> ir_;
  std::vector<SharedVariable> shared_;
  std::vector<InitialSymbols> initial_symbols_;  // parallel to the program's variables
  std::vector<uint32_t> functions_in_memory_;
  std::vector<uint32_t> shared_bytes_, shared_align_;  // per function, entries only
  std::vector<uint32_t> stack_bytes_;
  ConstantPool constants_;
};

}  // namespace outboard::softgpu::ptx
