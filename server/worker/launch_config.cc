#include "server/worker/launch_config.h"

#include <cstring>

namespace outboard::server {
namespace {

CUresult to_native_attribute(const Worker& worker, const wire::LaunchAttribute& from, CUlaunchAttribute& to) {
  to.id = static_cast<CUlaunchAttributeID>(from.id);
  if (from.value.size() > sizeof to.value) return CUDA_ERROR_INVALID_VALUE;
  if (!from.value.empty()) std::memcpy(&to.value, from.value.data(), from.value.size());
  switch (from.id) {
    case CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_EVENT:
    case CU_LAUNCH_ATTRIBUTE_LAUNCH_COMPLETION_EVENT: {
      const auto event = worker.native_as<CUevent>(wire::HandleKind::kEvent, from.event);
      if (!event) return CUDA_ERROR_INVALID_HANDLE;
      if (from.id == CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_EVENT) {
        to.value.programmaticEvent.event = *event;
      } else {
        to.value.launchCompletionEvent.event = *event;
      }
      return CUDA_SUCCESS;
    }
    case CU_LAUNCH_ATTRIBUTE_DEVICE_UPDATABLE_KERNEL_NODE: return CUDA_ERROR_NOT_SUPPORTED;
    default: return CUDA_SUCCESS;
  }
}

}  // namespace

CUresult to_native_attributes(const Worker& worker, const std::vector<wire::LaunchAttribute>& from,
                              std::vector<CUlaunchAttribute>* to) {
  if (from.size() > kMaxLaunchAttributes) return CUDA_ERROR_INVALID_VALUE;
  for (const wire::LaunchAttribute& attribute : from) {
    CUlaunchAttribute native{};
    if (CUresult made = to_native_attribute(worker, attribute, native); made != CUDA_SUCCESS) return made;
    to->push_back(native);
  }
  return CUDA_SUCCESS;
}

}  // namespace outboard::server
