#include "server/softgpu/device/module.h"

#include <algorithm>
#include <cstring>
#include <shared_mutex>

#include "server/softgpu/device/context.h"
#include "server/softgpu/device/device.h"
#include "server/softgpu/device/platform.h"
#include "server/softgpu/device/texture.h"

namespace outboard::softgpu {

CUresult compile_error_code(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kUnsupported: return CUDA_ERROR_UNSUPPORTED_PTX_VERSION;
    case ErrorKind::kNotFound: return CUDA_ERROR_NOT_FOUND;
    case ErrorKind::kQuotaExceeded: return CUDA_ERROR_OUT_OF_MEMORY;
    default: return CUDA_ERROR_INVALID_PTX;
  }
}

CUresult Module::load(Context& context, std::shared_ptr<const ptx::Program> program,
                      std::vector<std::shared_ptr<FunctionSettings>> kernel_settings,
                      const std::map<std::string, uint64_t>& managed, std::shared_ptr<Module>* module,
                      std::string* message) {
  auto made = std::make_shared<Module>(context);
  if (const CUresult result = made->allocate_variables(program, managed, message); result != CUDA_SUCCESS) {
    made->unload();
    return result;
  }
  HandleTable& handles = context.platform().handles();
  const auto kernels = program->kernels();
  for (size_t i = 0; i < kernels.size(); ++i) {
    auto settings = i < kernel_settings.size() ? kernel_settings[i] : std::make_shared<FunctionSettings>();
    auto function = std::make_shared<Function>(made, made->loaded_, kernels[i], std::move(settings));
    handles.add(function);
    made->functions_.push_back(std::move(function));
  }
  handles.add(made);
  *module = std::move(made);
  return CUDA_SUCCESS;
}

CUresult Module::allocate_variables(const std::shared_ptr<const ptx::Program>& program,
                                    const std::map<std::string, uint64_t>& managed, std::string* message) {
  CUresult code = CUDA_SUCCESS;
  const std::shared_lock lock(context_.platform().memory().pages());
  // Instantiation writes initial values; what a shared variable holds by now must survive that.
  std::vector<std::pair<uint64_t, std::vector<std::byte>>> kept;
  auto loaded = exec::instantiate(program, [&](const ptx::Variable& variable) -> Result<uint64_t> {
    if (ptx::is_reference(variable.space)) return add_reference(variable);
    if (const auto shared = managed.find(variable.name); variable.managed && shared != managed.end()) {
      const auto* content = reinterpret_cast<const std::byte*>(shared->second);
      kept.emplace_back(shared->second, std::vector<std::byte>(content, content + variable.bytes));
      return shared->second;
    }
    MemoryRequest request;
    request.bytes = std::max<uint64_t>(variable.bytes, 1);
    request.align = variable.align;
    request.kind = variable.managed ? MemoryKind::kManaged : MemoryKind::kModule;
    request.context = context_.handle();
    uint64_t address = 0;
    code = context_.device().allocate(request, &address);
    if (code != CUDA_SUCCESS) {
      return fail(ErrorKind::kQuotaExceeded, "There is no device memory for the " +
                                                 std::to_string(variable.bytes) + " bytes of variable " +
                                                 variable.name + ".");
    }
    variables_.push_back(address);
    return address;
  });
  if (!loaded) {
    *message = loaded.error().message;
    return code != CUDA_SUCCESS ? code : compile_error_code(loaded.error().kind);
  }
  for (const auto& [address, content] : kept)
    std::memcpy(reinterpret_cast<void*>(address), content.data(), content.size());
  loaded_ = std::move(*loaded);
  return CUDA_SUCCESS;
}

uint64_t Module::add_reference(const ptx::Variable& variable) {
  HandleTable& handles = context_.platform().handles();
  switch (variable.space) {
    case ptx::Space::kTexture:
      references_.push_back(
          handles.add(std::make_shared<TextureReference>(context_.platform(), variable.reference)));
      break;
    case ptx::Space::kSampler:
      references_.push_back(handles.add(std::make_shared<SamplerReference>(variable.reference)));
      break;
    default: references_.push_back(handles.add(std::make_shared<SurfaceReference>())); break;
  }
  return references_.back();
}

void Module::unload() {
  HandleTable& handles = context_.platform().handles();
  for (const uint64_t reference : references_) {
    // Each is of one of these kinds.
    handles.remove<TextureReference>(reference);
    handles.remove<SamplerReference>(reference);
    handles.remove<SurfaceReference>(reference);
  }
  references_.clear();
  for (const auto& function : functions_) context_.platform().handles().remove<Function>(function->handle());
  functions_.clear();
  for (const uint64_t address : variables_) (void)context_.device().free(address);
  variables_.clear();
}

std::shared_ptr<Function> Module::find_function(std::string_view name) const {
  for (const auto& function : functions_) {
    if (function->kernel().name == name) return function;
  }
  return nullptr;
}

bool Module::find_global(std::string_view name, uint64_t* address, uint64_t* bytes) const {
  const auto variables = program().variables();
  for (size_t i = 0; i < variables.size(); ++i) {
    if (variables[i].name != name || ptx::is_reference(variables[i].space)) continue;
    *address = loaded_->address(i);
    *bytes = variables[i].bytes;
    return true;
  }
  return false;
}

uint64_t Module::find_reference(std::string_view name, ptx::Space space) const {
  const auto variables = program().variables();
  for (size_t i = 0; i < variables.size(); ++i) {
    if (variables[i].name == name && variables[i].space == space) return loaded_->address(i);
  }
  return 0;
}

}  // namespace outboard::softgpu
