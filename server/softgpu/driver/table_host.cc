#include "server/softgpu/driver/table_host.h"

#include <cstdlib>
#include <cstring>

#include "server/softgpu/device/module.h"
#include "server/softgpu/device/note.h"
#include "server/softgpu/driver/driver.h"

namespace outboard::softgpu {

CUresult TableHost::primary_context(CUdevice device, CUcontext* context) {
  if (driver_.status() != CUDA_SUCCESS) return driver_.status();
  DeviceEntry* entry = driver_.platform().entry(device);
  if (entry == nullptr) return CUDA_ERROR_INVALID_DEVICE;
  *context = to_handle<CUcontext>(*entry->primary);
  return CUDA_SUCCESS;
}

CUcontext TableHost::current_context() noexcept {
  const ThreadState* state = existing_thread_state();
  if (state == nullptr || state->current() == nullptr || driver_.status() != CUDA_SUCCESS) return nullptr;
  return to_handle<CUcontext>(*state->current());
}

CUresult TableHost::context_id(CUcontext context, uint64_t* id) {
  unsigned long long value = 0;
  const CUresult result = cuCtxGetId(context, &value);
  *id = value;
  return result;
}

CUresult TableHost::context_device(CUcontext context, CUdevice* device) {
  return cuCtxGetDevice_v2(device, context);
}
CUresult TableHost::driver_version(int* version) { return cuDriverGetVersion(version); }

CUresult TableHost::device_identities(std::vector<abi::DeviceIdentity>* devices) {
  if (driver_.status() != CUDA_SUCCESS) return driver_.status();
  devices->clear();
  for (size_t i = 0; i < driver_.platform().device_count(); ++i) {
    const Device& device = *driver_.platform().device(static_cast<int>(i));
    abi::DeviceIdentity identity{};
    std::memcpy(identity.uuid.data(), device.uuid().data(), identity.uuid.size());
    (void)device.attribute(CU_DEVICE_ATTRIBUTE_PCI_DOMAIN_ID, &identity.pci_domain);
    (void)device.attribute(CU_DEVICE_ATTRIBUTE_PCI_BUS_ID, &identity.pci_bus);
    (void)device.attribute(CU_DEVICE_ATTRIBUTE_PCI_DEVICE_ID, &identity.pci_device);
    devices->push_back(identity);
  }
  return CUDA_SUCCESS;
}

CUresult TableHost::load_module(const void* image, CUmodule* module) {
  return cuModuleLoadData(module, image);
}

CUresult TableHost::module_functions(CUmodule module, std::vector<CUfunction>* functions) {
  return with_platform([&](Platform& platform) -> CUresult {
    const auto found = find<Module>(platform, module);
    if (found == nullptr) return CUDA_ERROR_INVALID_HANDLE;
    for (const auto& function : found->functions()) functions->push_back(to_handle<CUfunction>(*function));
    return CUDA_SUCCESS;
  });
}

CUresult TableHost::stream_id(CUcontext context, CUstream stream, uint64_t* id) {
  return with_platform([&](Platform& platform) -> CUresult {
    const auto found = find<Context>(platform, context);
    const auto owner = found != nullptr ? found->stream(stream) : nullptr;
    if (owner == nullptr) return CUDA_ERROR_INVALID_HANDLE;
    *id = owner->id();
    return CUDA_SUCCESS;
  });
}

void TableHost::note(std::string_view message) {
  // Programs that ask for tables nobody has are common and work; only who debugs wants to know.
  if (std::getenv("OUTBOARD_SOFTGPU_DEBUG") != nullptr) softgpu::note(message);
}

}  // namespace outboard::softgpu
