// Memory and pools as descriptors, within one process, and what pools keep. Two processes:
// tests/programs/driver/driver_shareable.cc.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstring>

#include "tests/softgpu/driver/driver_fixture.h"

namespace outboard::softgpu {
namespace {

constexpr size_t kGranule = size_t{2} << 20;

void* as_handle(int file) { return reinterpret_cast<void*>(static_cast<intptr_t>(file)); }

class ShareableTest : public DriverTest {
 protected:
  static CUmemAllocationProp properties(unsigned types) {
    CUmemAllocationProp wanted{};
    wanted.type = CU_MEM_ALLOCATION_TYPE_PINNED;
    wanted.location = {.type = CU_MEM_LOCATION_TYPE_DEVICE, .id = 0};
    wanted.requestedHandleTypes = static_cast<CUmemAllocationHandleType>(types);
    return wanted;
  }
  static CUmemGenericAllocationHandle create(unsigned types) {
    CUmemGenericAllocationHandle memory = 0;
    const CUmemAllocationProp wanted = properties(types);
    EXPECT_EQ(cuMemCreate(&memory, kGranule, &wanted, 0), CUDA_SUCCESS);
    return memory;
  }
  static CUdeviceptr map(CUmemGenericAllocationHandle memory) {
    CUdeviceptr address = 0;
    EXPECT_EQ(cuMemAddressReserve(&address, kGranule, 0, 0, 0), CUDA_SUCCESS);
    EXPECT_EQ(cuMemMap(address, kGranule, 0, memory, 0), CUDA_SUCCESS);
    const CUmemAccessDesc access{.location = {.type = CU_MEM_LOCATION_TYPE_DEVICE, .id = 0},
                                 .flags = CU_MEM_ACCESS_FLAGS_PROT_READWRITE};
    EXPECT_EQ(cuMemSetAccess(address, kGranule, &access, 1), CUDA_SUCCESS);
    return address;
  }
  static void unmap(CUdeviceptr address) {
    EXPECT_EQ(cuMemUnmap(address, kGranule), CUDA_SUCCESS);
    EXPECT_EQ(cuMemAddressFree(address, kGranule), CUDA_SUCCESS);
  }
  static CUmemoryPool make_pool(CUmemAllocationHandleType types, size_t most = 0) {
    CUmemPoolProps wanted{};
    wanted.allocType = CU_MEM_ALLOCATION_TYPE_PINNED;
    wanted.location = {.type = CU_MEM_LOCATION_TYPE_DEVICE, .id = 0};
    wanted.handleTypes = types;
    wanted.maxSize = most;
    CUmemoryPool pool = nullptr;
    EXPECT_EQ(cuMemPoolCreate(&pool, &wanted), CUDA_SUCCESS);
    return pool;
  }
  static uint64_t attribute(CUmemoryPool pool, CUmemPool_attribute which) {
    cuuint64_t value = 0;
    EXPECT_EQ(cuMemPoolGetAttribute(pool, which, &value), CUDA_SUCCESS);
    return value;
  }
  static uint64_t reserved(CUmemoryPool pool) {
    return attribute(pool, CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT);
  }
  static uint64_t used(CUmemoryPool pool) { return attribute(pool, CU_MEMPOOL_ATTR_USED_MEM_CURRENT); }
  static size_t free_bytes() {
    size_t left = 0, total = 0;
    EXPECT_EQ(cuMemGetInfo_v2(&left, &total), CUDA_SUCCESS);
    return left;
  }
  static void keep_everything(CUmemoryPool pool) {
    cuuint64_t threshold = UINT64_MAX;
    EXPECT_EQ(cuMemPoolSetAttribute(pool, CU_MEMPOOL_ATTR_RELEASE_THRESHOLD, &threshold), CUDA_SUCCESS);
  }
  CUdeviceptr take(CUmemoryPool pool, size_t bytes) {
    CUdeviceptr address = 0;
    EXPECT_EQ(cuMemAllocFromPoolAsync(&address, bytes, pool, nullptr), CUDA_SUCCESS);
    return address;
  }
};

TEST_F(ShareableTest, ADescriptorIsTheMemory) {
  function("scale");  // its module has variables
  const size_t before = free_bytes();
  const CUmemGenericAllocationHandle memory = create(CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR);
  int file = -1;
  ASSERT_EQ(cuMemExportToShareableHandle(&file, memory, CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR, 0),
            CUDA_SUCCESS);
  EXPECT_NE(fcntl(file, F_GETFD) & FD_CLOEXEC, 0);
  EXPECT_NE(ftruncate(file, 0), 0) << "others' pages cannot be taken away";
  CUmemGenericAllocationHandle other = 0;
  ASSERT_EQ(cuMemImportFromShareableHandle(&other, as_handle(file), CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR),
            CUDA_SUCCESS);
  EXPECT_EQ(before - free_bytes(), kGranule) << "counted once";
  EXPECT_EQ(close(file), 0);
  CUmemAllocationProp seen{};
  EXPECT_EQ(cuMemGetAllocationPropertiesFromHandle(&seen, other), CUDA_SUCCESS);
  EXPECT_EQ(seen.requestedHandleTypes, CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR);
  EXPECT_EQ(seen.location.id, 0);

  const CUdeviceptr first = map(memory), second = map(other);
  EXPECT_EQ(cuMemsetD32_v2(first, 7, kGranule / 4), CUDA_SUCCESS);
  EXPECT_EQ(scale(second, 3, kGranule / 4), CUDA_SUCCESS);
  EXPECT_EQ(read(first, kGranule / 4).back(), 21u);
  uint64_t types = 0;
  EXPECT_EQ(cuPointerGetAttribute(&types, CU_POINTER_ATTRIBUTE_ALLOWED_HANDLE_TYPES, second), CUDA_SUCCESS);
  EXPECT_EQ(types, uint64_t{CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR});
  // The first owner goes; the memory stays.
  unmap(first);
  EXPECT_EQ(cuMemRelease(memory), CUDA_SUCCESS);
  EXPECT_EQ(read(second, 1)[0], 21u);
  unmap(second);
  EXPECT_EQ(cuMemRelease(other), CUDA_SUCCESS);
  EXPECT_EQ(free_bytes(), before);
}

TEST_F(ShareableTest, FabricHandlesNameMemoryWhileItsMakerHasIt) {
  const CUmemGenericAllocationHandle memory =
      create(CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR | CU_MEM_HANDLE_TYPE_FABRIC);
  CUmemFabricHandle fabric{};
  ASSERT_EQ(cuMemExportToShareableHandle(&fabric, memory, CU_MEM_HANDLE_TYPE_FABRIC, 0), CUDA_SUCCESS);
  CUmemGenericAllocationHandle other = 0;
  ASSERT_EQ(cuMemImportFromShareableHandle(&other, &fabric, CU_MEM_HANDLE_TYPE_FABRIC), CUDA_SUCCESS);
  EXPECT_EQ(cuMemRelease(other), CUDA_SUCCESS);
  CUmemFabricHandle guessed = fabric;
  guessed.data[30] ^= 1;  // in the secret
  EXPECT_EQ(cuMemImportFromShareableHandle(&other, &guessed, CU_MEM_HANDLE_TYPE_FABRIC),
            CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(cuMemRelease(memory), CUDA_SUCCESS);
  EXPECT_EQ(cuMemImportFromShareableHandle(&other, &fabric, CU_MEM_HANDLE_TYPE_FABRIC),
            CUDA_ERROR_INVALID_VALUE);
}

TEST_F(ShareableTest, WhatIsNoExportIsRefused) {
  constexpr auto kPosix = CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR;
  CUmemGenericAllocationHandle other = 0;
  CUmemoryPool pool = nullptr;
  int file = open("/dev/null", O_RDWR | O_CLOEXEC);
  EXPECT_EQ(cuMemImportFromShareableHandle(&other, as_handle(file), kPosix), CUDA_ERROR_INVALID_VALUE);
  close(file);
  EXPECT_EQ(cuMemImportFromShareableHandle(&other, as_handle(file), kPosix), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(cuMemImportFromShareableHandle(&other, as_handle(-1), kPosix), CUDA_ERROR_INVALID_VALUE);
  file = memfd_create("test", MFD_CLOEXEC);
  ASSERT_EQ(ftruncate(file, 8192), 0);
  EXPECT_EQ(cuMemImportFromShareableHandle(&other, as_handle(file), kPosix), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(cuMemPoolImportFromShareableHandle(&pool, as_handle(file), kPosix, 0), CUDA_ERROR_INVALID_VALUE);
  close(file);

  const CUmemGenericAllocationHandle plain = create(0);
  EXPECT_EQ(cuMemExportToShareableHandle(&file, plain, kPosix, 0), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(cuMemRelease(plain), CUDA_SUCCESS);
  const CUmemGenericAllocationHandle memory = create(kPosix);
  EXPECT_EQ(cuMemExportToShareableHandle(&file, memory, CU_MEM_HANDLE_TYPE_FABRIC, 0),
            CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(cuMemExportToShareableHandle(&file, memory, kPosix, 1), CUDA_ERROR_INVALID_VALUE);
  ASSERT_EQ(cuMemExportToShareableHandle(&file, memory, kPosix, 0), CUDA_SUCCESS);
  EXPECT_EQ(cuMemPoolImportFromShareableHandle(&pool, as_handle(file), kPosix, 0), CUDA_ERROR_INVALID_VALUE)
      << "memory is no pool";
  close(file);
  EXPECT_EQ(cuMemRelease(memory), CUDA_SUCCESS);
  CUmemAllocationProp windows = properties(CU_MEM_HANDLE_TYPE_WIN32);
  EXPECT_EQ(cuMemCreate(&other, kGranule, &windows, 0), CUDA_ERROR_NOT_SUPPORTED);

  pool = make_pool(CU_MEM_HANDLE_TYPE_NONE);
  EXPECT_EQ(cuMemPoolExportToShareableHandle(&file, pool, kPosix, 0), CUDA_ERROR_INVALID_VALUE);
  CUmemPoolPtrExportData data{};
  EXPECT_EQ(cuMemPoolExportPointer(&data, take(pool, 64)), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(cuMemPoolDestroy(pool), CUDA_SUCCESS);
}

TEST_F(ShareableTest, AnImportedPoolHasOnlyWhatIsExported) {
  constexpr auto kPosix = CU_MEM_HANDLE_TYPE_POSIX_FILE_DESCRIPTOR;
  const CUmemoryPool pool = make_pool(kPosix);
  int file = -1;
  ASSERT_EQ(cuMemPoolExportToShareableHandle(&file, pool, kPosix, 0), CUDA_SUCCESS);
  CUmemoryPool imported = nullptr;
  ASSERT_EQ(cuMemPoolImportFromShareableHandle(&imported, as_handle(file), kPosix, 0), CUDA_SUCCESS);
  close(file);
  CUdeviceptr address = 0;
  EXPECT_EQ(cuMemAllocFromPoolAsync(&address, 64, imported, nullptr), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(cuMemPoolExportToShareableHandle(&file, imported, kPosix, 0), CUDA_ERROR_INVALID_VALUE);
  CUmemPoolPtrExportData data{};
  const CUdeviceptr exported = take(pool, 5000);
  ASSERT_EQ(cuMemPoolExportPointer(&data, exported), CUDA_SUCCESS);
  EXPECT_EQ(cuMemPoolImportPointer(&address, pool, &data), CUDA_ERROR_INVALID_VALUE) << "it is no import";
  EXPECT_EQ(cuMemPoolImportPointer(&address, imported, &data), CUDA_ERROR_INVALID_CONTEXT) << "own memory";
  const CUmemoryPool stranger = make_pool(kPosix);
  ASSERT_EQ(cuMemPoolExportPointer(&data, take(stranger, 64)), CUDA_SUCCESS);
  EXPECT_EQ(cuMemPoolImportPointer(&address, imported, &data), CUDA_ERROR_INVALID_VALUE) << "another pool's";
  EXPECT_EQ(cuMemFreeAsync(exported, nullptr), CUDA_SUCCESS);
  EXPECT_EQ(cuStreamSynchronize(nullptr), CUDA_SUCCESS);
  EXPECT_EQ(reserved(pool), 0u);
  for (const CUmemoryPool each : {pool, imported, stranger}) EXPECT_EQ(cuMemPoolDestroy(each), CUDA_SUCCESS);
}

TEST_F(ShareableTest, PoolsKeepWhatTheirThresholdAllows) {
  const size_t before = free_bytes();
  const CUmemoryPool pool = make_pool(CU_MEM_HANDLE_TYPE_NONE);
  const CUdeviceptr first = take(pool, 4 << 20), second = take(pool, 1 << 20);
  EXPECT_EQ(used(pool), 5u << 20);
  cuuint64_t threshold = 4 << 20;
  EXPECT_EQ(cuMemPoolSetAttribute(pool, CU_MEMPOOL_ATTR_RELEASE_THRESHOLD, &threshold), CUDA_SUCCESS);
  EXPECT_EQ(cuMemFreeAsync(first, nullptr), CUDA_SUCCESS);
  EXPECT_EQ(cuMemFreeAsync(second, nullptr), CUDA_SUCCESS);
  EXPECT_EQ(cuStreamSynchronize(nullptr), CUDA_SUCCESS);
  EXPECT_EQ(used(pool), 0u);
  EXPECT_EQ(reserved(pool), 1u << 20) << "the largest goes first";
  EXPECT_EQ(scale(second, 1, 1), CUDA_SUCCESS);
  EXPECT_EQ(cuStreamSynchronize(nullptr), CUDA_ERROR_ILLEGAL_ADDRESS) << "what is kept is nobody's";
  EXPECT_EQ(cuDevicePrimaryCtxReset_v2(0), CUDA_SUCCESS);

  EXPECT_EQ(take(pool, 1 << 20), second) << "the same size comes from what is kept";
  EXPECT_EQ(reserved(pool), 1u << 20);
  EXPECT_EQ(cuMemFreeAsync(second, nullptr), CUDA_SUCCESS);
  EXPECT_EQ(cuStreamSynchronize(nullptr), CUDA_SUCCESS);
  EXPECT_EQ(attribute(pool, CU_MEMPOOL_ATTR_RESERVED_MEM_HIGH), 5u << 20);
  EXPECT_EQ(cuMemPoolTrimTo(pool, 1 << 20), CUDA_SUCCESS);
  EXPECT_EQ(reserved(pool), 1u << 20);
  EXPECT_EQ(cuMemPoolTrimTo(pool, 0), CUDA_SUCCESS);
  EXPECT_EQ(reserved(pool), 0u);
  EXPECT_EQ(free_bytes(), before);
  EXPECT_EQ(cuMemPoolDestroy(pool), CUDA_SUCCESS);
}

TEST_F(ShareableTest, KeptMemoryIsThereForOthersWhoNeedIt) {
  const size_t before = free_bytes();
  const CUmemoryPool pool = make_pool(CU_MEM_HANDLE_TYPE_NONE, 200 << 20);
  keep_everything(pool);
  const CUdeviceptr address = take(pool, 200 << 20);
  CUdeviceptr more = 0;
  EXPECT_EQ(cuMemAllocFromPoolAsync(&more, 512, pool, nullptr), CUDA_ERROR_OUT_OF_MEMORY) << "its own limit";
  EXPECT_EQ(cuMemFreeAsync(address, nullptr), CUDA_SUCCESS);
  EXPECT_EQ(cuStreamSynchronize(nullptr), CUDA_SUCCESS);
  EXPECT_EQ(reserved(pool), 200u << 20);
  const CUdeviceptr other = allocate(150 << 20);  // of 256 MiB
  EXPECT_EQ(reserved(pool), 0u);
  EXPECT_EQ(cuMemFree_v2(other), CUDA_SUCCESS);
  EXPECT_EQ(cuMemFreeAsync(take(pool, 100 << 20), nullptr), CUDA_SUCCESS);
  EXPECT_EQ(cuStreamSynchronize(nullptr), CUDA_SUCCESS);
  EXPECT_EQ(cuMemPoolDestroy(pool), CUDA_SUCCESS);
  EXPECT_EQ(free_bytes(), before) << "a destroyed pool keeps nothing";
}

}  // namespace
}  // namespace outboard::softgpu
