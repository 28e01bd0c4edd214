// What is said about managed memory: whose streams use it, and where the driver keeps it.
#include <cstring>

#include "client-lib/calls/calls_gen.h"
#include "client-lib/calls/handles.h"
#include "client-lib/session/client.h"
#include "protocol/base/limits.h"
#include "protocol/wire/messages_memory_gen.h"

namespace outboard::client::calls {
namespace {

// Attributes whose values are device ordinals.
bool names_devices(CUmem_range_attribute attribute) {
  switch (attribute) {
    case CU_MEM_RANGE_ATTRIBUTE_PREFERRED_LOCATION:
    case CU_MEM_RANGE_ATTRIBUTE_ACCESSED_BY:
    case CU_MEM_RANGE_ATTRIBUTE_LAST_PREFETCH_LOCATION: return true;
    default: return false;
  }
}

// Numbers of a location whose type is another attribute.
bool names_location(CUmem_range_attribute attribute) {
  return attribute == CU_MEM_RANGE_ATTRIBUTE_PREFERRED_LOCATION_ID ||
         attribute == CU_MEM_RANGE_ATTRIBUTE_LAST_PREFETCH_LOCATION_ID;
}

void to_application_devices(Client& client, void* data, size_t bytes) {
  auto* ordinals = static_cast<std::byte*>(data);
  for (size_t at = 0; at + sizeof(CUdevice) <= bytes; at += sizeof(CUdevice)) {
    CUdevice device = 0;
    std::memcpy(&device, ordinals + at, sizeof device);
    if (device < 0) continue;  // the host, or none
    CUdevice seen = CU_DEVICE_INVALID;
    (void)client.application_device(device, &seen);
    std::memcpy(ordinals + at, &seen, sizeof seen);
  }
}

}  // namespace

CUresult cuMemRangeGetAttribute(Client& client, void* data, size_t dataSize, CUmem_range_attribute attribute,
                                CUdeviceptr devPtr, size_t count) {
  if (data == nullptr || dataSize == 0 || dataSize > limits::kArrayElements) return CUDA_ERROR_INVALID_VALUE;
  wire::MemRangeGetAttributeReply reply;
  const wire::MemRangeGetAttributeRequest request{static_cast<uint32_t>(attribute), devPtr, count,
                                                  static_cast<uint32_t>(dataSize)};
  if (const CUresult result = client.call(request, reply); result != CUDA_SUCCESS) return result;
  if (reply.value.size() != dataSize) return CUDA_ERROR_UNKNOWN;
  std::memcpy(data, reply.value.data(), dataSize);
  if (names_devices(attribute)) to_application_devices(client, data, dataSize);
  if (!names_location(attribute)) return CUDA_SUCCESS;
  // Its type, which the attribute before it says, decides what the number means.
  CUmemLocationType type = CU_MEM_LOCATION_TYPE_INVALID;
  const auto type_attribute = static_cast<CUmem_range_attribute>(attribute - 1);
  const CUresult result = cuMemRangeGetAttribute(client, &type, sizeof type, type_attribute, devPtr, count);
  if (result == CUDA_SUCCESS && type == CU_MEM_LOCATION_TYPE_DEVICE)
    to_application_devices(client, data, dataSize);
  return result;
}

CUresult cuMemRangeGetAttributes(Client& client, void** data, size_t* dataSizes,
                                 CUmem_range_attribute* attributes, size_t numAttributes, CUdeviceptr devPtr,
                                 size_t count) {
  if (data == nullptr || dataSizes == nullptr || attributes == nullptr || numAttributes == 0)
    return CUDA_ERROR_INVALID_VALUE;
  for (size_t i = 0; i < numAttributes; ++i) {
    const CUresult result =
        cuMemRangeGetAttribute(client, data[i], dataSizes[i], attributes[i], devPtr, count);
    if (result != CUDA_SUCCESS) return result;
  }
  return CUDA_SUCCESS;
}

// The server's driver need not know: host code touches the memory here only, and what a stream may use
// decides what is sent before its work.
CUresult cuStreamAttachMemAsync(Client& client, CUstream hStream, CUdeviceptr dptr, size_t length,
                                unsigned int flags) {
  if (flags != CU_MEM_ATTACH_GLOBAL && flags != CU_MEM_ATTACH_HOST && flags != CU_MEM_ATTACH_SINGLE)
    return CUDA_ERROR_INVALID_VALUE;
  ContextInfo* context = nullptr;
  if (const CUresult result = client.require_context(&context); result != CUDA_SUCCESS) return result;
  wire::Handle stream;
  if (const CUresult result = find(client, hStream, &stream); result != CUDA_SUCCESS) return result;
  const auto range = client.device_memory().find(dptr);
  if (!range || range->kind != MemoryKind::kManaged || range->base != dptr) return CUDA_ERROR_INVALID_VALUE;
  // All of it, or not at all.
  if (length != 0 && length != range->bytes) return CUDA_ERROR_INVALID_VALUE;
  // The null stream is no owner.
  if (flags == CU_MEM_ATTACH_SINGLE && stream.index == 0) return CUDA_ERROR_INVALID_VALUE;
  return client.mirrors().attach(dptr, flags, stream) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

}  // namespace outboard::client::calls
