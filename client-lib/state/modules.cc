#include "client-lib/state/modules.h"

namespace outboard::client {

ModuleInfo* ModuleStore::new_module() {
  std::lock_guard lock(mutex_);
  modules_.push_back(std::make_unique<ModuleInfo>());
  return modules_.back().get();
}

FunctionInfo* ModuleStore::new_function(ModuleInfo& module, std::string name) {
  FunctionInfo* function = nullptr;
  {
    std::lock_guard lock(mutex_);
    functions_.push_back(std::make_unique<FunctionInfo>());
    function = functions_.back().get();
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
  functions_.push_back(std::make_unique<FunctionInfo>());
  FunctionInfo* function = functions_.back().get();
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
  functions_.push_back(std::move(copy));
  return functions_.back().get();
}

}  // namespace outboard::client
