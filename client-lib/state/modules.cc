#include "client-lib/state/modules.h"

namespace outboard::client {

ModuleInfo* ModuleStore::new_module() {
  std::lock_guard lock(mutex_);
  modules_.push_back(std::make_unique<ModuleInfo>());
  return modules_.back().get();
}

// The caller holds module.mutex, or is the only one who knows the module.
FunctionInfo* ModuleStore::new_function(ModuleInfo& module, std::string name) {
  FunctionInfo* function = nullptr;
  {
    std::lock_guard lock(mutex_);
    functions_.push_back(std::make_unique<FunctionInfo>());
    function = functions_.back().get();
  }
  function->name = std::move(name);
  function->module = &module;
  module.functions.push_back(function);
  module.functions_by_name.emplace(function->name, function);
  return function;
}

}  // namespace outboard::client
