#include "server/worker/function_description.h"

#include <algorithm>

namespace outboard::server {
namespace {

constexpr size_t kMaxParameters = 4096;  // a parameter buffer has at most 32 KiB

// Parameters are numbered from 0; the first number that does not exist ends the list. Drivers
// before CUDA 12.4 cannot tell.
template <typename Query>
void add_parameters(wire::FunctionDescription& description, Query query) {
  while (description.parameters.size() < kMaxParameters) {
    size_t offset = 0;
    size_t size = 0;
    const CUresult told = query(description.parameters.size(), &offset, &size);
    description.layout_known = told != CUDA_ERROR_NOT_SUPPORTED;
    if (told != CUDA_SUCCESS) return;
    description.parameters.push_back({static_cast<uint32_t>(offset), static_cast<uint32_t>(size)});
  }
}

template <typename Query>
void add_attributes(wire::FunctionDescription& description, Query query) {
  for (uint32_t id = 0; id < CU_FUNC_ATTRIBUTE_MAX; ++id) {
    int value = 0;
    if (query(&value, static_cast<CUfunction_attribute>(id)) == CUDA_SUCCESS) {
      description.attributes.push_back({id, value});
    }
  }
}

}  // namespace

wire::FunctionDescription describe_function(const DriverApi& driver, CUfunction function,
                                            bool with_attributes) {
  wire::FunctionDescription description;
  const char* name = nullptr;
  if (driver.cuFuncGetName(&name, function) == CUDA_SUCCESS && name != nullptr) description.name = name;
  add_parameters(description, [&](size_t index, size_t* offset, size_t* size) {
    return driver.cuFuncGetParamInfo(function, index, offset, size);
  });
  if (with_attributes) {
    add_attributes(description, [&](int* value, CUfunction_attribute id) {
      return driver.cuFuncGetAttribute(value, id, function);
    });
  }
  return description;
}

wire::FunctionDescription describe_kernel(const DriverApi& driver, CUkernel kernel, CUdevice device,
                                          bool with_attributes) {
  wire::FunctionDescription description;
  const char* name = nullptr;
  if (driver.cuKernelGetName(&name, kernel) == CUDA_SUCCESS && name != nullptr) description.name = name;
  add_parameters(description, [&](size_t index, size_t* offset, size_t* size) {
    return driver.cuKernelGetParamInfo(kernel, index, offset, size);
  });
  if (with_attributes) {
    add_attributes(description, [&](int* value, CUfunction_attribute id) {
      return driver.cuKernelGetAttribute(value, id, kernel, device);
    });
  }
  return description;
}

std::optional<std::vector<wire::FunctionDescription>> describe_module(const DriverApi& driver,
                                                                      CUmodule module) {
  unsigned count = 0;
  if (driver.cuModuleGetFunctionCount(&count, module) != CUDA_SUCCESS) return std::nullopt;
  std::vector<CUfunction> functions(std::min<size_t>(count, kMaxDescribedFunctions));
  if (!functions.empty() &&
      driver.cuModuleEnumerateFunctions(functions.data(), static_cast<unsigned>(functions.size()), module) !=
          CUDA_SUCCESS) {
    return std::nullopt;
  }
  std::vector<wire::FunctionDescription> descriptions;
  for (CUfunction function : functions) {
    descriptions.push_back(describe_function(driver, function, count <= kMaxFunctionsWithAttributes));
  }
  return descriptions;
}

std::optional<std::vector<wire::FunctionDescription>> describe_library(const DriverApi& driver,
                                                                       CUlibrary library) {
  unsigned count = 0;
  if (driver.cuLibraryGetKernelCount(&count, library) != CUDA_SUCCESS) return std::nullopt;
  std::vector<CUkernel> kernels(std::min<size_t>(count, kMaxDescribedFunctions));
  if (!kernels.empty() &&
      driver.cuLibraryEnumerateKernels(kernels.data(), static_cast<unsigned>(kernels.size()), library) !=
          CUDA_SUCCESS) {
    return std::nullopt;
  }
  // Without a context (a library may be loaded before there is one) attributes are asked for later.
  CUdevice device = 0;
  const bool has_device = driver.cuCtxGetDevice(&device) == CUDA_SUCCESS;
  std::vector<wire::FunctionDescription> descriptions;
  for (CUkernel kernel : kernels) {
    descriptions.push_back(
        describe_kernel(driver, kernel, device, has_device && count <= kMaxFunctionsWithAttributes));
  }
  return descriptions;
}

}  // namespace outboard::server
