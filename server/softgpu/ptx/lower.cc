#include "server/softgpu/ptx/lower.h"

#include <algorithm>
#include <charconv>

#include "server/softgpu/ptx/limits.h"

namespace outboard::softgpu::ptx {
namespace {

using exec::Special;

struct SpecialName {
  std::string_view name;
  Special special;
};

constexpr SpecialName kSpecialNames[] = {
    {"%tid.x", Special::kTidX},
    {"%tid.y", Special::kTidY},
    {"%tid.z", Special::kTidZ},
    {"%ntid.x", Special::kNtidX},
    {"%ntid.y", Special::kNtidY},
    {"%ntid.z", Special::kNtidZ},
    {"%ctaid.x", Special::kCtaidX},
    {"%ctaid.y", Special::kCtaidY},
    {"%ctaid.z", Special::kCtaidZ},
    {"%nctaid.x", Special::kNctaidX},
    {"%nctaid.y", Special::kNctaidY},
    {"%nctaid.z", Special::kNctaidZ},
    {"%laneid", Special::kLaneid},
    {"%warpid", Special::kWarpid},
    {"%nwarpid", Special::kNwarpid},
    {"%smid", Special::kSmid},
    {"%nsmid", Special::kNsmid},
    {"%gridid", Special::kGridid},
    {"%lanemask_eq", Special::kLanemaskEq},
    {"%lanemask_le", Special::kLanemaskLe},
    {"%lanemask_lt", Special::kLanemaskLt},
    {"%lanemask_ge", Special::kLanemaskGe},
    {"%lanemask_gt", Special::kLanemaskGt},
    {"%total_smem_size", Special::kTotalSmemSize},
    {"%aggr_smem_size", Special::kTotalSmemSize},
    {"%dynamic_smem_size", Special::kDynamicSmemSize},
    {"%envreg1", Special::kEnvreg1},
    {"%envreg2", Special::kEnvreg2},
    // Every CTA is a cluster of its own.
    {"%clusterid.x", Special::kCtaidX},
    {"%clusterid.y", Special::kCtaidY},
    {"%clusterid.z", Special::kCtaidZ},
    {"%nclusterid.x", Special::kNctaidX},
    {"%nclusterid.y", Special::kNctaidY},
    {"%nclusterid.z", Special::kNctaidZ},
    {"%cluster_ctaid.x", Special::kZero},
    {"%cluster_ctaid.y", Special::kZero},
    {"%cluster_ctaid.z", Special::kZero},
    {"%cluster_nctaid.x", Special::kOne},
    {"%cluster_nctaid.y", Special::kOne},
    {"%cluster_nctaid.z", Special::kOne},
    {"%cluster_ctarank", Special::kZero},
    {"%cluster_nctarank", Special::kOne},
    {"%reserved_smem_offset_begin", Special::kZero},
    {"%reserved_smem_offset_end", Special::kZero},
    {"%reserved_smem_offset_cap", Special::kZero},
    {"%reserved_smem_offset_0", Special::kZero},
    {"%reserved_smem_offset_1", Special::kZero},
};

struct ClockName {
  std::string_view name, form;
};
// Read by an instruction of their own, because they change while the kernel runs.
constexpr ClockName kClockNames[] = {
    {"%clock", "special.clock.b32"},
    {"%clock_hi", "special.clock_hi.b32"},
    {"%clock64", "special.clock64.b64"},
    {"%globaltimer", "special.globaltimer.b64"},
    {"%globaltimer_lo", "special.globaltimer_lo.b32"},
    {"%globaltimer_hi", "special.globaltimer_hi.b32"},
};

}  // namespace

FrameLayout layout_frame(const std::vector<VariableDeclaration>& parameters,
                         const std::vector<VariableDeclaration>& results) {
  FrameLayout layout;
  auto place = [&](const VariableDeclaration& declaration) {
    uint32_t bytes = static_cast<uint32_t>(std::min<uint64_t>(declaration.bytes, 1u << 20));
    layout.bytes = (layout.bytes + declaration.align - 1) & ~(declaration.align - 1);
    FrameLayout::Slot slot{layout.bytes, bytes};
    layout.bytes += bytes;
    return slot;
  };
  for (const auto& parameter : parameters) layout.parameters.push_back(place(parameter));
  for (const auto& result : results) layout.results.push_back(place(result));
  return layout;
}

FunctionLowering::FunctionLowering(const Module& module, const Function& function, LoweringContext& context)
    : module_(module), function_(function), context_(context) {}

void FunctionLowering::error(Position at, std::string message) {
  context_.diagnostics().error(at, std::move(message));
}

// What is valid PTX but cannot be executed here.
void FunctionLowering::refuse(Position at, std::string message) {
  if (!context_.refuse_functions_only()) {
    context_.diagnostics().error(at, std::move(message), ErrorKind::kUnsupported);
    return;
  }
  if (ir_.refusal.empty()) {
    ir_.refusal = "ptx " + std::to_string(at.line) + ":" + std::to_string(at.column) + ": " + message;
    context_.diagnostics().note(at, "function '" + std::string(function_.name) + "' is unusable: " + message);
  }
}

uint32_t FunctionLowering::add_register(Width width) {
  ir_.registers.push_back(width);
  return static_cast<uint32_t>(ir_.registers.size() - 1);
}

IrFunction FunctionLowering::lower() {
  scopes_.emplace_back();
  scope_numbers_.push_back(0);
  ir_.blocks.emplace_back();
  collect_labels();
  begin_block(0);
  declare_parameters();
  for (const Statement& part : function_.body) {
    if (context_.diagnostics().full()) break;
    statement(part);
  }
  // Running off the end is a return.
  if (open_) leave(Instruction{"ret", {}, false, 0, 0, function_.at}, false);
  ir_.frame_bytes = (local_bytes_ + 15) & ~15u;
  finish_blocks();
  return std::move(ir_);
}

void FunctionLowering::declare_parameters() {
  Scope& scope = scopes_[0];
  if (function_.is_entry) {
    uint32_t offset = 0;
    for (const auto& parameter : function_.parameters) {
      offset = (offset + parameter.align - 1) & ~(parameter.align - 1);
      scope.locals[parameter.name] = {LocalKind::kParamBuffer, offset, parameter.bytes};
      offset += static_cast<uint32_t>(std::min<uint64_t>(parameter.bytes, 1u << 20));
    }
    return;
  }
  ir_.frame = layout_frame(function_.parameters, function_.results);
  local_bytes_ = ir_.frame.bytes;
  ir_.return_register = add_register(Width::k32);
  Instruction here{"", {}, false, 0, 0, function_.at};
  auto declare = [&](const VariableDeclaration& declaration, FrameLayout::Slot slot, bool load) {
    if (declaration.space != StateSpace::kRegister) {
      scope.locals[declaration.name] = {LocalKind::kFrame, slot.offset, slot.bytes};
      return;
    }
    Width width = type_width(declaration.type);
    uint32_t index = add_register(width);
    scope.registers[declaration.name] = {index, 0, declaration.type, 1};
    if (load && width != Width::kPredicate) {
      emit_internal("frame.load.b" + std::to_string(8 * width_bytes(width)), here,
                    {{ValueKind::kRegister, true, false, false, index},
                     {ValueKind::kRaw, false, false, false, slot.offset}});
    }
  };
  for (size_t i = 0; i < function_.parameters.size(); ++i)
    declare(function_.parameters[i], ir_.frame.parameters[i], true);
  for (size_t i = 0; i < function_.results.size(); ++i)
    declare(function_.results[i], ir_.frame.results[i], false);
}

void FunctionLowering::collect_labels() {
  std::vector<uint32_t> open{0};
  scope_parents_.push_back(kNoIndex);
  for (const Statement& part : function_.body) {
    switch (part.kind) {
      case StatementKind::kScopeBegin:
        scope_parents_.push_back(open.back());
        open.push_back(static_cast<uint32_t>(scope_parents_.size() - 1));
        break;
      case StatementKind::kScopeEnd:
        if (open.size() > 1) open.pop_back();
        break;
      case StatementKind::kLabel: {
        const Label& label = function_.labels[part.index];
        auto& places = labels_[label.name];
        for (const LabelPlace& place : places) {
          if (place.scope == open.back())
            error(label.at, "label '" + std::string(label.name) + "' is defined twice");
        }
        places.push_back({open.back(), static_cast<uint32_t>(ir_.blocks.size())});
        ir_.blocks.emplace_back();
        break;
      }
      case StatementKind::kBranchTargets:
      case StatementKind::kCallTargets:
        targets_[function_.targets[part.index].label] = &function_.targets[part.index];
        break;
      case StatementKind::kPrototype:
        prototypes_[function_.prototypes[part.index].label] = &function_.prototypes[part.index];
        break;
      default: break;
    }
  }
}

uint32_t FunctionLowering::find_label(std::string_view name, Position at) {
  auto found = labels_.find(name);
  if (found == labels_.end()) {
    error(at, "label '" + std::string(name) + "' is not defined in function '" + std::string(function_.name) +
                  "'");
    return kNoIndex;
  }
  for (uint32_t scope = scope_numbers_.back(); scope != kNoIndex; scope = scope_parents_[scope]) {
    for (const LabelPlace& place : found->second) {
      if (place.scope == scope) return place.block;
    }
  }
  return found->second.front().block;
}

void FunctionLowering::statement(const Statement& part) {
  switch (part.kind) {
    case StatementKind::kScopeBegin:
      scopes_.emplace_back();
      scope_numbers_.push_back(++scopes_seen_);
      break;
    case StatementKind::kScopeEnd:
      if (scopes_.size() > 1) {
        scopes_.pop_back();
        scope_numbers_.pop_back();
      }
      break;
    case StatementKind::kRegister: declare_registers(function_.registers[part.index]); break;
    case StatementKind::kVariable: declare_variable(function_.variables[part.index]); break;
    case StatementKind::kInstruction: instruction(function_.instructions[part.index]); break;
    case StatementKind::kLabel: begin_block(++labels_seen_); break;
    default: break;
  }
}

// Label blocks have the numbers 1.. in textual order.
void FunctionLowering::begin_block(uint32_t block) {
  if (open_) {
    ir_.blocks[block_].fallthrough = block;
    end_block();
  }
  block_ = block;
  open_ = true;
  ir_.blocks[block].first = static_cast<uint32_t>(ir_.instructions.size());
}

void FunctionLowering::end_block() {
  ir_.blocks[block_].last = static_cast<uint32_t>(ir_.instructions.size());
  open_ = false;
}

void FunctionLowering::finish_blocks() {
  if (open_) end_block();
  for (IrBlock& block : ir_.blocks) {
    if (block.fallthrough != kNoIndex) block.successors.push_back(block.fallthrough);
    std::sort(block.successors.begin(), block.successors.end());
    block.successors.erase(std::unique(block.successors.begin(), block.successors.end()),
                           block.successors.end());
  }
}

void FunctionLowering::declare_registers(const RegisterDeclaration& declaration) {
  uint32_t count = std::max(declaration.count, 1u) * declaration.vector;
  if (ir_.registers.size() + count > kMaxRegistersPerFunction) {
    return error(declaration.at, "more than " + std::to_string(kMaxRegistersPerFunction) +
                                     " registers in function '" + std::string(function_.name) + "'");
  }
  RegisterName name{static_cast<uint32_t>(ir_.registers.size()), declaration.count, declaration.type,
                    declaration.vector};
  ir_.registers.insert(ir_.registers.end(), count, type_width(declaration.type));
  if (!scopes_.back().registers.try_emplace(declaration.name, name).second) {
    error(declaration.at, "register '" + std::string(declaration.name) + "' is declared twice");
  }
}

void FunctionLowering::declare_variable(const VariableDeclaration& declaration) {
  Scope& scope = scopes_.back();
  bool frame = declaration.space == StateSpace::kLocal || declaration.space == StateSpace::kParameter;
  if (!frame) {
    scope.symbols[declaration.name] = context_.add_variable(declaration);
    return;
  }
  if (declaration.bytes > (1u << 24))
    return error(declaration.at, "a local variable may have at most 16 MiB");
  local_bytes_ = (local_bytes_ + declaration.align - 1) & ~(declaration.align - 1);
  scope.locals[declaration.name] = {LocalKind::kFrame, local_bytes_, declaration.bytes};
  local_bytes_ += static_cast<uint32_t>(declaration.bytes);
  if (local_bytes_ > (1u << 26))
    error(declaration.at, "a function may have at most 64 MiB of local variables");
}

bool FunctionLowering::resolve_register(std::string_view name, Resolved& out) const {
  // "%rd12" may be one register, or number 12 of the family "%rd"; ".x" picks a component.
  std::string_view base = name;
  uint32_t component = 0;
  bool has_component = false;
  if (size_t dot = name.rfind('.'); dot != std::string_view::npos && dot + 2 == name.size()) {
    size_t x = std::string_view("xyzw").find(name[dot + 1]);
    size_t r = std::string_view("rgba").find(name[dot + 1]);
    if (x != std::string_view::npos || r != std::string_view::npos) {
      component = static_cast<uint32_t>(x != std::string_view::npos ? x : r);
      base = name.substr(0, dot);
      has_component = true;
    }
  }
  size_t digits = base.size();
  while (digits > 0 && base[digits - 1] >= '0' && base[digits - 1] <= '9') --digits;
  uint32_t number = 0;
  bool numbered = digits < base.size() && digits > 0 && base.size() - digits < 8 &&
                  std::from_chars(base.data() + digits, base.data() + base.size(), number).ec == std::errc();
  for (auto scope = scopes_.rbegin(); scope != scopes_.rend(); ++scope) {
    if (scope->registers.empty()) continue;
    const RegisterName* found = nullptr;
    uint32_t index = 0;
    if (numbered) {
      auto family = scope->registers.find(base.substr(0, digits));
      if (family != scope->registers.end() && number < family->second.count) {
        found = &family->second;
        index = found->first + number * found->vector;
      }
    }
    if (found == nullptr) {
      auto single = scope->registers.find(base);
      if (single == scope->registers.end() || single->second.count != 0) continue;
      found = &single->second;
      index = found->first;
    }
    if (has_component && component >= found->vector) return false;
    out.kind = found->vector > 1 && !has_component ? Resolved::Kind::kVector : Resolved::Kind::kRegister;
    out.index = index + component;
    out.count = found->vector;
    out.type = found->type;
    return true;
  }
  return false;
}

FunctionLowering::Resolved FunctionLowering::resolve(std::string_view name) {
  Resolved out;
  if (resolve_register(name, out)) return out;
  if (name.starts_with('%')) {
    for (const SpecialName& special : kSpecialNames) {
      if (special.name == name) {
        out.kind = Resolved::Kind::kSpecial;
        out.index = static_cast<uint32_t>(special.special);
        return out;
      }
    }
    for (const ClockName& clock : kClockNames) {
      if (clock.name == name) {
        out.kind = Resolved::Kind::kClock;
        out.clock_form = clock.form;
        return out;
      }
    }
    if (name.starts_with("%pm") || name.starts_with("%envreg") || name == "%current_graph_exec") {
      out.kind = Resolved::Kind::kSpecial;
      out.index = static_cast<uint32_t>(Special::kZero);
      return out;
    }
  }
  for (auto scope = scopes_.rbegin(); scope != scopes_.rend(); ++scope) {
    if (auto local = scope->locals.find(name); local != scope->locals.end()) {
      out.kind = Resolved::Kind::kLocal;
      out.local = local->second;
      return out;
    }
    if (auto symbol = scope->symbols.find(name); symbol != scope->symbols.end()) {
      out.kind = Resolved::Kind::kSymbol;
      out.symbol = symbol->second;
      return out;
    }
  }
  if (const Symbol* symbol = context_.find_symbol(name)) {
    out.kind = Resolved::Kind::kSymbol;
    out.symbol = *symbol;
  }
  return out;
}

}  // namespace outboard::softgpu::ptx
