// Where managed memory should be. It is memory of this process: it is where everybody wants it already.
#include <algorithm>
#include <cstring>

#include "server/softgpu/device/memory_advice.h"
#include "server/softgpu/driver/driver.h"

using namespace outboard::softgpu;

namespace {

constexpr CUmemLocation kNowhere{.type = CU_MEM_LOCATION_TYPE_INVALID, .id = 0};

// Device numbers as the older calls have them.
CUmemLocation location_of(CUdevice device) {
  if (device == CU_DEVICE_CPU) return {.type = CU_MEM_LOCATION_TYPE_HOST, .id = 0};
  return {.type = CU_MEM_LOCATION_TYPE_DEVICE, .id = device};
}

CUdevice device_of(const CUmemLocation& location) {
  if (location.type == CU_MEM_LOCATION_TYPE_DEVICE) return location.id;
  return location.type == CU_MEM_LOCATION_TYPE_INVALID ? CU_DEVICE_INVALID : CU_DEVICE_CPU;
}

bool is_host(const CUmemLocation& location) {
  return location.type == CU_MEM_LOCATION_TYPE_HOST || location.type == CU_MEM_LOCATION_TYPE_HOST_NUMA ||
         location.type == CU_MEM_LOCATION_TYPE_HOST_NUMA_CURRENT;
}

CUresult check_location(Platform& platform, const CUmemLocation& location) {
  if (is_host(location)) return CUDA_SUCCESS;
  if (location.type != CU_MEM_LOCATION_TYPE_DEVICE) return CUDA_ERROR_INVALID_VALUE;
  return platform.device(location.id) == nullptr ? CUDA_ERROR_INVALID_DEVICE : CUDA_SUCCESS;
}

bool needs_location(CUmem_advise advice) {
  return advice == CU_MEM_ADVISE_SET_PREFERRED_LOCATION || advice == CU_MEM_ADVISE_SET_ACCESSED_BY ||
         advice == CU_MEM_ADVISE_UNSET_ACCESSED_BY;
}

void take_advice(MemoryAdvice::Said& said, CUmem_advise advice, const CUmemLocation& location) {
  auto& users = said.accessed_by;
  const CUdevice device = device_of(location);
  const auto at = std::lower_bound(users.begin(), users.end(), device);
  const bool known = at != users.end() && *at == device;
  switch (advice) {
    case CU_MEM_ADVISE_SET_READ_MOSTLY: said.read_mostly = true; break;
    case CU_MEM_ADVISE_UNSET_READ_MOSTLY: said.read_mostly = false; break;
    case CU_MEM_ADVISE_SET_PREFERRED_LOCATION: said.preferred = location; break;
    case CU_MEM_ADVISE_UNSET_PREFERRED_LOCATION: said.preferred = kNowhere; break;
    case CU_MEM_ADVISE_SET_ACCESSED_BY:
      if (!known) users.insert(at, device);
      break;
    case CU_MEM_ADVISE_UNSET_ACCESSED_BY:
      if (known) users.erase(at);
      break;
    default: break;
  }
}

CUresult advise(Context& context, CUdeviceptr address, size_t bytes, CUmem_advise advice,
                const CUmemLocation& location) {
  Platform& platform = context.platform();
  if (bytes == 0 || !platform.memory().covers(address, bytes)) return CUDA_ERROR_INVALID_VALUE;
  if (advice < CU_MEM_ADVISE_SET_READ_MOSTLY || advice > CU_MEM_ADVISE_UNSET_ACCESSED_BY)
    return CUDA_ERROR_INVALID_VALUE;
  if (needs_location(advice)) {
    if (const CUresult bad = check_location(platform, location); bad != CUDA_SUCCESS) return bad;
  }
  platform.advice().change(address, bytes,
                           [&](MemoryAdvice::Said& said) { take_advice(said, advice, location); });
  return CUDA_SUCCESS;
}

CUresult prefetch(Context& context, CUdeviceptr address, size_t bytes, const CUmemLocation& location) {
  Platform& platform = context.platform();
  if (bytes == 0 || !platform.memory().covers(address, bytes)) return CUDA_ERROR_INVALID_VALUE;
  if (const CUresult bad = check_location(platform, location); bad != CUDA_SUCCESS) return bad;
  platform.advice().change(address, bytes, [&](MemoryAdvice::Said& said) { said.last_prefetch = location; });
  return CUDA_SUCCESS;
}

void give_int(void* to, int value) { std::memcpy(to, &value, sizeof value); }

// As many as there is room for; what is left of it says that there are no more.
void give_users(const MemoryAdvice::Said& said, void* data, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    const CUdevice user = i < said.accessed_by.size() ? said.accessed_by[i] : CU_DEVICE_INVALID;
    give_int(static_cast<char*>(data) + i * sizeof user, user);
  }
}

