// compile(): from texts to a Program.
#include <algorithm>
#include <deque>

#include "server/softgpu/ptx/call_graph.h"
#include "server/softgpu/ptx/cfg.h"
#include "server/softgpu/ptx/compiler.h"
#include "server/softgpu/ptx/decode.h"
#include "server/softgpu/ptx/limits.h"
#include "server/softgpu/ptx/parser.h"

namespace outboard::softgpu::ptx {

Program::Program() : image_(std::make_unique<Image>()) {}
Program::~Program() = default;

const Kernel* Program::find_kernel(std::string_view name) const {
  auto found = kernel_index_.find(name);
  return found == kernel_index_.end() ? nullptr : &kernels_[found->second];
}

const Variable* Program::find_variable(std::string_view name) const {
  auto found = variable_index_.find(name);
  return found == variable_index_.end() ? nullptr : &variables_[found->second];
}

Compiler::Compiler(const CompileOptions& options)
    : options_(options), diagnostics_(options.max_errors), forms_(exec::form_table(options.isa)), program_(std::make_shared<Program>()) {}

bool Compiler::parse(std::span<const std::string_view> texts) {
  uint64_t bytes = 0;
  for (std::string_view text : texts) bytes += text.size();
  if (bytes > options_.max_text_bytes) {
    diagnostics_.error({}, "the text has " + std::to_string(bytes) + " bytes; the limit is " + std::to_string(options_.max_text_bytes));
    return false;
  }
  for (size_t i = 0; i < texts.size(); ++i) {
    diagnostics_.begin_text(static_cast<uint32_t>(i + 1));
    modules_.push_back(Parser(texts[i], diagnostics_).parse());
    if (modules_.back().address_size != 64 && !diagnostics_.failed()) {
      diagnostics_.error({1, 1}, "32-bit PTX (.address_size 32) is not supported", ErrorKind::kUnsupported);
    }
  }
  return !diagnostics_.failed();
}

// A definition becomes findable in its text, and in the others unless it is internal.
bool Compiler::define(std::string_view name, Linkage linkage, Symbol symbol, Position at) {
  local_[text_][name] = symbol;
  if (linkage == Linkage::kInternal) return true;
  auto [found, added] = exported_.try_emplace(name, Exported{symbol, linkage == Linkage::kWeak || linkage == Linkage::kCommon});
  if (added) return true;
  bool weak = linkage == Linkage::kWeak || linkage == Linkage::kCommon;
  if (!weak && !found->second.weak) {
    diagnostics_.error(at, "symbol '" + std::string(name) + "' is defined more than once");
  } else if (!weak) {
    found->second = {symbol, false};
    return true;
  }
  local_[text_][name] = found->second.symbol;
  return false;
}

void Compiler::declare_symbols() {
  local_.resize(modules_.size());
  for (text_ = 0; text_ < modules_.size(); ++text_) {
    diagnostics_.begin_text(text_ + 1);
    for (const VariableDeclaration& variable : modules_[text_].variables) declare_variable(variable);
    for (const Function& function : modules_[text_].functions) {
      if (!function.has_body) continue;
      functions_.push_back({&function, text_});
      if (local_[text_].contains(function.name)) {
        diagnostics_.error(function.at, "'" + std::string(function.name) + "' is defined twice");
      }
      define(function.name, function.is_entry ? Linkage::kVisible : function.linkage, {SymbolKind::kFunction, static_cast<uint32_t>(functions_.size() - 1)}, function.at);
    }
  }
  for (text_ = 0; text_ < modules_.size(); ++text_) {
    diagnostics_.begin_text(text_ + 1);
    for (const Function& function : modules_[text_].functions) {
      if (function.has_body || local_[text_].contains(function.name) || exported_.contains(function.name)) continue;
      functions_.push_back({&function, text_});
      local_[text_][function.name] = {SymbolKind::kFunction, static_cast<uint32_t>(functions_.size() - 1)};
    }
    for (const Alias& alias : modules_[text_].aliases) {
      const Symbol* target = find_symbol(alias.target);
      if (target == nullptr || target->kind != SymbolKind::kFunction) {
        diagnostics_.error(alias.at, "aliased function '" + std::string(alias.target) + "' is not defined");
        continue;
      }
      define(alias.name, Linkage::kWeak, *target, alias.at);
    }
  }
}

void Compiler::declare_variable(const VariableDeclaration& declaration) {
  if (declaration.linkage == Linkage::kExtern && !(declaration.space == StateSpace::kShared && declaration.unsized)) {
    externs_.emplace(declaration.name, declaration.at);
    return;
  }
  if (local_[text_].contains(declaration.name) && declaration.linkage == Linkage::kInternal) {
    diagnostics_.error(declaration.at, "'" + std::string(declaration.name) + "' is declared twice");
    return;
  }
  Symbol symbol = add_variable(declaration);
  define(declaration.name, declaration.linkage == Linkage::kExtern ? Linkage::kInternal : declaration.linkage, symbol, declaration.at);
}

Symbol Compiler::add_variable(const VariableDeclaration& declaration) {
  if (declaration.space == StateSpace::kShared) {
    if (declaration.unsized) return {SymbolKind::kDynamicShared, 0};
    shared_.push_back({declaration.bytes, declaration.align, 0});
    return {SymbolKind::kShared, static_cast<uint32_t>(shared_.size() - 1)};
  }
  if (declaration.space == StateSpace::kLocal) {
    diagnostics_.error(declaration.at, ".local variables outside functions are not supported", ErrorKind::kUnsupported);
  }
  Variable variable;
  variable.name = declaration.name;
  variable.space = declaration.space == StateSpace::kConstant ? Space::kConstant : Space::kGlobal;
  variable.bytes = declaration.bytes;
  variable.align = declaration.align;
  variable.initial = declaration.initial;
  variable.managed = declaration.managed;
  variable.visible = declaration.linkage != Linkage::kInternal;
  if (variable.initial.size() > variable.bytes) variable.initial.resize(variable.bytes);
  initial_symbols_.push_back({declaration.symbols, text_});
  program_->variables_.push_back(std::move(variable));
  return {SymbolKind::kVariable, static_cast<uint32_t>(program_->variables_.size() - 1)};
}

const Symbol* Compiler::find_symbol(std::string_view name) {
  if (auto found = local_[text_].find(name); found != local_[text_].end()) return &found->second;
  if (auto found = exported_.find(name); found != exported_.end()) return &found->second.symbol;
  if (auto missing = externs_.find(name); missing != externs_.end()) {
    diagnostics_.error(missing->second, "external variable '" + std::string(name) + "' is not defined by any text", ErrorKind::kNotFound);
  }
  return nullptr;
}

int Compiler::system_call(std::string_view name) { return exec::find_system_call(name); }

void Compiler::lower() {
  ir_.resize(functions_.size());
  for (size_t i = 0; i < functions_.size() && !diagnostics_.full(); ++i) {
    if (!functions_[i].head->has_body) continue;
    text_ = functions_[i].text;
    diagnostics_.begin_text(text_ + 1);
    ir_[i] = FunctionLowering(modules_[text_], *functions_[i].head, *this).lower();
  }
  check_calls();
  resolve_initial_values();
}

void Compiler::check_calls() {
  for (size_t i = 0; i < functions_.size(); ++i) {
    for (uint32_t callee : ir_[i].callees) {
      const Function& head = *functions_[callee].head;
      if (head.has_body) continue;
      diagnostics_.begin_text(functions_[callee].text + 1);
      std::string message = "external function '" + std::string(head.name) + "' is called but not defined by any text";
      if (options_.refuse_module) {
        diagnostics_.error(head.at, message, ErrorKind::kNotFound);
      } else if (ir_[i].refusal.empty()) {
        ir_[i].refusal = message;
      }
    }
  }
}

void Compiler::resolve_initial_values() {
  for (size_t i = 0; i < initial_symbols_.size(); ++i) {
    text_ = initial_symbols_[i].text;
    diagnostics_.begin_text(text_ + 1);
    for (const InitialSymbol& initial : initial_symbols_[i].symbols) {
      const Symbol* symbol = find_symbol(initial.symbol);
      bool function = symbol != nullptr && symbol->kind == SymbolKind::kFunction;
      if (symbol == nullptr || (symbol->kind != SymbolKind::kVariable && !function)) {
        diagnostics_.error(initial.at, "'" + std::string(initial.symbol) + "' has no address that an initial value could hold");
        continue;
      }
      if (function) functions_in_memory_.push_back(symbol->index);
      program_->variables_[i].relocations.push_back(
          {initial.offset, std::string(initial.symbol), initial.addend, initial.bytes, function, symbol->index});
    }
  }
}

void Compiler::generate() {
  Image& image = *program_->image_;
  std::vector<bool> defined(functions_.size());
  for (size_t i = 0; i < functions_.size(); ++i) defined[i] = functions_[i].head->has_body;
  CallGraph graph = build_call_graph(ir_, defined, functions_in_memory_);
  lay_out_shared(graph);

  std::vector<std::vector<uint32_t>> orders(functions_.size());
  std::vector<Allocation> allocations(functions_.size());
  image.functions.resize(functions_.size());
  for (size_t i = 0; i < functions_.size(); ++i) {
    image.functions[i].name = functions_[i].head->name;
    image.functions[i].is_entry = functions_[i].head->is_entry;
    image.functions[i].defined = defined[i];
    if (!defined[i]) continue;
    orders[i] = order_blocks(ir_[i]);
    allocations[i] = allocate_registers(ir_[i], orders[i]);
  }
  place_registers(graph, allocations);
  ConstantLayout layout;
  for (uint32_t index : graph.order) {
    decode_function(ir_[index], orders[index], allocations[index], constants_.constants(), layout, forms_, index, image);
  }
  if (!constants_.constants().empty()) {
    layout.offset(constants_.constants(), static_cast<uint32_t>(constants_.constants().size() - 1));
  }
  image.constant_offsets = layout.offsets();
  image.constant_bytes = layout.bytes();
  image.constants = constants_.take();
  for (Constant& constant : image.constants) {
    if (constant.kind == Constant::Kind::kShared) constant.bits += shared_[constant.symbol].offset;
  }
  for (uint32_t i = 0; i < functions_.size(); ++i) {
    if (defined[i] && functions_[i].head->is_entry) make_kernel(graph, i, allocations);
  }
}

// Callers first: a function's rows begin where the last of its callers' end.
void Compiler::place_registers(const CallGraph& graph, const std::vector<Allocation>& allocations) {
  Image& image = *program_->image_;
  std::vector<uint32_t> rows(functions_.size()), predicates(functions_.size());  // by component
  for (auto index = graph.order.rbegin(); index != graph.order.rend();) {
    uint32_t component = graph.component[*index];
    auto last = index;
    uint32_t rows_end = 0, predicates_end = 0;
    for (; last != graph.order.rend() && graph.component[*last] == component; ++last) {
      FunctionCode& code = image.functions[*last];
      code.register_begin = rows[component];
      code.register_end = rows[component] + allocations[*last].register_bytes;
      code.predicate_begin = predicates[component];
      code.predicate_end = predicates[component] + allocations[*last].predicates;
      std::copy_n(allocations[*last].width_end, 4, code.width_end);
      code.recursive = graph.recursive[*last];
      rows_end = std::max(rows_end, code.register_end);
      predicates_end = std::max(predicates_end, code.predicate_end);
    }
    for (; index != last; ++index) {
      for (uint32_t callee : graph.callees[*index]) {
        if (graph.component[callee] == component) continue;
        rows[graph.component[callee]] = std::max(rows[graph.component[callee]], rows_end);
        predicates[graph.component[callee]] = std::max(predicates[graph.component[callee]], predicates_end);
      }
    }
  }
}

// Shared variables of device functions and of the module have one address for all kernels that
// reach them; those of one kernel start behind these.
void Compiler::lay_out_shared(const CallGraph& graph) {
  std::vector<std::vector<uint32_t>> users(shared_.size());
  shared_bytes_.assign(functions_.size(), 0);
  shared_align_.assign(functions_.size(), 16);
  for (uint32_t kernel = 0; kernel < functions_.size(); ++kernel) {
    if (!functions_[kernel].head->is_entry || !functions_[kernel].head->has_body) continue;
    for (uint32_t function : reachable_functions(graph, kernel)) {
      for (uint32_t variable : ir_[function].shared_variables) users[variable].push_back(kernel);
    }
  }
  for (bool private_pass : {false, true}) {
    for (size_t i = 0; i < shared_.size(); ++i) {
      std::vector<uint32_t>& kernels = users[i];
      std::sort(kernels.begin(), kernels.end());
      kernels.erase(std::unique(kernels.begin(), kernels.end()), kernels.end());
      if (kernels.empty() || (kernels.size() == 1) != private_pass) continue;
      uint64_t offset = 0;
      for (uint32_t kernel : kernels) offset = std::max<uint64_t>(offset, shared_bytes_[kernel]);
      offset = (offset + shared_[i].align - 1) & ~uint64_t{shared_[i].align - 1};
      shared_[i].offset = static_cast<uint32_t>(std::min<uint64_t>(offset, 1u << 30));
      uint64_t end = std::min<uint64_t>(offset + shared_[i].bytes, 1u << 30);
      for (uint32_t kernel : kernels) {
        shared_bytes_[kernel] = static_cast<uint32_t>(end);
        shared_align_[kernel] = std::max(shared_align_[kernel], shared_[i].align);
      }
    }
  }
}

void Compiler::make_kernel(const CallGraph& graph, uint32_t index, const std::vector<Allocation>& allocations) {
  const Function& head = *functions_[index].head;
  const Module& module = modules_[functions_[index].text];
  FunctionCode& entry = program_->image_->functions[index];
  Kernel kernel;
  kernel.name = head.name;
  kernel.function = index;
  for (const VariableDeclaration& parameter : head.parameters) {
    uint32_t offset = (kernel.param_bytes + parameter.align - 1) & ~(parameter.align - 1);
    kernel.params.push_back({offset, static_cast<uint32_t>(parameter.bytes), parameter.align});
    kernel.param_bytes = offset + static_cast<uint32_t>(parameter.bytes);
  }
  kernel.static_shared_bytes = shared_bytes_[index];
  kernel.shared_align = shared_align_[index];
  uint32_t words = 0;
  std::vector<uint32_t> reachable = reachable_functions(graph, index);
  for (uint32_t function : reachable) {
    const FunctionCode& code = program_->image_->functions[function];
    entry.register_bytes = std::max(entry.register_bytes, code.register_end);
    entry.predicates = std::max(entry.predicates, code.predicate_end);
    entry.specials |= ir_[function].specials;
    entry.recursive |= code.recursive;
    words = std::max(words, allocations[function].words_per_thread);
    if (kernel.refusal.empty() && !ir_[function].refusal.empty()) kernel.refusal = ir_[function].refusal;
  }
  entry.predicates += exec::kFirstPredicate;
  if (entry.predicates > 0xffff) kernel.refusal = "kernel '" + kernel.name + "' needs more than 65535 predicate registers";
  entry.stack_bytes = stack_bytes(graph, reachable, index);
  kernel.local_bytes = entry.stack_bytes;
  kernel.registers = std::clamp(words, 1u, 255u);
  uint64_t threads = uint64_t{head.max_threads[0]} * head.max_threads[1] * head.max_threads[2];
  if (head.required_threads[0] != 0) {
    threads = uint64_t{head.required_threads[0]} * head.required_threads[1] * head.required_threads[2];
    std::copy_n(head.required_threads, 3, kernel.required_block);
  }
  if (threads != 0) kernel.max_threads = static_cast<uint32_t>(std::min<uint64_t>(threads, 1024));
  std::copy_n(head.cluster, 3, kernel.cluster_block);
  kernel.ptx_version = module.version_major * 10 + module.version_minor;
  kernel.target = module.target_number;
  uint64_t grid_sync = uint64_t{1} << static_cast<unsigned>(exec::Special::kEnvreg2);
  kernel.uses_grid_sync = (entry.specials & grid_sync) != 0;
  for (const Variable& variable : program_->variables_) {
    if (variable.space == Space::kConstant) kernel.constant_bytes += static_cast<uint32_t>(variable.bytes);
  }
  program_->kernels_.push_back(std::move(kernel));
}

// The deepest chain of frames; a recursion counts once.
uint32_t Compiler::stack_bytes(const CallGraph& graph, const std::vector<uint32_t>& reachable, uint32_t index) {
  if (stack_bytes_.empty()) stack_bytes_.resize(functions_.size());
  std::vector<bool> wanted(functions_.size());
  for (uint32_t function : reachable) wanted[function] = true;
  for (uint32_t function : graph.order) {
    if (!wanted[function] || stack_bytes_[function] != 0) continue;
    uint64_t deepest = ir_[function].outgoing_bytes;
    for (uint32_t callee : graph.callees[function]) {
      if (graph.component[callee] != graph.component[function]) deepest = std::max<uint64_t>(deepest, stack_bytes_[callee]);
      else deepest = std::max<uint64_t>(deepest, ir_[callee].frame_bytes);
    }
    stack_bytes_[function] = static_cast<uint32_t>(std::min<uint64_t>((ir_[function].frame_bytes + deepest + 15) & ~uint64_t{15}, 1u << 28));
  }
  return stack_bytes_[index];
}

Result<std::shared_ptr<const Program>> Compiler::compile(std::span<const std::string_view> texts, JitLog& log) {
  if (parse(texts)) {
    declare_symbols();
    if (!diagnostics_.failed()) lower();
    if (!diagnostics_.failed()) generate();
  }
  log.error += diagnostics_.errors();
  log.info += diagnostics_.notes();
  if (diagnostics_.failed()) return fail(diagnostics_.first().kind, diagnostics_.first().message);
  for (size_t i = 0; i < program_->kernels_.size(); ++i) {
    program_->kernel_index_.emplace(program_->kernels_[i].name, static_cast<uint32_t>(i));
  }
  // Visible variables first, so that an internal one of the same name does not hide them.
  for (bool visible : {true, false}) {
    for (size_t i = 0; i < program_->variables_.size(); ++i) {
      if (program_->variables_[i].visible == visible) program_->variable_index_.emplace(program_->variables_[i].name, static_cast<uint32_t>(i));
    }
  }
  return std::shared_ptr<const Program>(program_);
}

Result<std::shared_ptr<const Program>> compile(std::span<const std::string_view> texts, JitLog& log, const CompileOptions& options) {
  if (!exec::isa_available(exec::Isa::kAvx2)) {
    log.error += "the software device needs a processor with AVX2, FMA, BMI2 and F16C\n";
    return fail(ErrorKind::kUnsupported, "the software device needs a processor with AVX2, FMA, BMI2 and F16C");
  }
  return Compiler(options).compile(texts, log);
}

Result<std::shared_ptr<const Program>> compile(std::string_view text, JitLog& log, const CompileOptions& options) {
  return compile(std::span<const std::string_view>(&text, 1), log, options);
}

}  // namespace outboard::softgpu::ptx
