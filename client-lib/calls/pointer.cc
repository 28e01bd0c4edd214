// Questions about addresses, answered from the client's own map.
#include <cstring>

#include "client-lib/calls/calls_gen.h"
#include "client-lib/calls/handles.h"
#include "client-lib/session/client.h"
#include "protocol/wire/messages_memory_gen.h"

namespace outboard::client::calls {
namespace {

// What CUDA says about a range, whoever holds it.
struct Known {
  MemoryRange range;
  const ContextInfo* context = nullptr;
  CUdevice device = CU_DEVICE_INVALID;
};

std::optional<Known> look_up(Client& client, uint64_t address) {
  auto range = client.device_memory().find(address);
  if (!range) range = client.host_memory().find(address);
  if (!range) return std::nullopt;
  Known known{*range, client.context(range->context), CU_DEVICE_INVALID};
  if (range->kind == MemoryKind::kManaged && range->context.is_null()) {
    (void)client.application_device(0, &known.device);  // a variable: the first device's
  } else if (known.context != nullptr) {
    (void)client.application_device(static_cast<int32_t>(known.context->device), &known.device);
  }
  return known;
}

template <typename T>
CUresult store(void* data, const T& value) {
  std::memcpy(data, &value, sizeof value);
  return CUDA_SUCCESS;
}

// "Boolean" attributes are written as unsigned int: the runtime reads four bytes.
unsigned flag(bool value) { return value ? 1 : 0; }

// CUDA_ERROR_NOT_FOUND: not something the client knows; the caller asks the server.
CUresult answer(const Known& known, CUpointer_attribute attribute, uint64_t address, void* data) {
  const MemoryRange& range = known.range;
  switch (attribute) {
    case CU_POINTER_ATTRIBUTE_CONTEXT: {
      // Memory of a pool belongs to no context.
      const bool none = known.context == nullptr || range.kind == MemoryKind::kPool;
      return store(data, none ? nullptr : to_application<CUcontext>(range.context));
    }
    case CU_POINTER_ATTRIBUTE_MEMORY_TYPE:
      return store(data, static_cast<unsigned>(range.is_host() ? CU_MEMORYTYPE_HOST : CU_MEMORYTYPE_DEVICE));
    case CU_POINTER_ATTRIBUTE_DEVICE_POINTER: return store(data, CUdeviceptr{address});
    case CU_POINTER_ATTRIBUTE_HOST_POINTER:
      if (range.is_host() || range.kind == MemoryKind::kManaged)
        return store(data, reinterpret_cast<void*>(address));
      return CUDA_ERROR_INVALID_VALUE;
    case CU_POINTER_ATTRIBUTE_BUFFER_ID: return store(data, static_cast<unsigned long long>(range.buffer_id));
    case CU_POINTER_ATTRIBUTE_IS_MANAGED: return store(data, flag(range.kind == MemoryKind::kManaged));
    case CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL: return store(data, static_cast<int>(known.device));
    case CU_POINTER_ATTRIBUTE_RANGE_START_ADDR: return store(data, CUdeviceptr{range.base});
    case CU_POINTER_ATTRIBUTE_RANGE_SIZE: return store(data, static_cast<size_t>(range.bytes));
    case CU_POINTER_ATTRIBUTE_MAPPED: return store(data, flag(true));
    // Of device memory the server's driver says it.
    case CU_POINTER_ATTRIBUTE_SYNC_MEMOPS:
    case CU_POINTER_ATTRIBUTE_IS_LEGACY_CUDA_IPC_CAPABLE:
    case CU_POINTER_ATTRIBUTE_IS_GPU_DIRECT_RDMA_CAPABLE:
      return range.is_host() ? store(data, flag(false)) : CUDA_ERROR_NOT_FOUND;
    default: return CUDA_ERROR_NOT_FOUND;
  }
}

// What an attribute reads where the address is nobody's.
void answer_unknown(CUpointer_attribute attribute, void* data) {
  switch (attribute) {
    case CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL: (void)store(data, static_cast<int>(CU_DEVICE_INVALID)); return;
    case CU_POINTER_ATTRIBUTE_MEMORY_TYPE: (void)store(data, 0u); return;
    case CU_POINTER_ATTRIBUTE_IS_MANAGED:
    case CU_POINTER_ATTRIBUTE_MAPPED:
    case CU_POINTER_ATTRIBUTE_SYNC_MEMOPS:
    case CU_POINTER_ATTRIBUTE_IS_LEGACY_CUDA_IPC_CAPABLE: (void)store(data, flag(false)); return;
    default: (void)store(data, uint64_t{0});
  }
}

CUresult ask_server(Client& client, CUpointer_attribute attribute, uint64_t address, void* data) {
  wire::PointerGetAttributeReply reply;
  const CUresult result =
      client.call(wire::PointerGetAttributeRequest{static_cast<uint32_t>(attribute), address}, reply);
  if (result != CUDA_SUCCESS) return result;
  // The largest attribute is the two words of the peer-to-peer tokens.
  if (reply.value.size() > 16) return CUDA_ERROR_UNKNOWN;
  std::memcpy(data, reply.value.data(), reply.value.size());
  return CUDA_SUCCESS;
}

}  // namespace

CUresult cuPointerGetAttribute(Client& client, void* data, CUpointer_attribute attribute, CUdeviceptr ptr) {
  if (data == nullptr || ptr == 0) return CUDA_ERROR_INVALID_VALUE;
  const auto known = look_up(client, ptr);
  if (!known) return CUDA_ERROR_INVALID_VALUE;
  const CUresult result = answer(*known, attribute, ptr, data);
  if (result != CUDA_ERROR_NOT_FOUND) return result;
  return known->range.is_host() ? CUDA_ERROR_INVALID_VALUE : ask_server(client, attribute, ptr, data);
}

// Never fails for an address that CUDA does not know: the attributes then read as nothing.
CUresult cuPointerGetAttributes(Client& client, unsigned int numAttributes, CUpointer_attribute* attributes,
                                void** data, CUdeviceptr ptr) {
  if (numAttributes == 0 || attributes == nullptr || data == nullptr) return CUDA_ERROR_INVALID_VALUE;
  const auto known = look_up(client, ptr);
  for (unsigned i = 0; i < numAttributes; ++i) {
    if (data[i] == nullptr) return CUDA_ERROR_INVALID_VALUE;
    CUresult result = known ? answer(*known, attributes[i], ptr, data[i]) : CUDA_ERROR_INVALID_VALUE;
    if (result == CUDA_ERROR_NOT_FOUND && !known->range.is_host()) {
      result = ask_server(client, attributes[i], ptr, data[i]);
      if (result == Session::kLost) return result;
    }
    if (result != CUDA_SUCCESS) answer_unknown(attributes[i], data[i]);
  }
  return CUDA_SUCCESS;
}

}  // namespace outboard::client::calls
