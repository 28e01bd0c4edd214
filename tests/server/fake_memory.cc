// The fake driver's memory calls, other than the plain ones: nothing behind them but new names.
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
  api_.cuMemAllocAsync = [](CUdeviceptr* address, size_t, CUstream) {
    return self().make("cuMemAllocAsync", address);
  };
  api_.cuMemFreeAsync = [](CUdeviceptr, CUstream) { return self().note("cuMemFreeAsync"); };
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

}  // namespace outboard::server::testing
