// Device enumeration and properties.
#include <cstring>

#include "server/softgpu/device/limits.h"
#include "server/softgpu/device/memory_pool.h"
#include "server/softgpu/driver/driver.h"

using namespace outboard::softgpu;

namespace {

// function(Device&) for a valid ordinal.
template <typename F>
CUresult with_device(CUdevice ordinal, F&& function) noexcept {
  return with_platform([&](Platform& platform) -> CUresult {
    Device* device = platform.device(ordinal);
    return device == nullptr ? CUDA_ERROR_INVALID_DEVICE : function(*device);
  });
}

}  // namespace

extern "C" {

CUresult cuDeviceGetCount(int* count) {
  return with_platform([&](Platform& platform) -> CUresult {
    if (count == nullptr) return CUDA_ERROR_INVALID_VALUE;
    *count = static_cast<int>(platform.device_count());
    return CUDA_SUCCESS;
  });
}

CUresult cuDeviceGet(CUdevice* device, int ordinal) {
  return with_device(ordinal, [&](Device&) -> CUresult {
    if (device == nullptr) return CUDA_ERROR_INVALID_VALUE;
    *device = ordinal;
    return CUDA_SUCCESS;
  });
}

CUresult cuDeviceGetName(char* name, int length, CUdevice ordinal) {
  return with_device(ordinal, [&](Device&) -> CUresult {
    if (name == nullptr || length <= 0) return CUDA_ERROR_INVALID_VALUE;
    copy_text(kDeviceName, name, static_cast<size_t>(length));
    return CUDA_SUCCESS;
  });
}

CUresult cuDeviceGetUuid_v2(CUuuid* uuid, CUdevice ordinal) {
  return with_device(ordinal, [&](Device& device) -> CUresult {
    if (uuid == nullptr) return CUDA_ERROR_INVALID_VALUE;
    std::memcpy(uuid, device.uuid().data(), device.uuid().size());
    return CUDA_SUCCESS;
  });
}

CUresult cuDeviceGetUuid(CUuuid* uuid, CUdevice ordinal) { return cuDeviceGetUuid_v2(uuid, ordinal); }

// LUIDs exist on Windows only.
CUresult cuDeviceGetLuid(char*, unsigned int*, CUdevice) { return CUDA_ERROR_NOT_SUPPORTED; }

CUresult cuDeviceTotalMem_v2(size_t* bytes, CUdevice ordinal) {
  return with_device(ordinal, [&](Device& device) -> CUresult {
    if (bytes == nullptr) return CUDA_ERROR_INVALID_VALUE;
    *bytes = device.total_bytes();
    return CUDA_SUCCESS;
  });
}

CUresult cuDeviceGetAttribute(int* value, CUdevice_attribute attribute, CUdevice ordinal) {
  return with_device(ordinal, [&](Device& device) -> CUresult {
    return value == nullptr ? CUDA_ERROR_INVALID_VALUE : device.attribute(attribute, value);
  });
}

CUresult cuDeviceComputeCapability(int* major, int* minor, CUdevice ordinal) {
  return with_device(ordinal, [&](Device& device) -> CUresult {
    if (major == nullptr || minor == nullptr) return CUDA_ERROR_INVALID_VALUE;
    (void)device.attribute(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, major);
    return device.attribute(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, minor);
  });
}

CUresult cuDeviceGetProperties(CUdevprop* properties, CUdevice ordinal) {
  return with_device(ordinal, [&](Device& device) -> CUresult {
    if (properties == nullptr) return CUDA_ERROR_INVALID_VALUE;
    std::memset(properties, 0, sizeof(*properties));
    const auto read = [&](int id, int& field) { (void)device.attribute(id, &field); };
    read(CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK, properties->maxThreadsPerBlock);
    for (int axis = 0; axis < 3; ++axis) {
      read(CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_X + axis, properties->maxThreadsDim[axis]);
      read(CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_X + axis, properties->maxGridSize[axis]);
    }
    read(CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK, properties->sharedMemPerBlock);
    read(CU_DEVICE_ATTRIBUTE_TOTAL_CONSTANT_MEMORY, properties->totalConstantMemory);
    read(CU_DEVICE_ATTRIBUTE_WARP_SIZE, properties->SIMDWidth);
    read(CU_DEVICE_ATTRIBUTE_MAX_PITCH, properties->memPitch);
    read(CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_BLOCK, properties->regsPerBlock);
    read(CU_DEVICE_ATTRIBUTE_CLOCK_RATE, properties->clockRate);
    read(CU_DEVICE_ATTRIBUTE_TEXTURE_ALIGNMENT, properties->textureAlign);
    return CUDA_SUCCESS;
  });
}

CUresult cuDeviceGetPCIBusId(char* text, int length, CUdevice ordinal) {
  return with_device(ordinal, [&](Device& device) -> CUresult {
    if (text == nullptr || length <= 0) return CUDA_ERROR_INVALID_VALUE;
    copy_text(device.pci_bus_id(), text, static_cast<size_t>(length));
    return CUDA_SUCCESS;
  });
}

CUresult cuDeviceGetByPCIBusId(CUdevice* device, const char* text) {
  return with_platform([&](Platform& platform) -> CUresult {
    if (device == nullptr || text == nullptr) return CUDA_ERROR_INVALID_VALUE;
    // "[domain:]bus:device[.function]", hexadecimal.
    unsigned domain = 0, bus = 0, slot = 0;
    if (std::sscanf(text, "%x:%x:%x", &domain, &bus, &slot) != 3) {
      domain = 0;
      if (std::sscanf(text, "%x:%x", &bus, &slot) != 2) return CUDA_ERROR_INVALID_VALUE;
    }
    for (size_t i = 0; i < platform.device_count(); ++i) {
      int own = 0;
      (void)platform.device(static_cast<int>(i))->attribute(CU_DEVICE_ATTRIBUTE_PCI_BUS_ID, &own);
      if (domain != 0 || slot != 0 || static_cast<unsigned>(own) != bus) continue;
      *device = static_cast<CUdevice>(i);
      return CUDA_SUCCESS;
    }
    return CUDA_ERROR_INVALID_DEVICE;
  });
}

CUresult cuDeviceGetTexture1DLinearMaxWidth(size_t* width, CUarray_format, unsigned channels,
                                            CUdevice ordinal) {
  return with_device(ordinal, [&](Device& device) -> CUresult {
    if (width == nullptr || channels == 0 || channels > 4) return CUDA_ERROR_INVALID_VALUE;
    int value = 0;
    (void)device.attribute(CU_DEVICE_ATTRIBUTE_MAXIMUM_TEXTURE1D_LINEAR_WIDTH, &value);
    *width = static_cast<size_t>(value);
    return CUDA_SUCCESS;
  });
}

CUresult cuDeviceGetExecAffinitySupport(int* supported, CUexecAffinityType, CUdevice ordinal) {
  return with_device(ordinal, [&](Device&) -> CUresult {
    if (supported == nullptr) return CUDA_ERROR_INVALID_VALUE;
    *supported = 0;
    return CUDA_SUCCESS;
  });
}

CUresult cuDeviceGetDefaultMemPool(CUmemoryPool* pool, CUdevice ordinal) {
  return with_device(ordinal, [&](Device&) -> CUresult {
    if (pool == nullptr) return CUDA_ERROR_INVALID_VALUE;
    *pool = to_handle<CUmemoryPool>(*Driver::instance().platform().entry(ordinal)->default_pool);
    return CUDA_SUCCESS;
  });
}

CUresult cuDeviceGetMemPool(CUmemoryPool* pool, CUdevice ordinal) {
  return with_device(ordinal, [&](Device&) -> CUresult {
    if (pool == nullptr) return CUDA_ERROR_INVALID_VALUE;
    *pool = to_handle<CUmemoryPool>(*Driver::instance().platform().current_pool(ordinal));
    return CUDA_SUCCESS;
  });
}

CUresult cuDeviceSetMemPool(CUdevice ordinal, CUmemoryPool pool) {
  return with_device(ordinal, [&](Device& device) -> CUresult {
    Platform& platform = Driver::instance().platform();
    auto found = find<MemoryPool>(platform, pool);
    if (found == nullptr || &found->device() != &device) return CUDA_ERROR_INVALID_VALUE;
    platform.set_current_pool(ordinal, std::move(found));
    return CUDA_SUCCESS;
  });
}

}  // extern "C"
