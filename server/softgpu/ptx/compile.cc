// compile(): parsing, symbols and lowering; generate.cc has the rest.
#include "server/softgpu/ptx/compiler.h"
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
    : options_(options),
      diagnostics_(options.max_errors),
      forms_(exec::form_table(options.isa)),
      program_(std::make_shared<Program>()) {}

bool Compiler::parse(std::span<const std::string_view> texts) {
  uint64_t bytes = 0;
  for (std::string_view text : texts) bytes += text.size();
  if (bytes > options_.max_text_bytes) {
    diagnostics_.error({}, "the text has " + std::to_string(bytes) + " bytes; the limit is " +
                               std::to_string(options_.max_text_bytes));
    return false;
  }
  for (size_t i = 0; i < texts.size(); ++i) {
    diagnostics_.begin_text(static_cast<uint32_t>(i + 1));
    modules_.push_back(Parser(texts[i], diagnostics_).parse());
    if (modules_.back().address_size == 32 && !diagnostics_.failed()) {
      diagnostics_.error({1, 1}, "32-bit PTX (.address_size 32) is not supported", ErrorKind::kUnsupported);
    }
  }
  return !diagnostics_.failed();
}

// A definition becomes findable in its text, and in the others unless it is internal.
bool Compiler::define(std::string_view name, Linkage linkage, Symbol symbol, Position at) {
  local_[text_][name] = symbol;
  if (linkage == Linkage::kInternal) return true;
  auto [found, added] =
      exported_.try_emplace(name, Exported{symbol, linkage == Linkage::kWeak || linkage == Linkage::kCommon});
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
      define(function.name, function.is_entry ? Linkage::kVisible : function.linkage,
             {SymbolKind::kFunction, static_cast<uint32_t>(functions_.size() - 1)}, function.at);
    }
  }
  for (text_ = 0; text_ < modules_.size(); ++text_) {
    diagnostics_.begin_text(text_ + 1);
    for (const Function& function : modules_[text_].functions) {
      if (function.has_body || local_[text_].contains(function.name) || exported_.contains(function.name))
        continue;
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
  if (declaration.linkage == Linkage::kExtern &&
      !(declaration.space == StateSpace::kShared && declaration.unsized)) {
    externs_.emplace(declaration.name, declaration.at);
    return;
  }
  if (local_[text_].contains(declaration.name) && declaration.linkage == Linkage::kInternal) {
    diagnostics_.error(declaration.at, "'" + std::string(declaration.name) + "' is declared twice");
    return;
  }
  Symbol symbol = add_variable(declaration);
  define(declaration.name, declaration.linkage == Linkage::kExtern ? Linkage::kInternal : declaration.linkage,
         symbol, declaration.at);
}

namespace {

Space space_of(StateSpace space) {
  switch (space) {
    case StateSpace::kConstant: return Space::kConstant;
    case StateSpace::kTexture: return Space::kTexture;
    case StateSpace::kSampler: return Space::kSampler;
    case StateSpace::kSurface: return Space::kSurface;
    default: return Space::kGlobal;
  }
}

}  // namespace

Symbol Compiler::add_variable(const VariableDeclaration& declaration) {
  if (declaration.space == StateSpace::kShared) {
    if (declaration.unsized) return {SymbolKind::kDynamicShared, 0};
    shared_.push_back({declaration.bytes, declaration.align, 0});
    return {SymbolKind::kShared, static_cast<uint32_t>(shared_.size() - 1)};
  }
  if (declaration.space == StateSpace::kLocal) {
    diagnostics_.error(declaration.at, ".local variables outside functions are not supported",
                       ErrorKind::kUnsupported);
  }
  Variable variable;
  variable.name = declaration.name;
  variable.space = space_of(declaration.space);
  variable.reference = declaration.reference;
  variable.bytes = declaration.bytes;
  variable.align = declaration.align;
  variable.initial = declaration.initial;
  variable.managed = declaration.managed;
  variable.visible = declaration.linkage != Linkage::kInternal;
  if (variable.initial.size() > variable.bytes) variable.initial.resize(variable.bytes);
  initial_symbols_.push_back({declaration.symbols, text_});
  const SymbolKind kind = is_reference(variable.space) ? SymbolKind::kReference : SymbolKind::kVariable;
  program_->variables_.push_back(std::move(variable));
  return {kind, static_cast<uint32_t>(program_->variables_.size() - 1)};
}

const Symbol* Compiler::find_symbol(std::string_view name) {
  if (auto found = local_[text_].find(name); found != local_[text_].end()) return &found->second;
  if (auto found = exported_.find(name); found != exported_.end()) return &found->second.symbol;
  if (auto missing = externs_.find(name); missing != externs_.end()) {
    diagnostics_.error(missing->second,
                       "external variable '" + std::string(name) + "' is not defined by any text",
                       ErrorKind::kNotFound);
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
      std::string message =
          "external function '" + std::string(head.name) + "' is called but not defined by any text";
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
        diagnostics_.error(initial.at, "'" + std::string(initial.symbol) +
                                           "' has no address that an initial value could hold");
        continue;
      }
      if (function) functions_in_memory_.push_back(symbol->index);
      program_->variables_[i].relocations.push_back({initial.offset, std::string(initial.symbol),
                                                     initial.addend, initial.bytes, function, symbol->index});
    }
  }
}

Result<std::shared_ptr<const Program>> Compiler::compile(std::span<const std::string_view> texts,
                                                         JitLog& log) {
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
      if (program_->variables_[i].visible == visible)
        program_->variable_index_.emplace(program_->variables_[i].name, static_cast<uint32_t>(i));
    }
  }
  if (options_.tier != nullptr) program_->image_->tier = options_.tier(*program_->image_);
  return std::shared_ptr<const Program>(program_);
}

Result<std::shared_ptr<const Program>> compile(std::span<const std::string_view> texts, JitLog& log,
                                               const CompileOptions& options) {
  if (!exec::isa_available(exec::Isa::kAvx2)) {
    log.error += "the software device needs a processor with AVX2, FMA, BMI2 and F16C\n";
    return fail(ErrorKind::kUnsupported,
                "the software device needs a processor with AVX2, FMA, BMI2 and F16C");
  }
  return Compiler(options).compile(texts, log);
}

Result<std::shared_ptr<const Program>> compile(std::string_view text, JitLog& log,
                                               const CompileOptions& options) {
  return compile(std::span<const std::string_view>(&text, 1), log, options);
}

}  // namespace outboard::softgpu::ptx