CUresult give_attribute(const MemoryAdvice::Said& said, CUmem_range_attribute attribute, void* data,
                        size_t data_bytes) {
  if (attribute == CU_MEM_RANGE_ATTRIBUTE_ACCESSED_BY) {
    if (data_bytes % sizeof(CUdevice) != 0) return CUDA_ERROR_INVALID_VALUE;
    give_users(said, data, data_bytes / sizeof(CUdevice));
    return CUDA_SUCCESS;
  }
  if (data_bytes != sizeof(int)) return CUDA_ERROR_INVALID_VALUE;
  switch (attribute) {
    case CU_MEM_RANGE_ATTRIBUTE_READ_MOSTLY: give_int(data, said.read_mostly); break;
    case CU_MEM_RANGE_ATTRIBUTE_PREFERRED_LOCATION: give_int(data, device_of(said.preferred)); break;
    case CU_MEM_RANGE_ATTRIBUTE_LAST_PREFETCH_LOCATION: give_int(data, device_of(said.last_prefetch)); break;
    case CU_MEM_RANGE_ATTRIBUTE_PREFERRED_LOCATION_TYPE: give_int(data, said.preferred.type); break;
    case CU_MEM_RANGE_ATTRIBUTE_PREFERRED_LOCATION_ID: give_int(data, said.preferred.id); break;
    case CU_MEM_RANGE_ATTRIBUTE_LAST_PREFETCH_LOCATION_TYPE: give_int(data, said.last_prefetch.type); break;
    case CU_MEM_RANGE_ATTRIBUTE_LAST_PREFETCH_LOCATION_ID: give_int(data, said.last_prefetch.id); break;
    default: return CUDA_ERROR_INVALID_VALUE;
  }
  return CUDA_SUCCESS;
}

}  // namespace

extern "C" {

CUresult cuMemPrefetchAsync_v2(CUdeviceptr address, size_t bytes, CUmemLocation location, unsigned int flags,
                               CUstream stream) {
  return with_stream(stream, [&](Context& context, const std::shared_ptr<Stream>&) -> CUresult {
    return flags != 0 ? CUDA_ERROR_INVALID_VALUE : prefetch(context, address, bytes, location);
  });
}
CUresult cuMemPrefetchAsync(CUdeviceptr address, size_t bytes, CUdevice device, CUstream stream) {
  return cuMemPrefetchAsync_v2(address, bytes, location_of(device), 0, stream);
}

CUresult cuMemAdvise_v2(CUdeviceptr address, size_t bytes, CUmem_advise advice, CUmemLocation location) {
  return with_context([&](Context& context) { return advise(context, address, bytes, advice, location); });
}
CUresult cuMemAdvise(CUdeviceptr address, size_t bytes, CUmem_advise advice, CUdevice device) {
  return cuMemAdvise_v2(address, bytes, advice, location_of(device));
}

CUresult cuMemRangeGetAttribute(void* data, size_t data_bytes, CUmem_range_attribute attribute,
                                CUdeviceptr address, size_t bytes) {
  return with_platform([&](Platform& platform) -> CUresult {
    if (data == nullptr || data_bytes == 0 || !platform.memory().covers(address, bytes))
      return CUDA_ERROR_INVALID_VALUE;
    return give_attribute(platform.advice().common(address, bytes), attribute, data, data_bytes);
  });
}

CUresult cuMemRangeGetAttributes(void** data, size_t* data_bytes, CUmem_range_attribute* attributes,
                                 size_t count, CUdeviceptr address, size_t bytes) {
  if (data == nullptr || data_bytes == nullptr || attributes == nullptr) return CUDA_ERROR_INVALID_VALUE;
  for (size_t i = 0; i < count; ++i) {
    const CUresult result = cuMemRangeGetAttribute(data[i], data_bytes[i], attributes[i], address, bytes);
    if (result != CUDA_SUCCESS) return result;
  }
  return CUDA_SUCCESS;
}

}  // extern "C"
