// The fake driver's memory calls, other than the plain ones: nothing behind them but new names.
#include <sys/mman.h>

#include <algorithm>

#include "tests/server/fake_driver.h"

namespace outboard::server::testing {

void FakeDriver::install_accounted_memory() {
  api_.cuArrayCreate_v2 = [](CUarray* array, const CUDA_ARRAY_DESCRIPTOR*) {
    return self().make("cuArrayCreate", array);
  };
  api_.cuArray3DCreate_v2 = [](CUarray* array, const CUDA_ARRAY3D_DESCRIPTOR*) {
    return self().make("cuArray3DCreate", array);
  };
  api_.cuArrayDestroy = [](CUarray) { return self().note("cuArrayDestroy"); };
  api_.cuMipmappedArrayCreate = [](CUmipmappedArray* array, const CUDA_ARRAY3D_DESCRIPTOR*, unsigned) {
    return self().make("cuMipmappedArrayCreate", array);
  };
  api_.cuMipmappedArrayDestroy = [](CUmipmappedArray) { return self().note("cuMipmappedArrayDestroy"); };
  api_.cuMemAllocManaged = [](CUdeviceptr* address, size_t, unsigned) {
    return self().make("cuMemAllocManaged", address);
  };
  api_.cuMemCreate = [](CUmemGenericAllocationHandle* memory, size_t, const CUmemAllocationProp*,
                        unsigned long long) { return self().make("cuMemCreate", memory); };
  api_.cuMemRelease = [](CUmemGenericAllocationHandle) { return self().note("cuMemRelease"); };
  api_.cuMemMap = [](CUdeviceptr, size_t, size_t, CUmemGenericAllocationHandle, unsigned long long) {
    return self().note("cuMemMap");
  };
  api_.cuMemUnmap = [](CUdeviceptr, size_t) { return self().note("cuMemUnmap"); };
  api_.cuMemSetAccess = [](CUdeviceptr, size_t, const CUmemAccessDesc*, size_t) {
    return self().note("cuMemSetAccess");
  };
  api_.cuMemAddressReserve = [](CUdeviceptr* address, size_t, size_t, CUdeviceptr wanted,
                                unsigned long long) {
    *address = self().taken_address_ == wanted ? wanted + 4096 : wanted;
    return self().note("cuMemAddressReserve");
  };
  api_.cuMemAddressFree = [](CUdeviceptr, size_t) { return self().note("cuMemAddressFree"); };
}

// One pool, which takes pieces of pool_grain_ and keeps them until it is trimmed.
void FakeDriver::install_pools() {
  api_.cuDeviceGetMemPool = [](CUmemoryPool* pool, CUdevice) { return *pool = kFakePool, CUDA_SUCCESS; };
  api_.cuDeviceGetDefaultMemPool = api_.cuDeviceGetMemPool;
  api_.cuMemPoolCreate = [](CUmemoryPool* pool, const CUmemPoolProps*) {
    *pool = kFakePool;
    return self().note("cuMemPoolCreate");
  };
  api_.cuMemPoolDestroy = [](CUmemoryPool) { return self().note("cuMemPoolDestroy"); };
  api_.cuMemAllocFromPoolAsync = [](CUdeviceptr* address, size_t bytes, CUmemoryPool, CUstream) {
    const CUresult result = self().make("cuMemAllocFromPoolAsync", address);
    std::lock_guard lock(self().mutex_);
    FakeDriver& fake = self();
    fake.pool_allocations_[*address] = bytes;
    fake.pool_used_ += bytes;
    const size_t grain = fake.pool_grain_;
    fake.pool_reserved_ = std::max(fake.pool_reserved_, (fake.pool_used_ + grain - 1) / grain * grain);
    return result;
  };
  api_.cuMemFreeAsync = [](CUdeviceptr address, CUstream) {
    std::lock_guard lock(self().mutex_);
    self().pool_used_ -= self().pool_allocations_[address];
    self().pool_allocations_.erase(address);
    self().calls_.push_back("cuMemFreeAsync");
    return CUDA_SUCCESS;
  };
  api_.cuMemPoolTrimTo = [](CUmemoryPool, size_t bytes) {
    std::lock_guard lock(self().mutex_);
    const size_t grain = self().pool_grain_;
    const size_t kept = std::max(bytes, self().pool_used_);
    self().pool_reserved_ = std::min(self().pool_reserved_, (kept + grain - 1) / grain * grain);
    self().calls_.push_back("cuMemPoolTrimTo");
    return CUDA_SUCCESS;
  };
  api_.cuMemPoolGetAttribute = [](CUmemoryPool, CUmemPool_attribute attribute, void* value) {
    std::lock_guard lock(self().mutex_);
    const cuuint64_t bytes =
        attribute == CU_MEMPOOL_ATTR_USED_MEM_CURRENT ? self().pool_used_ : self().pool_reserved_;
    std::memcpy(value, &bytes, sizeof bytes);
    return CUDA_SUCCESS;
  };
}

// Descriptors of memory are files without content.
void FakeDriver::install_shareable_memory() {
  api_.cuMemExportToShareableHandle = [](void* handle, CUmemGenericAllocationHandle,
                                         CUmemAllocationHandleType type, unsigned long long) {
    if (type == CU_MEM_HANDLE_TYPE_FABRIC) {
      std::memset(handle, 0x5f, sizeof(CUmemFabricHandle));
    } else {
      const int file = memfd_create("fake", MFD_CLOEXEC);
      std::memcpy(handle, &file, sizeof file);
    }
    return self().note("cuMemExportToShareableHandle");
  };
  api_.cuMemImportFromShareableHandle = [](CUmemGenericAllocationHandle* memory, void*,
                                           CUmemAllocationHandleType) {
    return self().make("cuMemImportFromShareableHandle", memory);
  };
}

}  // namespace outboard::server::testing
