#include "client-lib/calls/launch_attributes.h"

#include <span>

#include "client-lib/calls/handles.h"

namespace outboard::client::calls {
namespace {

// Events inside attributes are handles of the client; everything else is plain data.
CUresult translate(Client& client, const CUlaunchAttribute& from, wire::LaunchAttribute* to) {
  to->id = static_cast<uint32_t>(from.id);
  CUlaunchAttributeValue value = from.value;
  CUevent* event = nullptr;
  if (from.id == CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_EVENT) event = &value.programmaticEvent.event;
  if (from.id == CU_LAUNCH_ATTRIBUTE_LAUNCH_COMPLETION_EVENT) event = &value.launchCompletionEvent.event;
  // The device's own handle of a graph node would have to be written back after the launch.
  if (from.id == CU_LAUNCH_ATTRIBUTE_DEVICE_UPDATABLE_KERNEL_NODE) return CUDA_ERROR_NOT_SUPPORTED;
  to->event = {};
  if (event != nullptr) {
    if (const CUresult result = find(client, *event, &to->event); result != CUDA_SUCCESS) return result;
    *event = nullptr;
  }
  const auto bytes = std::as_bytes(std::span(&value, 1));
  to->value.assign(bytes.begin(), bytes.end());
  return CUDA_SUCCESS;
}

}  // namespace

CUresult translate_attributes(Client& client, const CUlaunchConfig& config,
                              std::vector<wire::LaunchAttribute>* attributes) {
  attributes->resize(config.numAttrs);
  for (unsigned i = 0; i < config.numAttrs; ++i) {
    const CUresult result = translate(client, config.attrs[i], &(*attributes)[i]);
    if (result != CUDA_SUCCESS) return result;
  }
  return CUDA_SUCCESS;
}

}  // namespace outboard::client::calls
