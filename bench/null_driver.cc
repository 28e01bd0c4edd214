// A driver that accepts everything and does nothing, so that what is measured through it is our own
// cost: a libcuda.so.1 for outboard-server --driver build/release/lib/null/libcuda.so.1.
//
// Kernels take no time, but for those called "busy": one launch takes gridDim.x microseconds of the
// device. The device does one kernel at a time, in the order of launching; it is the same for all
// processes that name the same file in OUTBOARD_NULL_DEVICE (a u64: when the device is free again, in
// nanoseconds of CLOCK_MONOTONIC). Memory has addresses but no bytes: copies from it leave their
// target as it is.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "protocol/abi/cuda_abi_gen.h"
#include "protocol/base/clock.h"

#define EXPORT extern "C" __attribute__((visibility("default")))

namespace {

using outboard::monotonic_ns;

constexpr uint64_t kMemoryBytes = uint64_t{64} << 30;
constexpr uint64_t kGranularity = 512;

struct Function {
  std::string name;
  bool busy = false;
};

struct Module {
  std::mutex mutex;
  std::map<std::string, Function> functions;
};

struct Stream {
  std::atomic<uint64_t> done_ns{0};
  bool capturing = false;
  uint64_t captured_ns = 0;
};

struct Event {
  std::atomic<uint64_t> at_ns{0};
};

struct Graph {
  uint64_t ns = 0;
};

std::atomic<uint64_t>* device_clock() {
  static std::atomic<uint64_t> own{0};
  const char* path = std::getenv("OUTBOARD_NULL_DEVICE");
  if (path == nullptr) return &own;
  const int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0 || ftruncate(file, sizeof own) != 0) return &own;
  void* mapped = mmap(nullptr, sizeof own, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  close(file);
  return mapped == MAP_FAILED ? &own : static_cast<std::atomic<uint64_t>*>(mapped);
}

struct Device {
  std::atomic<uint64_t>* free_at = device_clock();
  std::atomic<uint64_t> all_done_ns{0};
  std::atomic<uint64_t> next_address{0x7000'0000'0000};
  std::atomic<uint64_t> used_bytes{0};
  std::mutex mutex;
  std::map<uint64_t, uint64_t> allocations;
  Stream legacy;
};

Device& device() {
  static Device the_device;
  return the_device;
}

Stream& stream_of(CUstream stream) {
  const auto value = reinterpret_cast<uintptr_t>(stream);
  return value <= 2 ? device().legacy : *reinterpret_cast<Stream*>(stream);
}

void raise_to(std::atomic<uint64_t>& target, uint64_t value) {
  uint64_t old = target.load();
  while (old < value && !target.compare_exchange_weak(old, value)) {
  }
}

void run_for(Stream& stream, uint64_t ns) {
  if (stream.capturing) {
    stream.captured_ns += ns;
    return;
  }
  if (ns == 0) return;
  const uint64_t earliest = std::max(monotonic_ns(), stream.done_ns.load());
  uint64_t free = device().free_at->load();
  uint64_t end = 0;
  do {
    end = std::max(free, earliest) + ns;
  } while (!device().free_at->compare_exchange_weak(free, end));
  raise_to(stream.done_ns, end);
  raise_to(device().all_done_ns, end);
}

void wait_until(uint64_t ns) {
  if (monotonic_ns() >= ns) return;
  const timespec until{static_cast<time_t>(ns / 1'000'000'000), static_cast<long>(ns % 1'000'000'000)};
  while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, nullptr) == EINTR) {
  }
}

CUresult when_done(uint64_t ns) { return monotonic_ns() >= ns ? CUDA_SUCCESS : CUDA_ERROR_NOT_READY; }

CUresult launch(CUfunction function, unsigned grid_x, CUstream stream) {
  const bool busy = reinterpret_cast<Function*>(function)->busy;
  run_for(stream_of(stream), busy ? uint64_t{grid_x} * 1000 : 0);
  return CUDA_SUCCESS;
}

