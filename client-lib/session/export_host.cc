#include "client-lib/session/export_host.h"

#include "client-lib/calls/calls_gen.h"
#include "client-lib/session/client.h"

namespace outboard::client {

CUresult ExportHost::primary_context(CUdevice device, CUcontext* context) {
  if (const CUresult result = client_.gate(); result != CUDA_SUCCESS) return result;
  int32_t server = 0;
  if (const CUresult result = client_.server_device(device, &server); result != CUDA_SUCCESS) return result;
  const ContextInfo* info = client_.primary_context(static_cast<uint32_t>(server));
  *context = reinterpret_cast<CUcontext>(handle_value(wire::HandleKind::kContext, info->handle));
  return CUDA_SUCCESS;
}

CUcontext ExportHost::current_context() noexcept {
  if (client_.gate() != CUDA_SUCCESS) return nullptr;
  return reinterpret_cast<CUcontext>(handle_value(wire::HandleKind::kContext, client_.thread().current()));
}

CUresult ExportHost::context_id(CUcontext context, uint64_t* id) {
  if (const CUresult result = client_.gate(); result != CUDA_SUCCESS) return result;
  unsigned long long value = 0;
  const CUresult result = calls::cuCtxGetId(client_, context, &value);
  if (result == CUDA_SUCCESS) *id = value;
  return result;
}

CUresult ExportHost::context_device(CUcontext context, CUdevice* device) {
  if (const CUresult result = client_.gate(); result != CUDA_SUCCESS) return result;
  return calls::cuCtxGetDevice_v2(client_, device, context);
}

CUresult ExportHost::driver_version(int* version) { return calls::cuDriverGetVersion(client_, version); }

CUresult ExportHost::device_identities(std::vector<abi::DeviceIdentity>* devices) {
  if (const CUresult result = client_.gate(); result != CUDA_SUCCESS) return result;
  devices->clear();
  for (CUdevice i = 0; i < client_.devices().count(); ++i) {
    const Device* device = client_.devices().visible(i);
    devices->push_back({device->snapshot.uuid, device->attribute_or(CU_DEVICE_ATTRIBUTE_PCI_DOMAIN_ID, 0),
                        device->attribute_or(CU_DEVICE_ATTRIBUTE_PCI_BUS_ID, 0),
                        device->attribute_or(CU_DEVICE_ATTRIBUTE_PCI_DEVICE_ID, 0)});
  }
  return CUDA_SUCCESS;
}

CUresult ExportHost::load_module(const void* image, CUmodule* module) {
  if (const CUresult result = client_.gate(); result != CUDA_SUCCESS) return result;
  return calls::cuModuleLoadData(client_, module, image);
}

CUresult ExportHost::module_functions(CUmodule module, std::vector<CUfunction>* functions) {
  if (const CUresult result = client_.gate(); result != CUDA_SUCCESS) return result;
  unsigned count = 0;
  if (const CUresult r = calls::cuModuleGetFunctionCount(client_, &count, module); r != CUDA_SUCCESS)
    return r;
  functions->resize(count);
  return count == 0 ? CUDA_SUCCESS
                    : calls::cuModuleEnumerateFunctions(client_, functions->data(), count, module);
}

CUresult ExportHost::stream_id(CUcontext, CUstream stream, uint64_t* id) {
  if (const CUresult result = client_.gate(); result != CUDA_SUCCESS) return result;
  unsigned long long value = 0;
  const CUresult result = calls::cuStreamGetId(client_, stream, &value);
  if (result == CUDA_SUCCESS) *id = value;
  return result;
}

void ExportHost::note(std::string_view message) { client_.log().info(message); }

}  // namespace outboard::client
