// Devices: everything is answered from what the handshake told.
#include <algorithm>
#include <cstring>

#include "client-lib/calls/calls_gen.h"
#include "client-lib/session/client.h"

namespace outboard::client::calls {
namespace {

CUresult copy_text(std::string_view from, char* to, int size_bytes) {
  if (to == nullptr || size_bytes <= 0) return CUDA_ERROR_INVALID_VALUE;
  const size_t length = std::min(from.size(), static_cast<size_t>(size_bytes) - 1);
  std::memcpy(to, from.data(), length);
  to[length] = '\0';
  return CUDA_SUCCESS;
}

bool same_ignoring_case(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

// "0000:01:00.0", "01:00.0" (domain 0) and "0000:01:00" all name the same device.
std::string canonical_bus_id(std::string_view id) {
  std::string out(id);
  if (std::count(out.begin(), out.end(), ':') == 1) out = "0000:" + out;
  if (out.find('.') == std::string::npos) out += ".0";
  return out;
}

}  // namespace

CUresult cuDeviceGetCount(Client& client, int* count) {
  if (count == nullptr) return CUDA_ERROR_INVALID_VALUE;
  *count = client.devices().count();
  return CUDA_SUCCESS;
}

CUresult cuDeviceGet(Client& client, CUdevice* device, int ordinal) {
  if (device == nullptr) return CUDA_ERROR_INVALID_VALUE;
  if (client.devices().visible(ordinal) == nullptr) return CUDA_ERROR_INVALID_DEVICE;
  *device = ordinal;
  return CUDA_SUCCESS;
}

CUresult cuDeviceGetName(Client& client, char* name, int len, CUdevice dev) {
  const Device* device = client.devices().visible(dev);
  if (device == nullptr) return CUDA_ERROR_INVALID_DEVICE;
  return copy_text(device->snapshot.name, name, len);
}

CUresult cuDeviceGetUuid(Client& client, CUuuid* uuid, CUdevice dev) {
  if (uuid == nullptr) return CUDA_ERROR_INVALID_VALUE;
  const Device* device = client.devices().visible(dev);
  if (device == nullptr) return CUDA_ERROR_INVALID_DEVICE;
  static_assert(sizeof(uuid->bytes) == sizeof(device->snapshot.uuid));
  std::memcpy(uuid->bytes, device->snapshot.uuid.data(), sizeof(uuid->bytes));
  return CUDA_SUCCESS;
}

CUresult cuDeviceGetUuid_v2(Client& client, CUuuid* uuid, CUdevice dev) {
  return cuDeviceGetUuid(client, uuid, dev);
}

CUresult cuDeviceGetLuid(Client& client, char* luid, unsigned int* deviceNodeMask, CUdevice dev) {
  if (luid == nullptr || deviceNodeMask == nullptr) return CUDA_ERROR_INVALID_VALUE;
  const Device* device = client.devices().visible(dev);
  if (device == nullptr) return CUDA_ERROR_INVALID_DEVICE;
  const auto& known = device->snapshot.luid;
  // Only Windows has LUIDs; a driver that knows none says so.
  if (std::all_of(known.begin(), known.end(), [](uint8_t byte) { return byte == 0; })) {
    return CUDA_ERROR_NOT_SUPPORTED;
  }
  std::memcpy(luid, known.data(), known.size());
  *deviceNodeMask = device->snapshot.luid_node_mask;
  return CUDA_SUCCESS;
}

CUresult cuDeviceTotalMem_v2(Client& client, size_t* bytes, CUdevice dev) {
  if (bytes == nullptr) return CUDA_ERROR_INVALID_VALUE;
  const Device* device = client.devices().visible(dev);
  if (device == nullptr) return CUDA_ERROR_INVALID_DEVICE;
  *bytes = device->snapshot.total_memory_bytes;
  return CUDA_SUCCESS;
}

CUresult cuDeviceGetAttribute(Client& client, int* pi, CUdevice_attribute attrib, CUdevice dev) {
  if (pi == nullptr) return CUDA_ERROR_INVALID_VALUE;
  const Device* device = client.devices().visible(dev);
  if (device == nullptr) return CUDA_ERROR_INVALID_DEVICE;
  const auto value = device->attribute(static_cast<uint32_t>(attrib));
  if (!value) return CUDA_ERROR_INVALID_VALUE;
  *pi = *value;
  return CUDA_SUCCESS;
}

CUresult cuDeviceComputeCapability(Client& client, int* major, int* minor, CUdevice dev) {
  if (major == nullptr || minor == nullptr) return CUDA_ERROR_INVALID_VALUE;
  const CUresult result =
      cuDeviceGetAttribute(client, major, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, dev);
  if (result != CUDA_SUCCESS) return result;
  return cuDeviceGetAttribute(client, minor, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, dev);
}

CUresult cuDeviceGetProperties(Client& client, CUdevprop* prop, CUdevice dev) {
  if (prop == nullptr) return CUDA_ERROR_INVALID_VALUE;
  const Device* device = client.devices().visible(dev);
  if (device == nullptr) return CUDA_ERROR_INVALID_DEVICE;
  const auto get = [device](CUdevice_attribute id) {
    return device->attribute_or(static_cast<uint32_t>(id), 0);
  };
  prop->maxThreadsPerBlock = get(CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK);
  prop->maxThreadsDim[0] = get(CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_X);
  prop->maxThreadsDim[1] = get(CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Y);
  prop->maxThreadsDim[2] = get(CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Z);
  prop->maxGridSize[0] = get(CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_X);
  prop->maxGridSize[1] = get(CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Y);
  prop->maxGridSize[2] = get(CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Z);
  prop->sharedMemPerBlock = get(CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK);
  prop->totalConstantMemory = get(CU_DEVICE_ATTRIBUTE_TOTAL_CONSTANT_MEMORY);
  prop->SIMDWidth = get(CU_DEVICE_ATTRIBUTE_WARP_SIZE);
  prop->memPitch = get(CU_DEVICE_ATTRIBUTE_MAX_PITCH);
  prop->regsPerBlock = get(CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_BLOCK);
  prop->clockRate = get(CU_DEVICE_ATTRIBUTE_CLOCK_RATE);
  prop->textureAlign = get(CU_DEVICE_ATTRIBUTE_TEXTURE_ALIGNMENT);
  return CUDA_SUCCESS;
}

CUresult cuDeviceGetPCIBusId(Client& client, char* pciBusId, int len, CUdevice dev) {
  const Device* device = client.devices().visible(dev);
  if (device == nullptr) return CUDA_ERROR_INVALID_DEVICE;
  return copy_text(device->snapshot.pci_bus_id, pciBusId, len);
}

CUresult cuDeviceGetByPCIBusId(Client& client, CUdevice* dev, const char* pciBusId) {
  if (dev == nullptr || pciBusId == nullptr) return CUDA_ERROR_INVALID_VALUE;
  const std::string wanted = canonical_bus_id(pciBusId);
  for (CUdevice i = 0; i < client.devices().count(); ++i) {
    if (same_ignoring_case(canonical_bus_id(client.devices().visible(i)->snapshot.pci_bus_id), wanted)) {
      *dev = i;
      return CUDA_SUCCESS;
    }
  }
  return CUDA_ERROR_INVALID_VALUE;
}

}  // namespace outboard::client::calls