CUcontext the_context() { return reinterpret_cast<CUcontext>(&device()); }
thread_local CUcontext t_current = nullptr;

CUresult attribute(int* value, CUdevice_attribute attribute) {
  switch (attribute) {
    case CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_BLOCK:
    case CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_X:
    case CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Y: return *value = 1024, CUDA_SUCCESS;
    case CU_DEVICE_ATTRIBUTE_MAX_BLOCK_DIM_Z: return *value = 64, CUDA_SUCCESS;
    case CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_X: return *value = INT32_MAX, CUDA_SUCCESS;
    case CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Y:
    case CU_DEVICE_ATTRIBUTE_MAX_GRID_DIM_Z: return *value = 65535, CUDA_SUCCESS;
    case CU_DEVICE_ATTRIBUTE_WARP_SIZE: return *value = 32, CUDA_SUCCESS;
    case CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK: return *value = 48 << 10, CUDA_SUCCESS;
    case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR: return *value = 9, CUDA_SUCCESS;
    case CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT:
    case CU_DEVICE_ATTRIBUTE_UNIFIED_ADDRESSING: return *value = 1, CUDA_SUCCESS;
    default: return *value = 0, CUDA_SUCCESS;
  }
}

}  // namespace

EXPORT CUresult cuInit(unsigned) { return CUDA_SUCCESS; }
EXPORT CUresult cuDriverGetVersion(int* version) { return *version = 13000, CUDA_SUCCESS; }
EXPORT CUresult cuDeviceGetCount(int* count) { return *count = 1, CUDA_SUCCESS; }
EXPORT CUresult cuDeviceGet(CUdevice* device, int ordinal) { return *device = ordinal, CUDA_SUCCESS; }
EXPORT CUresult cuDeviceGetName(char* name, int length, CUdevice) {
  std::snprintf(name, static_cast<size_t>(length), "Null device");
  return CUDA_SUCCESS;
}
EXPORT CUresult cuDeviceGetUuid(CUuuid* uuid, CUdevice) {
  return std::memset(uuid, 1, sizeof *uuid), CUDA_SUCCESS;
}
EXPORT CUresult cuDeviceGetAttribute(int* value, CUdevice_attribute id, CUdevice) {
  return attribute(value, id);
}
EXPORT CUresult cuDeviceTotalMem_v2(size_t* bytes, CUdevice) { return *bytes = kMemoryBytes, CUDA_SUCCESS; }

EXPORT CUresult cuDevicePrimaryCtxRetain(CUcontext* context, CUdevice) {
  return *context = the_context(), CUDA_SUCCESS;
}
EXPORT CUresult cuDevicePrimaryCtxRelease_v2(CUdevice) { return CUDA_SUCCESS; }
EXPORT CUresult cuCtxSetCurrent(CUcontext context) { return t_current = context, CUDA_SUCCESS; }
EXPORT CUresult cuCtxPushCurrent_v2(CUcontext context) { return t_current = context, CUDA_SUCCESS; }
EXPORT CUresult cuCtxPopCurrent_v2(CUcontext* context) { return *context = t_current, CUDA_SUCCESS; }
EXPORT CUresult cuCtxGetCurrent(CUcontext* context) { return *context = t_current, CUDA_SUCCESS; }
EXPORT CUresult cuCtxGetDevice(CUdevice* device) { return *device = 0, CUDA_SUCCESS; }
EXPORT CUresult cuCtxSynchronize() { return wait_until(device().all_done_ns.load()), CUDA_SUCCESS; }
EXPORT CUresult cuThreadExchangeStreamCaptureMode(CUstreamCaptureMode*) { return CUDA_SUCCESS; }

