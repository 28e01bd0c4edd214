#include <algorithm>
#include <cstring>

#include "server/softgpu/device/context.h"
#include "server/softgpu/device/device.h"
#include "server/softgpu/device/module.h"
#include "server/softgpu/device/platform.h"

namespace outboard::softgpu {

Kernel::Kernel(std::weak_ptr<Library> library, std::shared_ptr<const ptx::Program> program, size_t index,
               size_t devices)
    : library_(std::move(library)), program_(std::move(program)), index_(index) {
  for (size_t i = 0; i < devices; ++i) settings_.push_back(std::make_shared<FunctionSettings>());
}

CUresult Kernel::function_in(Context& context, std::shared_ptr<Function>* function, std::string* message) {
  const auto owner = library_.lock();
  if (owner == nullptr) return CUDA_ERROR_INVALID_HANDLE;
  std::shared_ptr<Module> module;
  if (const CUresult result = owner->module_in(context, &module, message); result != CUDA_SUCCESS)
    return result;
  *function = module->functions()[index_];
  return CUDA_SUCCESS;
}

CUresult Library::prepare() {
  for (const ptx::Variable& variable : program_->variables()) {
    if (!variable.managed) continue;
    MemoryRequest request;
    request.bytes = std::max<uint64_t>(variable.bytes, 1);
    request.align = variable.align;
    request.kind = MemoryKind::kManaged;
    uint64_t address = 0;
    const CUresult result = platform_.device(0)->allocate(request, &address);
    if (result != CUDA_SUCCESS) return result;
    managed_.emplace(variable.name, address);
    auto* content = reinterpret_cast<std::byte*>(address);
    std::memset(content, 0, variable.bytes);
    std::copy(variable.initial.begin(), variable.initial.end(), content);
  }
  for (size_t i = 0; i < program_->kernels().size(); ++i) {
    auto kernel = std::make_shared<Kernel>(weak_from_this(), program_, i, platform_.device_count());
    platform_.handles().add(kernel);
    kernels_.push_back(std::move(kernel));
  }
  return CUDA_SUCCESS;
}

bool Library::find_managed(std::string_view name, uint64_t* address, uint64_t* bytes) const {
  const auto found = managed_.find(std::string(name));
  if (found == managed_.end()) return false;
  *address = found->second;
  *bytes = program_->find_variable(name)->bytes;
  return true;
}

std::shared_ptr<Kernel> Library::find_kernel(std::string_view name) const {
  for (const auto& kernel : kernels_) {
    if (kernel->kernel().name == name) return kernel;
  }
  return nullptr;
}

CUresult Library::module_in(Context& context, std::shared_ptr<Module>* module, std::string* message) {
  std::lock_guard lock(mutex_);
  const auto found = modules_.find(&context);
  if (found != modules_.end()) {
    *module = found->second;
    return CUDA_SUCCESS;
  }
  std::vector<std::shared_ptr<FunctionSettings>> settings;
  for (const auto& kernel : kernels_) settings.push_back(kernel->settings(context.device().ordinal()));
  std::shared_ptr<Module> loaded;
  const CUresult result = Module::load(context, program_, std::move(settings), managed_, &loaded, message);
  if (result != CUDA_SUCCESS) return result;
  modules_.emplace(&context, loaded);
  *module = std::move(loaded);
  return CUDA_SUCCESS;
}

void Library::forget_context(Context& context) {
  std::shared_ptr<Module> module;
  {
    std::lock_guard lock(mutex_);
    const auto found = modules_.find(&context);
    if (found == modules_.end()) return;
    module = std::move(found->second);
    modules_.erase(found);
  }
  module->unload();
  context.platform().handles().remove<Module>(module->handle());
}

void Library::unload() {
  HandleTable& handles = platform_.handles();
  std::map<const Context*, std::shared_ptr<Module>> modules;
  {
    std::lock_guard lock(mutex_);
    modules.swap(modules_);
  }
  for (const auto& [context, module] : modules) {
    (void)module->context().synchronize();
    module->unload();
    handles.remove<Module>(module->handle());
  }
  for (const auto& kernel : kernels_) handles.remove<Kernel>(kernel->handle());
  kernels_.clear();
  for (const auto& [name, address] : managed_) (void)platform_.device(0)->free(address);
  managed_.clear();
}

}  // namespace outboard::softgpu
