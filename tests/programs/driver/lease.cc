// Tries to get more memory than a lease grants, by every way that there is. Its argument is the lease's size
// in bytes; it runs with such a lease only (tests/integration/test_leases.py).
#include <functional>

#include "driver.h"

namespace {

constexpr size_t kGranule = size_t{2} << 20;

size_t g_lease_bytes = 0;

size_t free_bytes() {
  size_t left = 0, total = 0;
  MUST(DRIVER(cuMemGetInfo_v2)(&left, &total));
  EXPECT(total == g_lease_bytes);
  return left;
}

using Release = std::function<void()>;

// Takes pieces until there is no more; `take` returns how to give one back, or nothing.
void exhaust(const char* name, size_t piece_bytes, const std::function<Release()>& take) {
  const size_t before = free_bytes();
  std::vector<Release> taken;
  while (taken.size() * piece_bytes <= g_lease_bytes) {
    Release release = take();
    if (!release) break;
    taken.push_back(std::move(release));
  }
  const size_t got = taken.size() * piece_bytes;
  EXPECT(got <= before);
  EXPECT(got + piece_bytes > before);  // and no less: nothing was refused that there was
  CUdeviceptr more = 0;
  EXPECT_ERROR(CUDA_ERROR_OUT_OF_MEMORY, DRIVER(cuMemAlloc_v2)(&more, piece_bytes));
  for (const Release& release : taken) release();
  MUST(DRIVER(cuCtxSynchronize)());
  EXPECT(free_bytes() == before);
  std::printf("%s: all of the lease and no more\n", name);
}

Release refused_or(CUresult result, Release release) {
  if (result == CUDA_SUCCESS) return release;
  EXPECT(result == CUDA_ERROR_OUT_OF_MEMORY);
  return {};
}

void linear_memory() {
  exhaust("cuMemAlloc", kGranule, [] {
    CUdeviceptr at = 0;
    const CUresult got = DRIVER(cuMemAlloc_v2)(&at, kGranule);
    return refused_or(got, [=] { MUST(DRIVER(cuMemFree_v2)(at)); });
  });
  exhaust("cuMemAllocPitch", kGranule, [] {
    CUdeviceptr at = 0;
    size_t pitch = 0;
    const CUresult got = DRIVER(cuMemAllocPitch_v2)(&at, &pitch, 2048, 1024, 4);
    return refused_or(got, [=] { MUST(DRIVER(cuMemFree_v2)(at)); });
  });
  exhaust("cuMemAllocManaged", kGranule, [] {
    CUdeviceptr at = 0;
    const CUresult got = DRIVER(cuMemAllocManaged)(&at, kGranule, CU_MEM_ATTACH_GLOBAL);
    return refused_or(got, [=] { MUST(DRIVER(cuMemFree_v2)(at)); });
  });
}

void arrays() {
  exhaust("cuArrayCreate", kGranule, [] {
    CUDA_ARRAY_DESCRIPTOR shape{1024, 512, CU_AD_FORMAT_FLOAT, 1};
    CUarray array = nullptr;
    const CUresult got = DRIVER(cuArrayCreate_v2)(&array, &shape);
    return refused_or(got, [=] { MUST(DRIVER(cuArrayDestroy)(array)); });
  });
}

void physical_memory() {
  exhaust("cuMemCreate", kGranule, [] {
    CUmemAllocationProp wanted{};
    wanted.type = CU_MEM_ALLOCATION_TYPE_PINNED;
    wanted.location = {.type = CU_MEM_LOCATION_TYPE_DEVICE, .id = 0};
    CUmemGenericAllocationHandle memory = 0;
    const CUresult got = DRIVER(cuMemCreate)(&memory, kGranule, &wanted, 0);
    return refused_or(got, [=] { MUST(DRIVER(cuMemRelease)(memory)); });
  });
}

void pools() {
  exhaust("cuMemAllocAsync", kGranule, [] {
    CUdeviceptr at = 0;
    const CUresult got = DRIVER(cuMemAllocAsync)(&at, kGranule, nullptr);
    return refused_or(got, [=] { MUST(DRIVER(cuMemFreeAsync)(at, nullptr)); });
  });
  // What a pool keeps counts, and is there for whoever needs it.
  CUmemoryPool pool = nullptr;
  CUdeviceptr at = 0, other = 0;
  cuuint64_t everything = UINT64_MAX;
  const size_t before = free_bytes(), most = before / kGranule * kGranule;
  MUST(DRIVER(cuDeviceGetMemPool)(&pool, 0));
  MUST(DRIVER(cuMemPoolSetAttribute)(pool, CU_MEMPOOL_ATTR_RELEASE_THRESHOLD, &everything));
  MUST(DRIVER(cuMemAllocAsync)(&at, most, nullptr));
  MUST(DRIVER(cuMemFreeAsync)(at, nullptr));
  MUST(DRIVER(cuCtxSynchronize)());
  EXPECT(free_bytes() == before - most);
  MUST(DRIVER(cuMemAlloc_v2)(&other, most));
  MUST(DRIVER(cuMemFree_v2)(other));
  EXPECT(free_bytes() == before);
  MUST(DRIVER(cuMemAllocAsync)(&at, most, nullptr));
  MUST(DRIVER(cuMemFreeAsync)(at, nullptr));
  MUST(DRIVER(cuCtxSynchronize)());
  MUST(DRIVER(cuMemPoolTrimTo)(pool, 0));
  EXPECT(free_bytes() == before);
  std::printf("pools: what they keep counts until it is given back\n");
}

void modules() {
  constexpr const char* kPtx =
      ".version 8.0\n.target sm_80\n.address_size 64\n.visible .global .align 8 .b8 buffer[2097152];\n";
  exhaust("cuModuleLoadData", kGranule, [] {
    CUmodule module = nullptr;
    const CUresult got = DRIVER(cuModuleLoadData)(&module, kPtx);
    return refused_or(got, [=] { MUST(DRIVER(cuModuleUnload)(module)); });
  });
}

void heaps() {
  const size_t before = free_bytes();
  EXPECT_ERROR(CUDA_ERROR_OUT_OF_MEMORY, DRIVER(cuCtxSetLimit)(CU_LIMIT_MALLOC_HEAP_SIZE, g_lease_bytes + 1));
  MUST(DRIVER(cuCtxSetLimit)(CU_LIMIT_MALLOC_HEAP_SIZE, 16 << 20));
  EXPECT(free_bytes() == before - (16 << 20));
  MUST(DRIVER(cuCtxSetLimit)(CU_LIMIT_MALLOC_HEAP_SIZE, 0));
  EXPECT(free_bytes() == before);
  std::printf("heaps: they count\n");
}

void contexts() {
  CUcontext own = nullptr, primary = nullptr;
  CUdeviceptr at = 0;
  const size_t before = free_bytes();
  MUST(DRIVER(cuCtxGetCurrent)(&primary));
  MUST(DRIVER(cuCtxCreate_v2)(&own, 0, 0));
  MUST(DRIVER(cuMemAlloc_v2)(&at, 10 << 20));
  EXPECT(free_bytes() == before - (10 << 20));
  MUST(DRIVER(cuCtxDestroy_v2)(own));
  MUST(DRIVER(cuCtxSetCurrent)(primary));
  EXPECT(free_bytes() == before);
  std::printf("contexts: what ends with them is given back\n");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  g_lease_bytes = std::strtoull(argv[1], nullptr, 10);
  open_device();
  linear_memory();
  arrays();
  physical_memory();
  pools();
  modules();
  heaps();
  contexts();
  return verdict("lease");
}
