// Calls that programs seldom make, each once: what comes back is printed, and is the same whichever way
// the program runs. What can be known beforehand is expected as well.
#include <cstring>
#include <thread>

#include "driver.h"

namespace {

// Prints the result of a call by its name.
#define SHOW(function, ...) show(#function, DRIVER(function)(__VA_ARGS__))

CUresult show(const char* name, CUresult result) {
  std::printf("%s: %s\n", name, error_name_of(result));
  return result;
}

template <typename T>
void print(const char* what, T value) {
  std::printf("  %s %lld\n", what, static_cast<long long>(value));
}

// Answers, where there is one.
#define ANSWER(type, function, ...)                                                                  \
  do {                                                                                               \
    type answer{};                                                                                   \
    if (SHOW(function, &answer __VA_OPT__(, ) __VA_ARGS__) == CUDA_SUCCESS) print("answer", answer); \
  } while (0)

void ask_device(CUdevice device) {
  int major = 0, minor = 0, least = 1, greatest = 1;
  MUST(SHOW(cuDeviceComputeCapability, &major, &minor, device));
  int attribute = 0;
  MUST(DRIVER(cuDeviceGetAttribute)(&attribute, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, device));
  EXPECT(attribute == major);
  CUdevprop properties{};
  MUST(SHOW(cuDeviceGetProperties, &properties, device));
  print("warp", properties.SIMDWidth);
  char bus[32] = "";
  CUdevice found = -1;
  MUST(SHOW(cuDeviceGetPCIBusId, bus, sizeof bus, device));
  MUST(SHOW(cuDeviceGetByPCIBusId, &found, bus));
  EXPECT(found == device);
  CUuuid first{}, second{};
  MUST(SHOW(cuDeviceGetUuid, &first, device));
  MUST(SHOW(cuDeviceGetUuid_v2, &second, device));
  EXPECT(std::memcmp(&first, &second, sizeof first) == 0);
  char luid[8];
  unsigned mask = 0, capabilities[2] = {};
  SHOW(cuDeviceGetLuid, luid, &mask, device);
  ANSWER(size_t, cuDeviceGetTexture1DLinearMaxWidth, CU_AD_FORMAT_FLOAT, 4, device);
  ANSWER(int, cuDeviceGetExecAffinitySupport, CU_EXEC_AFFINITY_TYPE_SM_COUNT, device);
  ANSWER(int, cuDeviceCanAccessPeer, device, device);
  ANSWER(int, cuDeviceGetP2PAttribute, CU_DEVICE_P2P_ATTRIBUTE_ACCESS_SUPPORTED, device, device);
  const CUatomicOperation operations[2] = {CU_ATOMIC_OPERATION_INTEGER_ADD, CU_ATOMIC_OPERATION_EXCHANGE};
  SHOW(cuDeviceGetHostAtomicCapabilities, capabilities, operations, 2, device);
  SHOW(cuDeviceGetP2PAtomicCapabilities, capabilities, operations, 2, device, device);
  SHOW(cuFlushGPUDirectRDMAWrites, CU_FLUSH_GPU_DIRECT_RDMA_WRITES_TARGET_CURRENT_CTX,
       CU_FLUSH_GPU_DIRECT_RDMA_WRITES_TO_OWNER);
  SHOW(cuDeviceGetNvSciSyncAttributes, &mask, device, 1);
  MUST(SHOW(cuCtxGetStreamPriorityRange, &least, &greatest));
  EXPECT(greatest <= least);
}

void ask_contexts(CUdevice device) {
  CUcontext primary = nullptr, own = nullptr, attached = nullptr, popped = nullptr;
  MUST(DRIVER(cuCtxGetCurrent)(&primary));
  unsigned flags = 99, version = 0;
  int active = -1;
  MUST(SHOW(cuDevicePrimaryCtxGetState, device, &flags, &active));
  EXPECT(active == 1);
  MUST(SHOW(cuDevicePrimaryCtxSetFlags_v2, device, CU_CTX_SCHED_YIELD));
  MUST(SHOW(cuDevicePrimaryCtxSetFlags, device, 0));
  MUST(SHOW(cuCtxCreate_v3, &own, nullptr, 0, CU_CTX_SCHED_SPIN, device));
  MUST(SHOW(cuCtxGetFlags, &flags));
  EXPECT((flags & CU_CTX_SCHED_MASK) == CU_CTX_SCHED_SPIN);
  MUST(SHOW(cuCtxSetFlags, CU_CTX_SCHED_AUTO));
  MUST(SHOW(cuCtxGetApiVersion, own, &version));
  print("api version", version);
  unsigned long long id = 0, other = 0;
  MUST(SHOW(cuCtxGetId, own, &id));
  MUST(SHOW(cuCtxGetId, primary, &other));
  EXPECT(id != other);
  MUST(SHOW(cuCtxAttach, &attached, 0));
  EXPECT(attached == own);
  MUST(SHOW(cuCtxDetach, attached));
  MUST(SHOW(cuCtxPushCurrent, primary));
  MUST(SHOW(cuCtxPopCurrent, &popped));
  EXPECT(popped == primary);
  CUdevice of_context = -1;
  MUST(SHOW(cuCtxGetDevice, &of_context));
  EXPECT(of_context == device);
  size_t limit = 0;
  MUST(SHOW(cuCtxSetLimit, CU_LIMIT_PRINTF_FIFO_SIZE, 1 << 21));
  MUST(SHOW(cuCtxGetLimit, &limit, CU_LIMIT_PRINTF_FIFO_SIZE));
  EXPECT(limit >= 1 << 21);
  SHOW(cuCtxSetLimit, static_cast<CUlimit>(0x7fff), 1);
  MUST(SHOW(cuCtxSetCacheConfig, CU_FUNC_CACHE_PREFER_L1));
  ANSWER(CUfunc_cache, cuCtxGetCacheConfig);
  MUST(SHOW(cuCtxSetSharedMemConfig, CU_SHARED_MEM_CONFIG_DEFAULT_BANK_SIZE));
  MUST(SHOW(cuCtxSynchronize_v2, own));
  SHOW(cuCtxResetPersistingL2Cache);
  CUexecAffinityParam affinity{};
  SHOW(cuCtxGetExecAffinity, &affinity, CU_EXEC_AFFINITY_TYPE_SM_COUNT);
  MUST(SHOW(cuCtxDestroy, own));
  MUST(SHOW(cuCtxCreate_v4, &own, nullptr, 0, device));
  MUST(DRIVER(cuCtxDestroy_v2)(own));
  MUST(DRIVER(cuCtxSetCurrent)(primary));
}

void ask_streams() {
  CUstream stream = nullptr, other = nullptr;
  int priority = 1;
  unsigned flags = 0;
  unsigned long long id = 0, other_id = 0;
  MUST(SHOW(cuStreamCreateWithPriority, &stream, CU_STREAM_NON_BLOCKING, -1));
  MUST(DRIVER(cuStreamCreate)(&other, 0));
  MUST(SHOW(cuStreamGetPriority, stream, &priority));
  EXPECT(priority == -1);
  MUST(SHOW(cuStreamGetFlags, stream, &flags));
  EXPECT(flags == CU_STREAM_NON_BLOCKING);
  MUST(SHOW(cuStreamGetId, stream, &id));
  MUST(SHOW(cuStreamGetId, other, &other_id));
  EXPECT(id != other_id);
  CUcontext context = nullptr, current = nullptr;
  CUgreenCtx green = nullptr;
  CUdevice device = -1;
  MUST(DRIVER(cuCtxGetCurrent)(&current));
  MUST(SHOW(cuStreamGetCtx, stream, &context));
  EXPECT(context == current);
  MUST(SHOW(cuStreamGetCtx_v2, stream, &context, &green));
  EXPECT(context == current && green == nullptr);
  MUST(SHOW(cuStreamGetDevice, stream, &device));
  CUstreamAttrValue value{};
  value.syncPolicy = CU_SYNC_POLICY_YIELD;
  SHOW(cuStreamSetAttribute, stream, CU_STREAM_ATTRIBUTE_SYNCHRONIZATION_POLICY, &value);
  SHOW(cuStreamCopyAttributes, other, stream);
  value = {};
  if (SHOW(cuStreamGetAttribute, other, CU_STREAM_ATTRIBUTE_SYNCHRONIZATION_POLICY, &value) == CUDA_SUCCESS)
    print("policy", value.syncPolicy);
  MUST(SHOW(cuStreamQuery, stream));
  CUstreamCaptureMode mode = CU_STREAM_CAPTURE_MODE_RELAXED;
  MUST(SHOW(cuThreadExchangeStreamCaptureMode, &mode));
  EXPECT(mode == CU_STREAM_CAPTURE_MODE_GLOBAL);
  MUST(SHOW(cuThreadExchangeStreamCaptureMode, &mode));
  EXPECT(mode == CU_STREAM_CAPTURE_MODE_RELAXED);
  CUevent event = nullptr;
  MUST(DRIVER(cuEventCreate)(&event, CU_EVENT_DISABLE_TIMING));
  MUST(SHOW(cuEventRecordWithFlags, event, stream, 0));
  MUST(SHOW(cuEventSynchronize, event));
  MUST(SHOW(cuEventQuery, event));
  MUST(SHOW(cuEventDestroy, event));
  MUST(SHOW(cuStreamDestroy, other));
  MUST(DRIVER(cuStreamDestroy_v2)(stream));
  EXPECT_ERROR(CUDA_ERROR_INVALID_HANDLE, DRIVER(cuStreamGetId)(stream, &id));
}

// A fill is not waited for, and streams that do not block do not wait for it either.
void clear(CUdeviceptr memory, size_t bytes) {
  MUST(DRIVER(cuMemsetD8_v2)(memory, 0, bytes));
  MUST(DRIVER(cuStreamSynchronize)(nullptr));
}

void ask_values() {
  CUdeviceptr memory = 0;
  CUstream stream = nullptr;
  MUST(DRIVER(cuMemAlloc_v2)(&memory, 64));
  clear(memory, 64);
  MUST(DRIVER(cuStreamCreate)(&stream, CU_STREAM_NON_BLOCKING));
  MUST(SHOW(cuStreamWriteValue32, stream, memory, 7, 0));
  MUST(SHOW(cuStreamWaitValue32, stream, memory, 7, CU_STREAM_WAIT_VALUE_EQ));
  MUST(SHOW(cuStreamWriteValue64, stream, memory + 8, 1ull << 40, 0));
  MUST(SHOW(cuStreamWaitValue64, stream, memory + 8, 5, CU_STREAM_WAIT_VALUE_GEQ));
  MUST(SHOW(cuStreamWriteValue32_v2, stream, memory + 16, 8, 0));
  MUST(SHOW(cuStreamWaitValue32_v2, stream, memory + 16, 8, CU_STREAM_WAIT_VALUE_AND));
  MUST(SHOW(cuStreamWriteValue64_v2, stream, memory + 24, 9, 0));
  MUST(SHOW(cuStreamWaitValue64_v2, stream, memory + 24, 9, CU_STREAM_WAIT_VALUE_EQ));
  CUstreamBatchMemOpParams batch[2]{};
  batch[0].writeValue.operation = CU_STREAM_MEM_OP_WRITE_VALUE_32;
  batch[0].writeValue.address = memory + 32;
  batch[0].writeValue.value = 11;
  batch[1].waitValue.operation = CU_STREAM_MEM_OP_WAIT_VALUE_32;
  batch[1].waitValue.address = memory + 32;
  batch[1].waitValue.value = 11;
  SHOW(cuStreamBatchMemOp, stream, 2, batch, 0);
  SHOW(cuStreamBatchMemOp_v2, stream, 2, batch, 0);
  MUST(DRIVER(cuStreamSynchronize)(stream));
  const auto got = download<uint32_t>(memory, 10);
  EXPECT(got[0] == 7 && got[2] == 0 && got[3] == 256 && got[4] == 8 && got[6] == 9);
  print("batch", got[8]);
  MUST(DRIVER(cuStreamDestroy_v2)(stream));
  MUST(DRIVER(cuMemFree_v2)(memory));
}

// An event of a context stands behind the work of all its streams.
void ask_events_of_contexts() {
  CUcontext context = nullptr;
  CUstream waiting = nullptr, writing = nullptr;
  CUevent event = nullptr;
  CUdeviceptr memory = 0;
  MUST(DRIVER(cuCtxGetCurrent)(&context));
  MUST(DRIVER(cuMemAlloc_v2)(&memory, 8));
  clear(memory, 8);
  MUST(DRIVER(cuStreamCreate)(&waiting, CU_STREAM_NON_BLOCKING));
  MUST(DRIVER(cuStreamCreate)(&writing, CU_STREAM_NON_BLOCKING));
  MUST(DRIVER(cuEventCreate)(&event, CU_EVENT_DISABLE_TIMING));
  MUST(DRIVER(cuStreamWaitValue32)(waiting, memory, 1, CU_STREAM_WAIT_VALUE_EQ));
  MUST(SHOW(cuCtxRecordEvent, context, event));
  EXPECT_ERROR(CUDA_ERROR_NOT_READY, DRIVER(cuEventQuery)(event));
  MUST(DRIVER(cuStreamWriteValue32)(writing, memory, 1, 0));
  MUST(DRIVER(cuEventSynchronize)(event));
  MUST(DRIVER(cuStreamQuery)(waiting));

  clear(memory, 8);
  MUST(DRIVER(cuStreamWaitValue32)(waiting, memory, 1, CU_STREAM_WAIT_VALUE_EQ));
  MUST(DRIVER(cuEventRecord)(event, waiting));
  MUST(DRIVER(cuStreamWriteValue32)(writing, memory, 1, 0));
  MUST(SHOW(cuCtxWaitEvent, context, event));
  MUST(DRIVER(cuStreamSynchronize)(nullptr));
  MUST(DRIVER(cuEventQuery)(event));
  MUST(DRIVER(cuEventDestroy_v2)(event));
  MUST(DRIVER(cuStreamDestroy_v2)(waiting));
  MUST(DRIVER(cuStreamDestroy_v2)(writing));
  MUST(DRIVER(cuMemFree_v2)(memory));
}

size_t shared_of(int block) { return static_cast<size_t>(block) * 4; }

void ask_functions(CUdevice device, const std::string& ptx) {
  CUlibrary library = nullptr, of_kernel = nullptr;
  CUkernel kernel = nullptr, kernels[16]{};
  CUfunction function = nullptr, functions[16]{};
  CUmodule module = nullptr, of_function = nullptr;
  unsigned count = 0, functions_count = 0;
  const char* name = nullptr;
  MUST(SHOW(cuLibraryLoadData, &library, ptx.c_str(), nullptr, nullptr, 0, nullptr, nullptr, 0));
  MUST(SHOW(cuLibraryGetKernelCount, &count, library));
  EXPECT(count >= 5 && count <= 16);
  MUST(SHOW(cuLibraryEnumerateKernels, kernels, count, library));
  MUST(SHOW(cuLibraryGetKernel, &kernel, library, "scale"));
  MUST(SHOW(cuKernelGetName, &name, kernel));
  EXPECT(std::strcmp(name, "scale") == 0);
  MUST(SHOW(cuKernelGetLibrary, &of_kernel, kernel));
  EXPECT(of_kernel == library);
  size_t offset = 99, size = 0;
  MUST(SHOW(cuKernelGetParamInfo, kernel, 1, &offset, &size));
  EXPECT(offset == 8 && size == 4);
  ANSWER(int, cuKernelGetAttribute, CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK, kernel, device);
  MUST(SHOW(cuKernelSetAttribute, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, 1024, kernel, device));
  MUST(SHOW(cuKernelSetCacheConfig, kernel, CU_FUNC_CACHE_PREFER_SHARED, device));
  MUST(SHOW(cuKernelGetFunction, &function, kernel));
  MUST(SHOW(cuLibraryGetModule, &module, library));
  MUST(SHOW(cuModuleGetFunctionCount, &functions_count, module));
  EXPECT(functions_count == count);
  MUST(SHOW(cuModuleEnumerateFunctions, functions, count, module));
  MUST(SHOW(cuFuncGetModule, &of_function, function));
  MUST(SHOW(cuFuncGetName, &name, function));
  MUST(SHOW(cuFuncGetParamInfo, function, 0, &offset, &size));
  EXPECT(offset == 0 && size == 8);
  EXPECT_ERROR(CUDA_ERROR_INVALID_VALUE, DRIVER(cuFuncGetParamInfo)(function, 2, &offset, &size));
  ANSWER(CUfunctionLoadingState, cuFuncIsLoaded, function);
  MUST(SHOW(cuFuncLoad, function));
  MUST(SHOW(cuFuncSetAttribute, function, CU_FUNC_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT, 50));
  MUST(SHOW(cuFuncSetCacheConfig, function, CU_FUNC_CACHE_PREFER_L1));
  MUST(SHOW(cuFuncSetSharedMemConfig, function, CU_SHARED_MEM_CONFIG_DEFAULT_BANK_SIZE));
  ANSWER(int, cuFuncGetAttribute, CU_FUNC_ATTRIBUTE_NUM_REGS, function);
  ANSWER(int, cuOccupancyMaxActiveBlocksPerMultiprocessor, function, 128, 0);
  ANSWER(int, cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags, function, 256, 1024, 0);
  ANSWER(size_t, cuOccupancyAvailableDynamicSMemPerBlock, function, 2, 128);
  int grid = 0, block = 0;
  MUST(SHOW(cuOccupancyMaxPotentialBlockSize, &grid, &block, function, &shared_of, 0, 0));
  print("block", block);
  MUST(SHOW(cuOccupancyMaxPotentialBlockSizeWithFlags, &grid, &block, function, nullptr, 0, 200, 0));
  EXPECT(block > 0 && block <= 200);
  CUdeviceptr address = 0;
  MUST(SHOW(cuLibraryGetGlobal, &address, &size, library, "launches"));
  EXPECT(size == 4);
  SHOW(cuLibraryGetManaged, &address, &size, library, "launches");
  void* host_function = nullptr;
  EXPECT(DRIVER(cuLibraryGetUnifiedFunction)(&host_function, library, "scale") != CUDA_SUCCESS);
  CUmoduleLoadingMode mode{};
  MUST(SHOW(cuModuleGetLoadingMode, &mode));
  MUST(SHOW(cuLibraryUnload, library));
  CUmodule from_file = nullptr;
  MUST(SHOW(cuModuleLoad, &from_file, OUTBOARD_TEST_PTX));
  MUST(DRIVER(cuModuleUnload)(from_file));
  MUST(SHOW(cuLibraryLoadFromFile, &library, OUTBOARD_TEST_PTX, nullptr, nullptr, 0, nullptr, nullptr, 0));
  MUST(DRIVER(cuLibraryUnload)(library));
}

void ask_arrays(CUdevice device) {
  const CUDA_ARRAY3D_DESCRIPTOR layered{32, 16, 0, CU_AD_FORMAT_FLOAT, 2, CUDA_ARRAY3D_SURFACE_LDST};
  const CUDA_ARRAY_DESCRIPTOR flat{64, 8, CU_AD_FORMAT_UNSIGNED_INT8, 4};
  CUarray array = nullptr, plane = nullptr, second = nullptr, level = nullptr;
  CUmipmappedArray mipmap = nullptr;
  MUST(SHOW(cuArray3DCreate_v2, &array, &layered));
  MUST(SHOW(cuArrayCreate_v2, &second, &flat));
  CUDA_ARRAY3D_DESCRIPTOR found{};
  MUST(SHOW(cuArray3DGetDescriptor_v2, &found, array));
  EXPECT(found.Width == 32 && found.Height == 16 && found.NumChannels == 2);
  CUDA_ARRAY_DESCRIPTOR found_flat{};
  MUST(SHOW(cuArrayGetDescriptor_v2, &found_flat, second));
  EXPECT(found_flat.Width == 64 && found_flat.NumChannels == 4);
  SHOW(cuArrayGetPlane, &plane, array, 0);
  CUDA_ARRAY_MEMORY_REQUIREMENTS needs{};
  CUDA_ARRAY_SPARSE_PROPERTIES sparse{};
  SHOW(cuArrayGetMemoryRequirements, &needs, array, device);
  SHOW(cuArrayGetSparseProperties, &sparse, array);
  MUST(SHOW(cuMipmappedArrayCreate, &mipmap, &layered, 3));
  MUST(SHOW(cuMipmappedArrayGetLevel, &level, mipmap, 1));
  MUST(DRIVER(cuArray3DGetDescriptor_v2)(&found, level));
  EXPECT(found.Width == 16 && found.Height == 8);
  SHOW(cuMipmappedArrayGetMemoryRequirements, &needs, mipmap, device);
  SHOW(cuMipmappedArrayGetSparseProperties, &sparse, mipmap);

  CUDA_RESOURCE_DESC resource{}, of_object{};
  resource.resType = CU_RESOURCE_TYPE_ARRAY;
  resource.res.array.hArray = array;
  CUDA_TEXTURE_DESC texture{}, of_texture{};
  texture.filterMode = CU_TR_FILTER_MODE_LINEAR;
  texture.maxAnisotropy = 4;
  CUDA_RESOURCE_VIEW_DESC view{};
  CUtexObject object = 0;
  CUsurfObject surface = 0;
  MUST(SHOW(cuTexObjectCreate, &object, &resource, &texture, nullptr));
  MUST(SHOW(cuTexObjectGetResourceDesc, &of_object, object));
  EXPECT(of_object.resType == CU_RESOURCE_TYPE_ARRAY && of_object.res.array.hArray == array);
  MUST(SHOW(cuTexObjectGetTextureDesc, &of_texture, object));
  EXPECT(of_texture.filterMode == CU_TR_FILTER_MODE_LINEAR && of_texture.maxAnisotropy == 4);
  SHOW(cuTexObjectGetResourceViewDesc, &view, object);
  MUST(SHOW(cuTexObjectDestroy, object));
  MUST(SHOW(cuSurfObjectCreate, &surface, &resource));
  MUST(SHOW(cuSurfObjectGetResourceDesc, &of_object, surface));
  EXPECT(of_object.res.array.hArray == array);
  MUST(SHOW(cuSurfObjectDestroy, surface));
  MUST(SHOW(cuMipmappedArrayDestroy, mipmap));
  MUST(SHOW(cuArrayDestroy, second));
  MUST(SHOW(cuArrayDestroy, array));
}

void ask_references() {
  CUtexref reference = nullptr;
  MUST(SHOW(cuTexRefCreate, &reference));
  CUarray array = nullptr, found_array = nullptr;
  CUmipmappedArray mipmap = nullptr;
  CUarray_format format{};
  int channels = 0, anisotropy = 0;
  float bias = 0, least = 0, most = 0;
  CUdeviceptr memory = 0, address = 0;
  size_t offset = 0;
  unsigned flags = 0;
  MUST(DRIVER(cuMemAlloc_v2)(&memory, 4096));
  MUST(SHOW(cuTexRefSetFormat, reference, CU_AD_FORMAT_SIGNED_INT16, 2));
  MUST(SHOW(cuTexRefGetFormat, &format, &channels, reference));
  EXPECT(format == CU_AD_FORMAT_SIGNED_INT16 && channels == 2);
  MUST(SHOW(cuTexRefSetAddress_v2, &offset, reference, memory, 1024));
  MUST(SHOW(cuTexRefGetAddress_v2, &address, reference));
  EXPECT(address == memory && offset == 0);
  const CUDA_ARRAY_DESCRIPTOR flat{16, 4, CU_AD_FORMAT_FLOAT, 1};
  MUST(SHOW(cuTexRefSetAddress2D_v2, reference, &flat, memory, 512));
  MUST(SHOW(cuTexRefSetAddress2D_v3, reference, &flat, memory, 512));
  MUST(SHOW(cuTexRefSetAddressMode, reference, 1, CU_TR_ADDRESS_MODE_MIRROR));
  ANSWER(CUaddress_mode, cuTexRefGetAddressMode, reference, 1);
  MUST(SHOW(cuTexRefSetFilterMode, reference, CU_TR_FILTER_MODE_LINEAR));
  ANSWER(CUfilter_mode, cuTexRefGetFilterMode, reference);
  MUST(SHOW(cuTexRefSetMipmapFilterMode, reference, CU_TR_FILTER_MODE_LINEAR));
  ANSWER(CUfilter_mode, cuTexRefGetMipmapFilterMode, reference);
  MUST(SHOW(cuTexRefSetMipmapLevelBias, reference, 0.5f));
  MUST(SHOW(cuTexRefGetMipmapLevelBias, &bias, reference));
  MUST(SHOW(cuTexRefSetMipmapLevelClamp, reference, 1.0f, 2.0f));
  MUST(SHOW(cuTexRefGetMipmapLevelClamp, &least, &most, reference));
  EXPECT(bias == 0.5f && least == 1.0f && most == 2.0f);
  MUST(SHOW(cuTexRefSetMaxAnisotropy, reference, 8));
  MUST(SHOW(cuTexRefGetMaxAnisotropy, &anisotropy, reference));
  EXPECT(anisotropy == 8);
  MUST(SHOW(cuTexRefSetFlags, reference, CU_TRSF_NORMALIZED_COORDINATES));
  MUST(SHOW(cuTexRefGetFlags, &flags, reference));
  EXPECT(flags == CU_TRSF_NORMALIZED_COORDINATES);
  MUST(DRIVER(cuArrayCreate_v2)(&array, &flat));
  MUST(SHOW(cuTexRefSetArray, reference, array, CU_TRSA_OVERRIDE_FORMAT));
  MUST(SHOW(cuTexRefGetArray, &found_array, reference));
  EXPECT(found_array == array);
  const CUDA_ARRAY3D_DESCRIPTOR deep{16, 4, 0, CU_AD_FORMAT_FLOAT, 1, 0};
  CUmipmappedArray found_mipmap = nullptr;
  MUST(DRIVER(cuMipmappedArrayCreate)(&mipmap, &deep, 2));
  MUST(SHOW(cuTexRefSetMipmappedArray, reference, mipmap, CU_TRSA_OVERRIDE_FORMAT));
  MUST(SHOW(cuTexRefGetMipmappedArray, &found_mipmap, reference));
  EXPECT(found_mipmap == mipmap);
  MUST(SHOW(cuTexRefDestroy, reference));
  MUST(DRIVER(cuMipmappedArrayDestroy)(mipmap));
  MUST(DRIVER(cuArrayDestroy)(array));
  MUST(DRIVER(cuMemFree_v2)(memory));
}

// Things that a device may lack: whatever it answers, it answers everywhere.
void ask_rarities(CUdevice device) {
  CUdevResource resource{}, groups[4]{}, rest{};
  CUdevResourceDesc description = nullptr;
  unsigned count = 4;
  CUcontext context = nullptr;
  MUST(DRIVER(cuCtxGetCurrent)(&context));
  const bool splits =
      SHOW(cuDeviceGetDevResource, device, &resource, CU_DEV_RESOURCE_TYPE_SM) == CUDA_SUCCESS;
  SHOW(cuCtxGetDevResource, context, &resource, CU_DEV_RESOURCE_TYPE_SM);
  if (splits) SHOW(cuDevSmResourceSplitByCount, groups, &count, &resource, &rest, 0, 1);
  if (splits) SHOW(cuDevResourceGenerateDesc, &description, &resource, 1);
  CUtensorMap map{};
  CUdeviceptr memory = 0;
  MUST(DRIVER(cuMemAlloc_v2)(&memory, 1 << 16));
  auto* global = reinterpret_cast<void*>(static_cast<uintptr_t>(memory));
  const cuuint64_t dimensions[2] = {64, 32}, strides[1] = {256};
  const cuuint32_t box[2] = {16, 16}, steps[2] = {1, 1};
  SHOW(cuTensorMapEncodeTiled, &map, CU_TENSOR_MAP_DATA_TYPE_FLOAT32, 2, global, dimensions, strides, box,
       steps, CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_NONE, CU_TENSOR_MAP_L2_PROMOTION_NONE,
       CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
  SHOW(cuTensorMapReplaceAddress, &map, global);
  CUmulticastObjectProp multicast{};
  multicast.numDevices = 1;
  multicast.size = 1 << 21;
  size_t granularity = 0;
  SHOW(cuMulticastGetGranularity, &granularity, &multicast, CU_MULTICAST_GRANULARITY_MINIMUM);
  SHOW(cuProfilerStart);
  SHOW(cuProfilerStop);
  SHOW(cuProfilerInitialize, "", "", CU_OUT_CSV);
  CUprocessState state{};
  int thread = 0;
  SHOW(cuCheckpointProcessGetState, 1, &state);
  SHOW(cuCheckpointProcessGetRestoreThreadId, 1, &thread);
  SHOW(cuCheckpointProcessLock, 1, nullptr);
  SHOW(cuCheckpointProcessUnlock, 1, nullptr);
  SHOW(cuCheckpointProcessCheckpoint, 1, nullptr);
  SHOW(cuCheckpointProcessRestore, 1, nullptr);
  SHOW(cuCtxEnablePeerAccess, context, 0);
  SHOW(cuCtxDisablePeerAccess, context);
  MUST(DRIVER(cuMemFree_v2)(memory));
}

}  // namespace

int main() {
  const std::string ptx = read_text(OUTBOARD_TEST_PTX);
  const CUdevice device = open_device();
  ask_device(device);
  ask_contexts(device);
  ask_streams();
  ask_values();
  ask_events_of_contexts();
  ask_functions(device, ptx);
  ask_arrays(device);
  ask_references();
  ask_rarities(device);
  MUST(SHOW(cuDevicePrimaryCtxRelease, device));
  return verdict("driver_questions");
}
