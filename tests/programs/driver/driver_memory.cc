// Calls about memory that programs seldom make: pinned memory of the older form, what is known of an
// address, copies between contexts, hints for managed memory, pools and where they are used.
#include <cstring>
#include <utility>

#include "driver.h"

namespace {

CUstream g_stream = nullptr;

std::vector<uint32_t> numbers(size_t count, uint32_t first) {
  std::vector<uint32_t> values(count);
  for (size_t i = 0; i < count; ++i) values[i] = first + static_cast<uint32_t>(i) * 7;
  return values;
}

unsigned flag_of(CUpointer_attribute attribute, CUdeviceptr address) {
  unsigned value = 99;
  MUST(DRIVER(cuPointerGetAttribute)(&value, attribute, address));
  void* data[] = {&value};
  const unsigned alone = std::exchange(value, 77);
  MUST(DRIVER(cuPointerGetAttributes)(1, &attribute, data, address));
  EXPECT(value == alone);
  return alone;
}

void check_pinned() {
  void* memory = nullptr;
  MUST(DRIVER(cuMemAllocHost_v2)(&memory, 3000));
  std::memset(memory, 0x5a, 3000);
  unsigned flags = 0;
  MUST(DRIVER(cuMemHostGetFlags)(&flags, memory));
  EXPECT((flags & CU_MEMHOSTALLOC_DEVICEMAP) != 0 && (flags & CU_MEMHOSTALLOC_WRITECOMBINED) == 0);
  MUST(DRIVER(cuMemHostGetFlags)(&flags, static_cast<char*>(memory) + 2999));
  for (CUpointer_attribute what :
       {CU_POINTER_ATTRIBUTE_SYNC_MEMOPS, CU_POINTER_ATTRIBUTE_IS_LEGACY_CUDA_IPC_CAPABLE,
        CU_POINTER_ATTRIBUTE_IS_GPU_DIRECT_RDMA_CAPABLE})
    EXPECT(flag_of(what, reinterpret_cast<CUdeviceptr>(memory)) == 0);
  const CUdeviceptr device = upload(std::vector<uint8_t>(3000, 1));
  MUST(DRIVER(cuMemcpyHtoDAsync_v2)(device, memory, 3000, g_stream));
  MUST(DRIVER(cuStreamSynchronize)(g_stream));
  EXPECT(download<uint8_t>(device, 3000) == std::vector<uint8_t>(3000, 0x5a));
  MUST(DRIVER(cuMemFree_v2)(device));
  EXPECT_ERROR(CUDA_ERROR_INVALID_VALUE, DRIVER(cuMemFreeHost)(static_cast<char*>(memory) + 1));
  MUST(DRIVER(cuMemFreeHost)(memory));
  EXPECT_ERROR(CUDA_ERROR_INVALID_VALUE, DRIVER(cuMemHostGetFlags)(&flags, memory));
  EXPECT_ERROR(CUDA_ERROR_INVALID_VALUE, DRIVER(cuMemAllocHost_v2)(&memory, 0));
  EXPECT_ERROR(CUDA_ERROR_INVALID_VALUE, DRIVER(cuMemAllocHost_v2)(nullptr, 100));

  MUST(DRIVER(cuMemHostAlloc)(&memory, 100, CU_MEMHOSTALLOC_WRITECOMBINED));
  MUST(DRIVER(cuMemHostGetFlags)(&flags, memory));
  EXPECT((flags & CU_MEMHOSTALLOC_WRITECOMBINED) != 0);
  MUST(DRIVER(cuMemFreeHost)(memory));
  // Memory that is only registered was allocated by somebody else.
  std::vector<char> own(100);
  MUST(DRIVER(cuMemHostRegister_v2)(own.data(), own.size(), 0));
  EXPECT_ERROR(CUDA_ERROR_INVALID_VALUE, DRIVER(cuMemHostGetFlags)(&flags, own.data()));
  MUST(DRIVER(cuMemHostUnregister)(own.data()));
  std::printf("pinned memory done\n");
}

void check_addresses() {
  CUdeviceptr memory = 0, base = 0, managed = 0, pooled = 0;
  size_t bytes = 0;
  MUST(DRIVER(cuMemAlloc_v2)(&memory, 5000));
  MUST(DRIVER(cuMemGetAddressRange_v2)(&base, &bytes, memory + 4999));
  EXPECT(base == memory && bytes == 5000);
  MUST(DRIVER(cuMemGetAddressRange_v2)(nullptr, &bytes, memory));
  MUST(DRIVER(cuMemGetAddressRange_v2)(&base, nullptr, memory));
  EXPECT_ERROR(CUDA_ERROR_NOT_FOUND, DRIVER(cuMemGetAddressRange_v2)(&base, &bytes, 64));

  EXPECT(flag_of(CU_POINTER_ATTRIBUTE_SYNC_MEMOPS, memory) == 0);
  unsigned on = 1;
  MUST(DRIVER(cuPointerSetAttribute)(&on, CU_POINTER_ATTRIBUTE_SYNC_MEMOPS, memory + 8));
  EXPECT(flag_of(CU_POINTER_ATTRIBUTE_SYNC_MEMOPS, memory) == 1);
  on = 0;
  MUST(DRIVER(cuPointerSetAttribute)(&on, CU_POINTER_ATTRIBUTE_SYNC_MEMOPS, memory));
  EXPECT(flag_of(CU_POINTER_ATTRIBUTE_SYNC_MEMOPS, memory + 100) == 0);
  EXPECT_ERROR(CUDA_ERROR_INVALID_VALUE,
               DRIVER(cuPointerSetAttribute)(&on, CU_POINTER_ATTRIBUTE_MEMORY_TYPE, memory));
  EXPECT_ERROR(CUDA_ERROR_INVALID_VALUE,
               DRIVER(cuPointerSetAttribute)(nullptr, CU_POINTER_ATTRIBUTE_SYNC_MEMOPS, memory));
  EXPECT_ERROR(CUDA_ERROR_INVALID_VALUE,
               DRIVER(cuPointerSetAttribute)(&on, CU_POINTER_ATTRIBUTE_SYNC_MEMOPS, 64));

  // cuIpcGetMemHandle is for what cuMemAlloc gave.
  MUST(DRIVER(cuMemAllocManaged)(&managed, 4096, CU_MEM_ATTACH_GLOBAL));
  MUST(DRIVER(cuMemAllocAsync)(&pooled, 4096, g_stream));
  MUST(DRIVER(cuStreamSynchronize)(g_stream));
  EXPECT(flag_of(CU_POINTER_ATTRIBUTE_IS_LEGACY_CUDA_IPC_CAPABLE, memory) == 1);
  EXPECT(flag_of(CU_POINTER_ATTRIBUTE_IS_LEGACY_CUDA_IPC_CAPABLE, managed) == 0);
  EXPECT(flag_of(CU_POINTER_ATTRIBUTE_IS_LEGACY_CUDA_IPC_CAPABLE, pooled) == 0);
  EXPECT(flag_of(CU_POINTER_ATTRIBUTE_IS_GPU_DIRECT_RDMA_CAPABLE, memory) == 0);
  CUipcMemHandle handle{};
  MUST(DRIVER(cuIpcGetMemHandle)(&handle, memory));
  MUST(DRIVER(cuMemFreeAsync)(pooled, g_stream));
  MUST(DRIVER(cuMemFree_v2)(managed));
  MUST(DRIVER(cuMemFree_v2)(memory));
  EXPECT_ERROR(CUDA_ERROR_NOT_FOUND, DRIVER(cuMemGetAddressRange_v2)(&base, &bytes, memory));
  std::printf("addresses done\n");
}

void check_copies_between_contexts(CUdevice device) {
  CUcontext primary = nullptr, other = nullptr;
  MUST(DRIVER(cuCtxGetCurrent)(&primary));
  const auto values = numbers(1000, 3);
  const CUdeviceptr here = upload(values);
  MUST(DRIVER(cuCtxCreate_v2)(&other, 0, device));
  const CUdeviceptr there = upload(std::vector<uint32_t>(1000, 0));
  MUST(DRIVER(cuMemcpyPeer)(there, other, here, primary, 4000));
  EXPECT(download<uint32_t>(there, 1000) == values);
  MUST(DRIVER(cuMemsetD32_v2)(there, 0, 1000));
  MUST(DRIVER(cuCtxSynchronize)());
  CUstream stream = nullptr;
  MUST(DRIVER(cuStreamCreate)(&stream, CU_STREAM_NON_BLOCKING));
  MUST(DRIVER(cuMemcpyPeerAsync)(there + 40, other, here, primary, 400, stream));
  MUST(DRIVER(cuStreamSynchronize)(stream));
  const auto got = download<uint32_t>(there, 1000);
  EXPECT(got[9] == 0 && got[10] == values[0] && got[109] == values[99] && got[110] == 0);
  EXPECT_ERROR(CUDA_ERROR_INVALID_CONTEXT, DRIVER(cuMemcpyPeer)(there, nullptr, here, primary, 4));
  EXPECT_ERROR(CUDA_ERROR_INVALID_VALUE, DRIVER(cuMemcpyPeer)(there, other, 64, primary, 4));

  // A box of 3 x 2 x 2 words, in stream order.
  CUDA_MEMCPY3D box{};
  box.srcMemoryType = box.dstMemoryType = CU_MEMORYTYPE_DEVICE;
  box.srcDevice = here;
  box.dstDevice = there;
  box.srcPitch = box.dstPitch = 40;
  box.srcHeight = box.dstHeight = 5;
  box.dstXInBytes = 4;
  box.WidthInBytes = 12;
  box.Height = box.Depth = 2;
  MUST(DRIVER(cuMemsetD32Async)(there, 0, 1000, stream));
  MUST(DRIVER(cuMemcpy3DAsync_v2)(&box, stream));
  MUST(DRIVER(cuStreamSynchronize)(stream));
  const auto boxed = download<uint32_t>(there, 1000);
  for (size_t i = 0; i < 1000; ++i) {
    const size_t x = i % 10, y = i / 10 % 5, z = i / 50;
    const bool inside = x >= 1 && x < 4 && y < 2 && z < 2;
    EXPECT(boxed[i] == (inside ? values[i - 1] : 0));
  }
  MUST(DRIVER(cuStreamDestroy_v2)(stream));
  MUST(DRIVER(cuMemFree_v2)(there));
  MUST(DRIVER(cuCtxDestroy_v2)(other));
  MUST(DRIVER(cuCtxSetCurrent)(primary));
  MUST(DRIVER(cuMemFree_v2)(here));
  std::printf("copies between contexts done\n");
}

// Hints change where memory is, never what is in it.
void check_hints(CUdevice device) {
  CUdeviceptr managed = 0;
  MUST(DRIVER(cuMemAllocManaged)(&managed, 1 << 16, CU_MEM_ATTACH_GLOBAL));
  auto* const words = reinterpret_cast<uint32_t*>(static_cast<uintptr_t>(managed));
  for (uint32_t i = 0; i < 1 << 14; ++i) words[i] = i * i;
  const CUmemLocation here{CU_MEM_LOCATION_TYPE_DEVICE, device}, host{CU_MEM_LOCATION_TYPE_HOST, 0};
  MUST(DRIVER(cuMemAdvise)(managed, 1 << 16, CU_MEM_ADVISE_SET_READ_MOSTLY, device));
  MUST(DRIVER(cuMemAdvise)(managed, 1 << 16, CU_MEM_ADVISE_UNSET_READ_MOSTLY, device));
  MUST(DRIVER(cuMemAdvise_v2)(managed, 1 << 15, CU_MEM_ADVISE_SET_PREFERRED_LOCATION, here));
  MUST(DRIVER(cuMemPrefetchAsync)(managed, 1 << 16, device, g_stream));
  MUST(DRIVER(cuMemPrefetchAsync_v2)(managed, 1 << 16, host, 0, g_stream));
  MUST(DRIVER(cuStreamSynchronize)(g_stream));
  int answers[3] = {};
  void* data[3] = {&answers[0], &answers[1], &answers[2]};
  size_t sizes[3] = {sizeof(int), sizeof(int), sizeof(int)};
  CUmem_range_attribute which[3] = {CU_MEM_RANGE_ATTRIBUTE_READ_MOSTLY,
                                    CU_MEM_RANGE_ATTRIBUTE_PREFERRED_LOCATION,
                                    CU_MEM_RANGE_ATTRIBUTE_LAST_PREFETCH_LOCATION};
  MUST(DRIVER(cuMemRangeGetAttributes)(data, sizes, which, 3, managed, 1 << 15));
  EXPECT(answers[0] == 0 && answers[1] == device && answers[2] == CU_DEVICE_CPU);
  MUST(DRIVER(cuMemRangeGetAttributes)(data, sizes, which, 3, managed, 1 << 16));
  EXPECT(answers[1] == CU_DEVICE_INVALID);
  EXPECT_ERROR(CUDA_ERROR_INVALID_VALUE, DRIVER(cuMemPrefetchAsync)(64, 4096, device, g_stream));
  EXPECT_ERROR(CUDA_ERROR_INVALID_VALUE,
               DRIVER(cuMemAdvise)(64, 4096, CU_MEM_ADVISE_SET_READ_MOSTLY, device));
  for (uint32_t i = 0; i < 1 << 14; ++i) EXPECT(words[i] == i * i);
  MUST(DRIVER(cuMemFree_v2)(managed));
  std::printf("hints done\n");
}

cuuint64_t graph_memory(CUdevice device, CUgraphMem_attribute attribute) {
  cuuint64_t bytes = ~0ull;
  MUST(DRIVER(cuDeviceGetGraphMemAttribute)(device, attribute, &bytes));
  return bytes;
}

void check_pools(CUdevice device) {
  CUmemoryPool first = nullptr, own = nullptr, found = nullptr;
  CUmemPoolProps properties{};
  properties.allocType = CU_MEM_ALLOCATION_TYPE_PINNED;
  properties.location = {CU_MEM_LOCATION_TYPE_DEVICE, device};
  MUST(DRIVER(cuDeviceGetMemPool)(&first, device));
  MUST(DRIVER(cuDeviceGetDefaultMemPool)(&found, device));
  EXPECT(found == first);
  MUST(DRIVER(cuMemPoolCreate)(&own, &properties));
  MUST(DRIVER(cuDeviceSetMemPool)(device, own));
  MUST(DRIVER(cuDeviceGetMemPool)(&found, device));
  EXPECT(found == own);
  CUdeviceptr memory = 0;
  cuuint64_t used = 0;
  MUST(DRIVER(cuMemAllocAsync)(&memory, 1 << 20, g_stream));
  MUST(DRIVER(cuMemPoolGetAttribute)(own, CU_MEMPOOL_ATTR_USED_MEM_CURRENT, &used));
  EXPECT(used >= 1 << 20);
  CUmemLocation here{CU_MEM_LOCATION_TYPE_DEVICE, device};
  CUmemAccess_flags access{};
  MUST(DRIVER(cuMemPoolGetAccess)(&access, own, &here));
  EXPECT(access == CU_MEM_ACCESS_FLAGS_PROT_READWRITE);
  CUmemAccessDesc description{here, CU_MEM_ACCESS_FLAGS_PROT_READWRITE};
  MUST(DRIVER(cuMemPoolSetAccess)(own, &description, 1));
  description.flags = CU_MEM_ACCESS_FLAGS_PROT_NONE;  // a pool's own device keeps its access
  EXPECT_ERROR(CUDA_ERROR_INVALID_DEVICE, DRIVER(cuMemPoolSetAccess)(own, &description, 1));
  MUST(DRIVER(cuMemFreeAsync)(memory, g_stream));
  MUST(DRIVER(cuStreamSynchronize)(g_stream));
  // The device falls back to its first pool.
  MUST(DRIVER(cuMemPoolDestroy)(own));
  MUST(DRIVER(cuDeviceGetMemPool)(&found, device));
  EXPECT(found == first);
  EXPECT_ERROR(CUDA_ERROR_INVALID_DEVICE, DRIVER(cuDeviceGetMemPool)(&found, 1000));
  std::printf("pools done\n");
}

void check_graph_memory(CUdevice device) {
  EXPECT(graph_memory(device, CU_GRAPH_MEM_ATTR_USED_MEM_CURRENT) == 0);
  CUgraph graph = nullptr;
  CUgraphNode allocation = nullptr, release = nullptr;
  CUDA_MEM_ALLOC_NODE_PARAMS parameters{};
  parameters.poolProps.allocType = CU_MEM_ALLOCATION_TYPE_PINNED;
  parameters.poolProps.location = {CU_MEM_LOCATION_TYPE_DEVICE, device};
  parameters.bytesize = 1 << 20;
  MUST(DRIVER(cuGraphCreate)(&graph, 0));
  MUST(DRIVER(cuGraphAddMemAllocNode)(&allocation, graph, nullptr, 0, &parameters));
  MUST(DRIVER(cuGraphAddMemFreeNode)(&release, graph, &allocation, 1, parameters.dptr));
  CUgraphExec exec = nullptr;
  MUST(DRIVER(cuGraphInstantiateWithFlags)(&exec, graph, 0));
  MUST(DRIVER(cuGraphLaunch)(exec, g_stream));
  MUST(DRIVER(cuStreamSynchronize)(g_stream));
  EXPECT(graph_memory(device, CU_GRAPH_MEM_ATTR_RESERVED_MEM_HIGH) >= 1 << 20);
  MUST(DRIVER(cuGraphExecDestroy)(exec));
  MUST(DRIVER(cuGraphDestroy)(graph));
  MUST(DRIVER(cuDeviceGraphMemTrim)(device));
  EXPECT(graph_memory(device, CU_GRAPH_MEM_ATTR_RESERVED_MEM_CURRENT) == 0);
  cuuint64_t zero = 0;
  MUST(DRIVER(cuDeviceSetGraphMemAttribute)(device, CU_GRAPH_MEM_ATTR_RESERVED_MEM_HIGH, &zero));
  MUST(DRIVER(cuDeviceSetGraphMemAttribute)(device, CU_GRAPH_MEM_ATTR_USED_MEM_HIGH, &zero));
  EXPECT(graph_memory(device, CU_GRAPH_MEM_ATTR_RESERVED_MEM_HIGH) == 0);
  EXPECT_ERROR(CUDA_ERROR_INVALID_VALUE,
               DRIVER(cuDeviceSetGraphMemAttribute)(device, CU_GRAPH_MEM_ATTR_USED_MEM_CURRENT, &zero));
  std::printf("memory of graphs done\n");
}

}  // namespace

int main() {
  const CUdevice device = open_device();
  MUST(DRIVER(cuStreamCreate)(&g_stream, CU_STREAM_NON_BLOCKING));
  check_pinned();
  check_addresses();
  check_copies_between_contexts(device);
  check_hints(device);
  check_pools(device);
  check_graph_memory(device);
  MUST(DRIVER(cuStreamDestroy_v2)(g_stream));
  return verdict("driver_memory");
}
