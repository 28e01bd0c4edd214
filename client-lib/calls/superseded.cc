// Forms of CUDA before 3.2, which hold sizes in 32 bits: those that name no device address. The others
// cannot be served: a 64-bit device has no memory below 4 GiB.
#include "protocol/abi/superseded.h"
#include "client-lib/calls/calls_gen.h"
#include "client-lib/session/client.h"

namespace outboard::client::calls {

using abi::narrow;
using abi::widen;

CUresult cuMemGetInfo(Client& client, unsigned int* free, unsigned int* total) {
  if (free == nullptr || total == nullptr) return CUDA_ERROR_INVALID_VALUE;
  size_t free_bytes = 0;
  size_t total_bytes = 0;
  const CUresult result = cuMemGetInfo_v2(client, &free_bytes, &total_bytes);
  if (result != CUDA_SUCCESS) return result;
  *free = narrow(free_bytes);
  *total = narrow(total_bytes);
  return CUDA_SUCCESS;
}

CUresult cuMemAllocHost(Client& client, void** pp, unsigned int bytesize) {
  return cuMemAllocHost_v2(client, pp, bytesize);
}

CUresult cuArrayCreate(Client& client, CUarray* pHandle, const CUDA_ARRAY_DESCRIPTOR_v1* pAllocateArray) {
  if (pAllocateArray == nullptr) return CUDA_ERROR_INVALID_VALUE;
  const CUDA_ARRAY_DESCRIPTOR descriptor = widen(*pAllocateArray);
  return cuArrayCreate_v2(client, pHandle, &descriptor);
}

CUresult cuArray3DCreate(Client& client, CUarray* pHandle, const CUDA_ARRAY3D_DESCRIPTOR_v1* pAllocateArray) {
  if (pAllocateArray == nullptr) return CUDA_ERROR_INVALID_VALUE;
  const CUDA_ARRAY3D_DESCRIPTOR descriptor = widen(*pAllocateArray);
  return cuArray3DCreate_v2(client, pHandle, &descriptor);
}

CUresult cuArrayGetDescriptor(Client& client, CUDA_ARRAY_DESCRIPTOR_v1* pArrayDescriptor, CUarray hArray) {
  if (pArrayDescriptor == nullptr) return CUDA_ERROR_INVALID_VALUE;
  CUDA_ARRAY_DESCRIPTOR descriptor{};
  const CUresult result = cuArrayGetDescriptor_v2(client, &descriptor, hArray);
  if (result != CUDA_SUCCESS) return result;
  *pArrayDescriptor = narrow(descriptor);
  return CUDA_SUCCESS;
}

CUresult cuArray3DGetDescriptor(Client& client, CUDA_ARRAY3D_DESCRIPTOR_v1* pArrayDescriptor,
                                CUarray hArray) {
  if (pArrayDescriptor == nullptr) return CUDA_ERROR_INVALID_VALUE;
  CUDA_ARRAY3D_DESCRIPTOR descriptor{};
  const CUresult result = cuArray3DGetDescriptor_v2(client, &descriptor, hArray);
  if (result != CUDA_SUCCESS) return result;
  *pArrayDescriptor = narrow(descriptor);
  return CUDA_SUCCESS;
}

CUresult cuMemcpyAtoH(Client& client, void* dstHost, CUarray srcArray, unsigned int srcOffset,
                      unsigned int ByteCount) {
  return cuMemcpyAtoH_v2(client, dstHost, srcArray, srcOffset, ByteCount, CU_STREAM_LEGACY);
}

CUresult cuMemcpyAtoHAsync(Client& client, void* dstHost, CUarray srcArray, unsigned int srcOffset,
                           unsigned int ByteCount, CUstream hStream) {
  return cuMemcpyAtoHAsync_v2(client, dstHost, srcArray, srcOffset, ByteCount, hStream);
}

CUresult cuMemcpyHtoA(Client& client, CUarray dstArray, unsigned int dstOffset, const void* srcHost,
                      unsigned int ByteCount) {
  return cuMemcpyHtoA_v2(client, dstArray, dstOffset, srcHost, ByteCount, CU_STREAM_LEGACY);
}

CUresult cuMemcpyHtoAAsync(Client& client, CUarray dstArray, unsigned int dstOffset, const void* srcHost,
                           unsigned int ByteCount, CUstream hStream) {
  return cuMemcpyHtoAAsync_v2(client, dstArray, dstOffset, srcHost, ByteCount, hStream);
}

CUresult cuMemcpyAtoA(Client& client, CUarray dstArray, unsigned int dstOffset, CUarray srcArray,
                      unsigned int srcOffset, unsigned int ByteCount) {
  return cuMemcpyAtoA_v2(client, dstArray, dstOffset, srcArray, srcOffset, ByteCount, CU_STREAM_LEGACY);
}

CUresult cuMemcpy2D(Client& client, const CUDA_MEMCPY2D_v1* pCopy) {
  if (pCopy == nullptr) return CUDA_ERROR_INVALID_VALUE;
  const CUDA_MEMCPY2D copy = widen(*pCopy);
  return cuMemcpy2D_v2(client, &copy, CU_STREAM_LEGACY);
}

CUresult cuMemcpy2DUnaligned(Client& client, const CUDA_MEMCPY2D_v1* pCopy) {
  return cuMemcpy2D(client, pCopy);
}

CUresult cuMemcpy2DAsync(Client& client, const CUDA_MEMCPY2D_v1* pCopy, CUstream hStream) {
  if (pCopy == nullptr) return CUDA_ERROR_INVALID_VALUE;
  const CUDA_MEMCPY2D copy = widen(*pCopy);
  return cuMemcpy2DAsync_v2(client, &copy, hStream);
}

CUresult cuMemcpy3D(Client& client, const CUDA_MEMCPY3D_v1* pCopy) {
  if (pCopy == nullptr) return CUDA_ERROR_INVALID_VALUE;
  const CUDA_MEMCPY3D copy = widen(*pCopy);
  return cuMemcpy3D_v2(client, &copy, CU_STREAM_LEGACY);
}

CUresult cuMemcpy3DAsync(Client& client, const CUDA_MEMCPY3D_v1* pCopy, CUstream hStream) {
  if (pCopy == nullptr) return CUDA_ERROR_INVALID_VALUE;
  const CUDA_MEMCPY3D copy = widen(*pCopy);
  return cuMemcpy3DAsync_v2(client, &copy, hStream);
}

}  // namespace outboard::client::calls
