// The passes behind lowering: places of rows and shared variables, code, kernels.
#include <algorithm>

#include "server/softgpu/ptx/cfg.h"
#include "server/softgpu/ptx/compiler.h"
#include "server/softgpu/ptx/decode.h"

namespace outboard::softgpu::ptx {

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
    decode_function(ir_[index], orders[index], allocations[index], constants_.constants(), layout, forms_,
                    index, image);
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

void Compiler::make_kernel(const CallGraph& graph, uint32_t index,
                           const std::vector<Allocation>& allocations) {
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
  if (entry.predicates > 0xffff)
    kernel.refusal = "kernel '" + kernel.name + "' needs more than 65535 predicate registers";
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
uint32_t Compiler::stack_bytes(const CallGraph& graph, const std::vector<uint32_t>& reachable,
                               uint32_t index) {
  if (stack_bytes_.empty()) stack_bytes_.resize(functions_.size());
  std::vector<bool> wanted(functions_.size());
  for (uint32_t function : reachable) wanted[function] = true;
  for (uint32_t function : graph.order) {
    if (!wanted[function] || stack_bytes_[function] != 0) continue;
    uint64_t deepest = ir_[function].outgoing_bytes;
    for (uint32_t callee : graph.callees[function]) {
      if (graph.component[callee] != graph.component[function])
        deepest = std::max<uint64_t>(deepest, stack_bytes_[callee]);
      else
        deepest = std::max<uint64_t>(deepest, ir_[callee].frame_bytes);
    }
    stack_bytes_[function] = static_cast<uint32_t>(
        std::min<uint64_t>((ir_[function].frame_bytes + deepest + 15) & ~uint64_t{15}, 1u << 28));
  }
  return stack_bytes_[index];
}

}  // namespace outboard::softgpu::ptx
