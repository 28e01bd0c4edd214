#include "client-lib/state/modules.h"

namespace outboard::client {

ModuleInfo* ModuleStore::new_module() {
  auto made = std::make_unique<ModuleInfo>();
  ModuleInfo* module = made.get();
  std::lock_guard lock(mutex_);
  modules_[module].module = std::move(made);
  return module;
}

FunctionInfo* ModuleStore::new_function(ModuleInfo& module, std::string name) {
  FunctionInfo* function = nullptr;
  {
    std::lock_guard lock(mutex_);
    auto& functions = modules_[&module].functions;
    functions.push_back(std::make_unique<FunctionInfo>());
    function = functions.back().get();
    ++functions_;
  }
  function->name = std::move(name);
  function->module = &module;
  function->is_kernel = module.kind == wire::HandleKind::kLibrary;
  module.functions.push_back(function);
  module.functions_by_name.emplace(function->name, function);
  return function;
}

FunctionInfo* ModuleStore::adopt_function(wire::Handle handle) {
  std::lock_guard lock(mutex_);
  adopted_functions_.push_back(std::make_unique<FunctionInfo>());
  FunctionInfo* function = adopted_functions_.back().get();
  function->handle = handle;
  adopted_[handle.index] = function;
  return function;
}

FunctionInfo* ModuleStore::adopted_function(wire::Handle handle) {
  if (handle.index < wire::kServerIndexBase) return nullptr;
  std::lock_guard lock(mutex_);
  const auto it = adopted_.find(handle.index);
  return it == adopted_.end() || it->second->handle != handle ? nullptr : it->second;
}

FunctionInfo* ModuleStore::copy_function(const FunctionInfo& kernel) {
  auto copy = std::make_unique<FunctionInfo>();
  copy->name = kernel.name;
  copy->module = kernel.module;
  copy->layout_known = kernel.layout_known;
  copy->parameters = kernel.parameters;
  copy->parameter_bytes = kernel.parameter_bytes;
  for (uint32_t id = 0; id < FunctionAttributes::kCount; ++id) {
    if (const auto value = kernel.attributes.get(id)) copy->attributes.set(id, *value);
  }
  std::lock_guard lock(mutex_);
  auto& functions = modules_[kernel.module].functions;
  functions.push_back(std::move(copy));
  ++functions_;
  return functions.back().get();
}

void ModuleStore::retire(ModuleInfo& module) {
  std::lock_guard lock(mutex_);
  const auto found = modules_.find(&module);
  if (found == modules_.end()) return;  // by another thread that unloads it too
  retired_functions_ += found->second.functions.size();
  retired_.push_back(std::move(found->second));
  modules_.erase(found);
  // A module without functions counts as one that has some.
  while (retired_functions_ > kKeptFunctions || retired_.size() > kKeptFunctions) {
    retired_functions_ -= retired_.front().functions.size();
    functions_ -= retired_.front().functions.size();
    retired_.pop_front();
  }
}

size_t ModuleStore::functions() {
  std::lock_guard lock(mutex_);
  return functions_ + adopted_functions_.size();
}

}  // namespace outboard::client