// Any image is a module that has every function that is asked for.
EXPORT CUresult cuModuleLoadDataEx(CUmodule* module, const void*, unsigned, CUjit_option*, void**) {
  return *module = reinterpret_cast<CUmodule>(new Module), CUDA_SUCCESS;
}
EXPORT CUresult cuModuleUnload(CUmodule module) {
  return delete reinterpret_cast<Module*>(module), CUDA_SUCCESS;
}
EXPORT CUresult cuModuleGetFunction(CUfunction* function, CUmodule module, const char* name) {
  auto& loaded = *reinterpret_cast<Module*>(module);
  std::lock_guard lock(loaded.mutex);
  Function& found = loaded.functions[name];
  found.name = name;
  found.busy = found.name == "busy";
  return *function = reinterpret_cast<CUfunction>(&found), CUDA_SUCCESS;
}
EXPORT CUresult cuFuncGetName(const char** name, CUfunction function) {
  return *name = reinterpret_cast<Function*>(function)->name.c_str(), CUDA_SUCCESS;
}
// What the benchmarks' kernels take: three addresses and a number.
EXPORT CUresult cuFuncGetParamInfo(CUfunction, size_t index, size_t* offset, size_t* size) {
  if (index > 3) return CUDA_ERROR_INVALID_VALUE;
  *offset = index * 8;
  *size = index < 3 ? 8 : 4;
  return CUDA_SUCCESS;
}
EXPORT CUresult cuFuncGetAttribute(int* value, CUfunction_attribute id, CUfunction) {
  return *value = id == CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK ? 1024 : 0, CUDA_SUCCESS;
}
EXPORT CUresult cuLaunchKernel(CUfunction function, unsigned grid_x, unsigned, unsigned, unsigned, unsigned,
                               unsigned, unsigned, CUstream stream, void**, void**) {
  return launch(function, grid_x, stream);
}
EXPORT CUresult cuLaunchKernelEx(const CUlaunchConfig* config, CUfunction function, void**, void**) {
  return launch(function, config->gridDimX, config->hStream);
}

EXPORT CUresult cuMemAlloc_v2(CUdeviceptr* address, size_t bytes) {
  Device& d = device();
  if (bytes == 0) return CUDA_ERROR_INVALID_VALUE;
  if (d.used_bytes.fetch_add(bytes) + bytes > kMemoryBytes)
    return d.used_bytes -= bytes, CUDA_ERROR_OUT_OF_MEMORY;
  *address = d.next_address.fetch_add((bytes + kGranularity - 1) / kGranularity * kGranularity);
  std::lock_guard lock(d.mutex);
  d.allocations[*address] = bytes;
  return CUDA_SUCCESS;
}
EXPORT CUresult cuMemFree_v2(CUdeviceptr address) {
  Device& d = device();
  std::lock_guard lock(d.mutex);
  const auto found = d.allocations.find(address);
  if (found == d.allocations.end()) return CUDA_ERROR_INVALID_VALUE;
  d.used_bytes -= found->second;
  d.allocations.erase(found);
  return CUDA_SUCCESS;
}
EXPORT CUresult cuMemGetInfo_v2(size_t* free, size_t* total) {
  *total = kMemoryBytes;
  *free = kMemoryBytes - device().used_bytes.load();
  return CUDA_SUCCESS;
}
EXPORT CUresult cuMemcpyHtoDAsync_v2(CUdeviceptr, const void*, size_t, CUstream) { return CUDA_SUCCESS; }
EXPORT CUresult cuMemcpyDtoHAsync_v2(void*, CUdeviceptr, size_t, CUstream) { return CUDA_SUCCESS; }
EXPORT CUresult cuMemcpyDtoDAsync_v2(CUdeviceptr, CUdeviceptr, size_t, CUstream) { return CUDA_SUCCESS; }
EXPORT CUresult cuMemsetD8Async(CUdeviceptr, unsigned char, size_t, CUstream) { return CUDA_SUCCESS; }

