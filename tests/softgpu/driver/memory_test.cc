#include <cstring>
#include <numeric>

#include "tests/softgpu/driver/driver_fixture.h"

namespace outboard::softgpu {
namespace {

using MemoryTest = DriverTest;

TEST_F(MemoryTest, InfoFollowsAllocations) {
  size_t before = 0, after = 0, total = 0;
  EXPECT_EQ(cuMemGetInfo_v2(&before, &total), CUDA_SUCCESS);
  EXPECT_EQ(total, size_t{256} << 20);
  const CUdeviceptr address = allocate(1 << 20);
  EXPECT_EQ(cuMemGetInfo_v2(&after, &total), CUDA_SUCCESS);
  EXPECT_EQ(before - after, size_t{1} << 20);
  CUdeviceptr too_much = 0;
  EXPECT_EQ(cuMemAlloc_v2(&too_much, total), CUDA_ERROR_OUT_OF_MEMORY);
  EXPECT_EQ(cuMemFree_v2(address), CUDA_SUCCESS);
  EXPECT_EQ(cuMemFree_v2(address), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(cuMemFree_v2(0), CUDA_SUCCESS);
}

TEST_F(MemoryTest, CopiesOutsideAnAllocationAreRefused) {
  const CUdeviceptr address = allocate(1024);
  char host[2048] = {};
  EXPECT_EQ(cuMemcpyHtoD_v2(address, host, 1025), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(cuMemcpyDtoH_v2(host, address + 1000, 100), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(cuMemcpyHtoD_v2(0x2000'1000'0000, host, 4), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(cuMemcpy(reinterpret_cast<CUdeviceptr>(host), address, 1024), CUDA_SUCCESS);
}

TEST_F(MemoryTest, RectanglesAndBoxes) {
  CUdeviceptr address = 0;
  size_t pitch = 0;
  ASSERT_EQ(cuMemAllocPitch_v2(&address, &pitch, 100, 10, 4), CUDA_SUCCESS);
  EXPECT_EQ(pitch % 512, 0u);
  std::vector<unsigned char> host(100 * 10);
  std::iota(host.begin(), host.end(), 0);
  CUDA_MEMCPY2D copy{};
  copy.srcMemoryType = CU_MEMORYTYPE_HOST;
  copy.srcHost = host.data();
  copy.srcPitch = 100;
  copy.dstMemoryType = CU_MEMORYTYPE_DEVICE;
  copy.dstDevice = address;
  copy.dstPitch = pitch;
  copy.WidthInBytes = 100;
  copy.Height = 10;
  EXPECT_EQ(cuMemcpy2D_v2(&copy), CUDA_SUCCESS);
  // A part of it back, from row 2, column 10.
  std::vector<unsigned char> part(20 * 5);
  CUDA_MEMCPY2D back{};
  back.srcMemoryType = CU_MEMORYTYPE_DEVICE;
  back.srcDevice = address;
  back.srcPitch = pitch;
  back.srcXInBytes = 10;
  back.srcY = 2;
  back.dstMemoryType = CU_MEMORYTYPE_HOST;
  back.dstHost = part.data();
  back.dstPitch = 20;
  back.WidthInBytes = 20;
  back.Height = 5;
  EXPECT_EQ(cuMemcpy2D_v2(&back), CUDA_SUCCESS);
  for (int y = 0; y < 5; ++y) {
    for (int x = 0; x < 20; ++x) ASSERT_EQ(part[y * 20 + x], host[(y + 2) * 100 + x + 10]);
  }
  back.Height = 20;  // beyond the allocation
  EXPECT_EQ(cuMemcpy2D_v2(&back), CUDA_ERROR_INVALID_VALUE);
}

TEST_F(MemoryTest, Fills) {
  const CUdeviceptr address = allocate(64);
  EXPECT_EQ(cuMemsetD32_v2(address, 0x01020304, 16), CUDA_SUCCESS);
  EXPECT_EQ(cuMemsetD16_v2(address + 4, 0xabcd, 2), CUDA_SUCCESS);
  EXPECT_EQ(cuMemsetD8_v2(address + 8, 0xee, 1), CUDA_SUCCESS);
  const auto words = read(address, 16);
  EXPECT_EQ(words[0], 0x01020304u);
  EXPECT_EQ(words[1], 0xabcdabcdu);
  EXPECT_EQ(words[2], 0x010203eeu);
  EXPECT_EQ(cuMemsetD32_v2(address + 2, 0, 1), CUDA_ERROR_INVALID_VALUE);  // misaligned
  EXPECT_EQ(cuMemsetD8_v2(address, 0, 100000), CUDA_ERROR_INVALID_VALUE);
}

TEST_F(MemoryTest, HostMemoryIsReachableByKernels) {
  void* pinned = nullptr;
  ASSERT_EQ(cuMemHostAlloc(&pinned, 4096, CU_MEMHOSTALLOC_DEVICEMAP), CUDA_SUCCESS);
  auto* words = static_cast<uint32_t*>(pinned);
  for (uint32_t i = 0; i < 64; ++i) words[i] = i;
  CUdeviceptr address = 0;
  EXPECT_EQ(cuMemHostGetDevicePointer_v2(&address, pinned, 0), CUDA_SUCCESS);
  EXPECT_EQ(scale(address, 7, 64), CUDA_SUCCESS);
  EXPECT_EQ(cuCtxSynchronize(), CUDA_SUCCESS);
  EXPECT_EQ(words[5], 35u);
  EXPECT_EQ(cuMemFreeHost(pinned), CUDA_SUCCESS);
  alignas(4096) static uint32_t ours[64];
  EXPECT_EQ(cuMemHostRegister_v2(ours, sizeof(ours), 0), CUDA_SUCCESS);
  EXPECT_EQ(cuMemHostRegister_v2(ours, sizeof(ours), 0), CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED);
  EXPECT_EQ(cuMemHostUnregister(ours), CUDA_SUCCESS);
  EXPECT_EQ(cuMemHostUnregister(ours), CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED);
}

TEST_F(MemoryTest, PointerAttributes) {
  const CUdeviceptr address = allocate(1000);
  unsigned type = 0;
  EXPECT_EQ(cuPointerGetAttribute(&type, CU_POINTER_ATTRIBUTE_MEMORY_TYPE, address + 10), CUDA_SUCCESS);
  EXPECT_EQ(type, static_cast<unsigned>(CU_MEMORYTYPE_DEVICE));
  CUcontext owner = nullptr;
  EXPECT_EQ(cuPointerGetAttribute(&owner, CU_POINTER_ATTRIBUTE_CONTEXT, address), CUDA_SUCCESS);
  EXPECT_EQ(owner, context_);
  CUdeviceptr base = 0;
  size_t bytes = 0;
  EXPECT_EQ(cuMemGetAddressRange_v2(&base, &bytes, address + 999), CUDA_SUCCESS);
  EXPECT_EQ(base, address);
  EXPECT_EQ(bytes, 1000u);
  EXPECT_EQ(
      cuPointerGetAttribute(&type, CU_POINTER_ATTRIBUTE_MEMORY_TYPE, reinterpret_cast<CUdeviceptr>(&type)),
      CUDA_ERROR_INVALID_VALUE);
  CUpointer_attribute names[] = {CU_POINTER_ATTRIBUTE_MEMORY_TYPE, CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL};
  int ordinal = 0;
  void* values[] = {&type, &ordinal};
  EXPECT_EQ(cuPointerGetAttributes(2, names, values, reinterpret_cast<CUdeviceptr>(&type)), CUDA_SUCCESS);
  EXPECT_EQ(type, 0u);
  EXPECT_EQ(ordinal, CU_DEVICE_INVALID);
}

TEST_F(MemoryTest, ArraysTakeRowsAndBoxes) {
  CUDA_ARRAY_DESCRIPTOR descriptor{16, 4, CU_AD_FORMAT_UNSIGNED_INT32, 1};
  CUarray array = nullptr;
  ASSERT_EQ(cuArrayCreate_v2(&array, &descriptor), CUDA_SUCCESS);
  std::vector<uint32_t> host(64);
  std::iota(host.begin(), host.end(), 0);
  CUDA_MEMCPY2D in{};
  in.srcMemoryType = CU_MEMORYTYPE_HOST;
  in.srcHost = host.data();
  in.srcPitch = 64;
  in.dstMemoryType = CU_MEMORYTYPE_ARRAY;
  in.dstArray = array;
  in.WidthInBytes = 64;
  in.Height = 4;
  EXPECT_EQ(cuMemcpy2D_v2(&in), CUDA_SUCCESS);
  uint32_t two[2] = {};
  EXPECT_EQ(cuMemcpyAtoH_v2(two, array, 12, 8), CUDA_SUCCESS);
  EXPECT_EQ(two[1], 4u);
  in.Height = 5;
  EXPECT_EQ(cuMemcpy2D_v2(&in), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(cuArrayDestroy(array), CUDA_SUCCESS);
  EXPECT_EQ(cuArrayDestroy(array), CUDA_ERROR_INVALID_HANDLE);
}

TEST_F(MemoryTest, StreamOrderedAllocation) {
  CUdeviceptr address = 0;
  ASSERT_EQ(cuMemAllocAsync(&address, 256, nullptr), CUDA_SUCCESS);
  EXPECT_EQ(cuMemsetD32Async(address, 5, 64, nullptr), CUDA_SUCCESS);
  EXPECT_EQ(scale(address, 4, 64), CUDA_SUCCESS);
  EXPECT_EQ(read(address, 64)[63], 20u);
  CUmemoryPool pool = nullptr;
  cuuint64_t used = 0;
  EXPECT_EQ(cuDeviceGetDefaultMemPool(&pool, 0), CUDA_SUCCESS);
  EXPECT_EQ(cuMemPoolGetAttribute(pool, CU_MEMPOOL_ATTR_USED_MEM_CURRENT, &used), CUDA_SUCCESS);
  EXPECT_EQ(used, 256u);
  EXPECT_EQ(cuMemFreeAsync(address, nullptr), CUDA_SUCCESS);
  EXPECT_EQ(cuCtxSynchronize(), CUDA_SUCCESS);
  EXPECT_EQ(cuMemPoolGetAttribute(pool, CU_MEMPOOL_ATTR_USED_MEM_CURRENT, &used), CUDA_SUCCESS);
  EXPECT_EQ(used, 0u);
  EXPECT_EQ(cuMemFreeAsync(address, nullptr), CUDA_ERROR_INVALID_VALUE);
}

}  // namespace
}  // namespace outboard::softgpu
