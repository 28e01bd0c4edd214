// Calls for what a device may lack: where its attributes say that it has the thing the calls must work,
// and where they say no the calls must say so. And calls that hardly any program makes.
#include <cstring>

#include "graphs.h"

namespace {

CUdevice g_device = 0;

int attribute(CUdevice_attribute which) {
  int value = 0;
  MUST(DRIVER(cuDeviceGetAttribute)(&value, which, g_device));
  return value;
}

// The result of a call for a thing that the device has or lacks.
void check_optional(const char* name, bool has_it, CUresult result) {
  const bool right = result == (has_it ? CUDA_SUCCESS : CUDA_ERROR_NOT_SUPPORTED);
  std::printf("%s: %s\n", name, error_name_of(result));
  if (!right && ++g_failures <= 20)
    std::printf("%s of a device that %s it\n", name, has_it ? "has" : "lacks");
}
#define OPTIONAL(has_it, function, ...) check_optional(#function, has_it, DRIVER(function)(__VA_ARGS__))

void check_tensor_maps() {
  const bool has = attribute(CU_DEVICE_ATTRIBUTE_TENSOR_MAP_ACCESS_SUPPORTED) != 0;
  CUtensorMap map{};
  const CUdeviceptr memory = upload(std::vector<uint32_t>(1 << 14, 0));
  auto* const global = reinterpret_cast<void*>(static_cast<uintptr_t>(memory));
  const cuuint64_t extents[4] = {64, 8, 8, 2}, strides[3] = {256, 2048, 16384};
  const cuuint32_t steps[4] = {1, 1, 1, 1};
  const int lower[2] = {0, 0}, upper[2] = {0, 0};
  OPTIONAL(has, cuTensorMapEncodeIm2col, &map, CU_TENSOR_MAP_DATA_TYPE_FLOAT32, 4, global, extents, strides,
           lower, upper, 16, 8, steps, CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_NONE,
           CU_TENSOR_MAP_L2_PROMOTION_NONE, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
  OPTIONAL(has, cuTensorMapEncodeIm2colWide, &map, CU_TENSOR_MAP_DATA_TYPE_FLOAT32, 4, global, extents,
           strides, 0, 0, 64, 8, steps, CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_IM2COL_WIDE_MODE_W,
           CU_TENSOR_MAP_SWIZZLE_128B, CU_TENSOR_MAP_L2_PROMOTION_NONE, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
  OPTIONAL(has, cuTensorMapReplaceAddress, &map, global);
  MUST(DRIVER(cuMemFree_v2)(memory));
}

void check_multicast() {
  const bool has = attribute(CU_DEVICE_ATTRIBUTE_MULTICAST_SUPPORTED) != 0;
  CUmulticastObjectProp object{};
  object.numDevices = 1;
  object.size = 1 << 21;
  CUmemGenericAllocationHandle handle = 0;
  OPTIONAL(has, cuMulticastCreate, &handle, &object);
  if (has) return;  // a real one needs several devices, and is tried where they are
  // Without an object there is none to add to.
  CUmemGenericAllocationHandle memory = 0;
  CUmemAllocationProp physical{};
  physical.type = CU_MEM_ALLOCATION_TYPE_PINNED;
  physical.location = {CU_MEM_LOCATION_TYPE_DEVICE, g_device};
  MUST(DRIVER(cuMemCreate)(&memory, 1 << 21, &physical, 0));
  EXPECT(DRIVER(cuMulticastAddDevice)(handle, g_device) != CUDA_SUCCESS);
  EXPECT(DRIVER(cuMulticastBindMem)(handle, 0, memory, 0, 1 << 21, 0) != CUDA_SUCCESS);
  EXPECT(DRIVER(cuMulticastBindAddr)(handle, 0, 1 << 21, 1 << 21, 0) != CUDA_SUCCESS);
  EXPECT(DRIVER(cuMulticastUnbind)(handle, g_device, 0, 1 << 21) != CUDA_SUCCESS);
  MUST(DRIVER(cuMemRelease)(memory));
}

void check_sparse_arrays(CUstream stream) {
  CUarrayMapInfo info{};
  info.resourceType = CU_RESOURCE_TYPE_ARRAY;
  info.memOperationType = CU_MEM_OPERATION_TYPE_UNMAP;
  const CUDA_ARRAY3D_DESCRIPTOR flat{64, 64, 0, CU_AD_FORMAT_FLOAT, 1, 0};
  MUST(DRIVER(cuArray3DCreate_v2)(&info.resource.array, &flat));
  // An array of ordinary memory has nothing that could be mapped.
  EXPECT(DRIVER(cuMemMapArrayAsync)(&info, 1, stream) != CUDA_SUCCESS);
  MUST(DRIVER(cuArrayDestroy)(info.resource.array));
}

// Whatever a driver does about managed memory in batches, its content is what the program wrote.
void check_batches(CUstream stream) {
  CUdeviceptr managed = 0;
  MUST(DRIVER(cuMemAllocManaged)(&managed, 1 << 17, CU_MEM_ATTACH_GLOBAL));
  auto* const words = reinterpret_cast<uint32_t*>(static_cast<uintptr_t>(managed));
  for (uint32_t i = 0; i < 1 << 15; ++i) words[i] = ~i;
  CUdeviceptr parts[2] = {managed, managed + (1 << 16)};
  size_t sizes[2] = {1 << 16, 1 << 16}, which[1] = {0};
  CUmemLocation here{CU_MEM_LOCATION_TYPE_DEVICE, g_device};
  const CUresult fetched = DRIVER(cuMemPrefetchBatchAsync)(parts, sizes, 2, &here, which, 1, 0, stream);
  EXPECT(fetched == CUDA_SUCCESS || fetched == CUDA_ERROR_NOT_SUPPORTED);
  MUST(DRIVER(cuStreamSynchronize)(stream));
  for (uint32_t i = 0; i < 1 << 15; ++i) EXPECT(words[i] == ~i);
  // What is discarded may be anything; what is written afterwards counts.
  const CUresult gone = DRIVER(cuMemDiscardBatchAsync)(parts, sizes, 1, 0, stream);
  const CUresult both =
      DRIVER(cuMemDiscardAndPrefetchBatchAsync)(parts, sizes, 1, &here, which, 1, 0, stream);
  EXPECT(gone == CUDA_SUCCESS || gone == CUDA_ERROR_NOT_SUPPORTED);
  EXPECT(both == CUDA_SUCCESS || both == CUDA_ERROR_NOT_SUPPORTED);
  MUST(DRIVER(cuStreamSynchronize)(stream));
  for (uint32_t i = 0; i < 1 << 14; ++i) words[i] = i;
  for (uint32_t i = 0; i < 1 << 15; ++i) EXPECT(words[i] == (i < 1 << 14 ? i : ~i));
  MUST(DRIVER(cuMemFree_v2)(managed));
  std::printf("batches: %s, %s, %s\n", error_name_of(fetched), error_name_of(gone), error_name_of(both));

  const bool has = attribute(CU_DEVICE_ATTRIBUTE_MEM_DECOMPRESS_ALGORITHM_MASK) != 0;
  if (!has) {
    const CUdeviceptr packed = upload(std::vector<uint8_t>(64, 1));
    CUmemDecompressParams parameters{};
    parameters.srcNumBytes = parameters.dstNumBytes = 32;
    parameters.src = reinterpret_cast<void*>(static_cast<uintptr_t>(packed));
    parameters.dst = reinterpret_cast<void*>(static_cast<uintptr_t>(packed + 32));
    parameters.algo = CU_MEM_DECOMPRESS_ALGORITHM_SNAPPY;
    OPTIONAL(false, cuMemBatchDecompressAsync, &parameters, 1, 0, nullptr, stream);
    MUST(DRIVER(cuMemFree_v2)(packed));
  }
}

// Pools by place: the same as by device, where a driver knows places.
void check_pools_by_place() {
  CUmemLocation here{CU_MEM_LOCATION_TYPE_DEVICE, g_device};
  CUmemoryPool by_device = nullptr, first = nullptr, current = nullptr;
  MUST(DRIVER(cuDeviceGetDefaultMemPool)(&by_device, g_device));
  const CUresult asked = DRIVER(cuMemGetDefaultMemPool)(&first, &here, CU_MEM_ALLOCATION_TYPE_PINNED);
  const CUresult now = DRIVER(cuMemGetMemPool)(&current, &here, CU_MEM_ALLOCATION_TYPE_PINNED);
  const CUresult set = DRIVER(cuMemSetMemPool)(&here, CU_MEM_ALLOCATION_TYPE_PINNED, by_device);
  EXPECT(asked == now && now == set && (asked == CUDA_SUCCESS || asked == CUDA_ERROR_NOT_SUPPORTED));
  if (asked == CUDA_SUCCESS) EXPECT(first == by_device && current == by_device);
  std::printf("pools by place: %s\n", error_name_of(asked));
}

// Access to mapped memory is asked for by place.
void check_access() {
  CUmemAllocationProp physical{};
  physical.type = CU_MEM_ALLOCATION_TYPE_PINNED;
  physical.location = {CU_MEM_LOCATION_TYPE_DEVICE, g_device};
  size_t grain = 0;
  CUmemGenericAllocationHandle memory = 0;
  CUdeviceptr address = 0;
  MUST(DRIVER(cuMemGetAllocationGranularity)(&grain, &physical, CU_MEM_ALLOC_GRANULARITY_MINIMUM));
  MUST(DRIVER(cuMemCreate)(&memory, grain, &physical, 0));
  MUST(DRIVER(cuMemAddressReserve)(&address, grain, 0, 0, 0));
  MUST(DRIVER(cuMemMap)(address, grain, 0, memory, 0));
  const CUmemAccessDesc right{physical.location, CU_MEM_ACCESS_FLAGS_PROT_READWRITE};
  MUST(DRIVER(cuMemSetAccess)(address, grain, &right, 1));
  unsigned long long flags = 99;
  MUST(DRIVER(cuMemGetAccess)(&flags, &physical.location, address));
  EXPECT(flags == CU_MEM_ACCESS_FLAGS_PROT_READWRITE);
  EXPECT_ERROR(CUDA_ERROR_INVALID_VALUE, DRIVER(cuMemGetAccess)(nullptr, &physical.location, address));
  MUST(DRIVER(cuMemUnmap)(address, grain));
  MUST(DRIVER(cuMemAddressFree)(address, grain));
  MUST(DRIVER(cuMemRelease)(memory));
}

// Every error has a name and a text; what is no error has neither.
void check_errors() {
  int known = 0;
  for (int code = 0; code < 1000; ++code) {
    const char *name = nullptr, *text = nullptr;
    const CUresult named = DRIVER(cuGetErrorName)(static_cast<CUresult>(code), &name);
    EXPECT(DRIVER(cuGetErrorString)(static_cast<CUresult>(code), &text) == named);
    EXPECT((named == CUDA_SUCCESS) == (name != nullptr) && (name != nullptr) == (text != nullptr));
    if (named != CUDA_SUCCESS) continue;
    ++known;
    EXPECT(std::strncmp(name, "CUDA_", 5) == 0 && *text != '\0');
  }
  EXPECT(known > 80);
  EXPECT_ERROR(CUDA_ERROR_INVALID_VALUE, DRIVER(cuGetErrorString)(CUDA_SUCCESS, nullptr));
  CUsharedconfig config{};
  MUST(DRIVER(cuCtxGetSharedMemConfig)(&config));
  std::printf("%d errors, banks of kind %d\n", known, static_cast<int>(config));
}

// Event nodes by the calls of their own, and the older forms of instantiation.
void check_graphs() {
  CUevent before = nullptr, after = nullptr;
  MUST(DRIVER(cuEventCreate)(&before, CU_EVENT_DISABLE_TIMING));
  MUST(DRIVER(cuEventCreate)(&after, CU_EVENT_DISABLE_TIMING));
  const CUdeviceptr memory = upload(std::vector<uint32_t>(16, 7));
  const CUgraph graph = make_graph();
  CUgraphNode wait = nullptr, fill = nullptr, record = nullptr;
  CUDA_MEMSET_NODE_PARAMS parameters{};
  parameters.dst = memory;
  parameters.value = 1;
  parameters.elementSize = 4;
  parameters.width = 16;
  parameters.height = 1;
  MUST(DRIVER(cuGraphAddEventWaitNode)(&wait, graph, nullptr, 0, before));
  MUST(DRIVER(cuGraphAddMemsetNode)(&fill, graph, &wait, 1, &parameters, g_context));
  MUST(DRIVER(cuGraphAddEventRecordNode)(&record, graph, &fill, 1, after));
  EXPECT(type_of(wait) == CU_GRAPH_NODE_TYPE_WAIT_EVENT &&
         type_of(record) == CU_GRAPH_NODE_TYPE_EVENT_RECORD);
  CUgraphExec first = nullptr, second = nullptr;
  CUgraphNode wrong = reinterpret_cast<CUgraphNode>(uintptr_t{1});
  char log[64] = "x";
  MUST(DRIVER(cuGraphInstantiate)(&first, graph, &wrong, log, sizeof log));
  EXPECT(wrong == nullptr && log[0] == '\0');
  MUST(DRIVER(cuGraphInstantiate_v2)(&second, graph, nullptr, nullptr, 0));
  run(first);
  MUST(DRIVER(cuEventSynchronize)(after));
  EXPECT(download<uint32_t>(memory, 16) == std::vector<uint32_t>(16, 1));
  parameters.value = 0xabcd;
  parameters.width = 4;
  MUST(DRIVER(cuGraphExecMemsetNodeSetParams)(second, fill, &parameters, g_context));
  run(second);
  const auto got = download<uint32_t>(memory, 16);
  EXPECT(got[3] == 0xabcd && got[4] == 1);
  EXPECT_ERROR(CUDA_ERROR_INVALID_VALUE,
               DRIVER(cuGraphExecMemsetNodeSetParams)(second, record, &parameters, g_context));
  EXPECT_ERROR(CUDA_ERROR_INVALID_VALUE, DRIVER(cuGraphInstantiate_v2)(nullptr, graph, nullptr, nullptr, 0));
  MUST(DRIVER(cuGraphExecDestroy)(first));
  MUST(DRIVER(cuGraphExecDestroy)(second));
  MUST(DRIVER(cuGraphDestroy)(graph));
  MUST(DRIVER(cuEventDestroy_v2)(before));
  MUST(DRIVER(cuEventDestroy_v2)(after));
  MUST(DRIVER(cuMemFree_v2)(memory));
  std::printf("graphs done\n");
}

}  // namespace

int main(int argc, char** argv) {
  const CUmodule module = begin_program(argc, argv);
  MUST(DRIVER(cuCtxGetDevice)(&g_device));
  check_tensor_maps();
  check_multicast();
  check_sparse_arrays(g_stream);
  check_batches(g_stream);
  check_pools_by_place();
  check_access();
  check_errors();
  check_graphs();
  end_program(module);
  return verdict("driver_rarities");
}