EXPORT CUresult cuStreamCreate(CUstream* stream, unsigned) {
  return *stream = reinterpret_cast<CUstream>(new Stream), CUDA_SUCCESS;
}
EXPORT CUresult cuStreamDestroy_v2(CUstream stream) { return delete &stream_of(stream), CUDA_SUCCESS; }
EXPORT CUresult cuStreamSynchronize(CUstream stream) {
  return wait_until(&stream_of(stream) == &device().legacy ? device().all_done_ns.load()
                                                           : stream_of(stream).done_ns.load()),
         CUDA_SUCCESS;
}
EXPORT CUresult cuStreamQuery(CUstream stream) { return when_done(stream_of(stream).done_ns.load()); }
EXPORT CUresult cuStreamWaitEvent(CUstream stream, CUevent event, unsigned) {
  return raise_to(stream_of(stream).done_ns, reinterpret_cast<Event*>(event)->at_ns.load()), CUDA_SUCCESS;
}
EXPORT CUresult cuEventCreate(CUevent* event, unsigned) {
  return *event = reinterpret_cast<CUevent>(new Event), CUDA_SUCCESS;
}
EXPORT CUresult cuEventDestroy_v2(CUevent event) {
  return delete reinterpret_cast<Event*>(event), CUDA_SUCCESS;
}
EXPORT CUresult cuEventRecord(CUevent event, CUstream stream) {
  reinterpret_cast<Event*>(event)->at_ns = std::max(monotonic_ns(), stream_of(stream).done_ns.load());
  return CUDA_SUCCESS;
}
EXPORT CUresult cuEventQuery(CUevent event) {
  return when_done(reinterpret_cast<Event*>(event)->at_ns.load());
}
EXPORT CUresult cuEventSynchronize(CUevent event) {
  return wait_until(reinterpret_cast<Event*>(event)->at_ns.load()), CUDA_SUCCESS;
}
EXPORT CUresult cuEventElapsedTime(float* ms, CUevent start, CUevent end) {
  const auto at = [](CUevent event) {
    return static_cast<double>(reinterpret_cast<Event*>(event)->at_ns.load());
  };
  return *ms = static_cast<float>((at(end) - at(start)) / 1e6), CUDA_SUCCESS;
}

EXPORT CUresult cuStreamIsCapturing(CUstream stream, CUstreamCaptureStatus* status) {
  *status = stream_of(stream).capturing ? CU_STREAM_CAPTURE_STATUS_ACTIVE : CU_STREAM_CAPTURE_STATUS_NONE;
  return CUDA_SUCCESS;
}
EXPORT CUresult cuStreamBeginCapture_v2(CUstream stream, CUstreamCaptureMode) {
  stream_of(stream).capturing = true;
  stream_of(stream).captured_ns = 0;
  return CUDA_SUCCESS;
}
EXPORT CUresult cuStreamEndCapture(CUstream stream, CUgraph* graph) {
  stream_of(stream).capturing = false;
  return *graph = reinterpret_cast<CUgraph>(new Graph{stream_of(stream).captured_ns}), CUDA_SUCCESS;
}
EXPORT CUresult cuGraphDestroy(CUgraph graph) { return delete reinterpret_cast<Graph*>(graph), CUDA_SUCCESS; }
EXPORT CUresult cuGraphInstantiateWithFlags(CUgraphExec* exec, CUgraph graph, unsigned long long) {
  return *exec = reinterpret_cast<CUgraphExec>(new Graph(*reinterpret_cast<Graph*>(graph))), CUDA_SUCCESS;
}
EXPORT CUresult cuGraphExecDestroy(CUgraphExec exec) {
  return delete reinterpret_cast<Graph*>(exec), CUDA_SUCCESS;
}
EXPORT CUresult cuGraphLaunch(CUgraphExec exec, CUstream stream) {
  return run_for(stream_of(stream), reinterpret_cast<Graph*>(exec)->ns), CUDA_SUCCESS;
}
