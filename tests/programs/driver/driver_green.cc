// Green contexts: a device's multiprocessors are split, and work runs on the part that it was given.
#include <algorithm>
#include <cstring>
#include <set>

#include "driver.h"

namespace {

constexpr unsigned kGrid = 64;

// Each block says where it runs: out[block] = its multiprocessor, while counting how many run at once.
constexpr const char* kPtx = R"(
.version 8.0
.target sm_70
.address_size 64
.visible .global .align 4 .u32 running = 0;
.visible .global .align 4 .u32 most = 0;
.visible .entry where(.param .u64 out, .param .u32 turns)
{
  .reg .b32 %r<8>; .reg .b64 %a<4>; .reg .pred %p;
  mov.u64 %a0, running;
  atom.global.add.u32 %r0, [%a0], 1;
  add.u32 %r0, %r0, 1;
  mov.u64 %a1, most;
  atom.global.max.u32 %r1, [%a1], %r0;
  ld.param.u32 %r2, [turns];
  mov.u32 %r3, 0;
TURN:
  add.u32 %r3, %r3, 1;
  setp.lt.u32 %p, %r3, %r2;
  @%p bra TURN;
  atom.global.add.u32 %r1, [%a0], -1;
  mov.u32 %r4, %smid;
  mov.u32 %r5, %ctaid.x;
  mul.wide.u32 %a2, %r5, 4;
  ld.param.u64 %a3, [out];
  add.u64 %a3, %a3, %a2;
  st.global.u32 [%a3], %r4;
  ret;
}
)";

CUdevice g_device = 0;
CUcontext g_primary = nullptr;
CUmodule g_module = nullptr;
CUdeviceptr g_out = 0;

CUdevResource whole_device() {
  CUdevResource resource{};
  MUST(DRIVER(cuDeviceGetDevResource)(g_device, &resource, CU_DEV_RESOURCE_TYPE_SM));
  return resource;
}

std::vector<uint32_t> numbers_of(uint32_t count) {
  std::vector<uint32_t> numbers(count);
  for (uint32_t i = 0; i < count; ++i) numbers[i] = i * i + 3;
  return numbers;
}

CUgreenCtx green_of(std::vector<CUdevResource> resources) {
  CUdevResourceDesc description = nullptr;
  CUgreenCtx green = nullptr;
  MUST(DRIVER(cuDevResourceGenerateDesc)(&description, resources.data(),
                                         static_cast<unsigned>(resources.size())));
  MUST(DRIVER(cuGreenCtxCreate)(&green, description, g_device, CU_GREEN_CTX_DEFAULT_STREAM));
  return green;
}

CUstream stream_of(CUgreenCtx green) {
  CUstream stream = nullptr;
  MUST(DRIVER(cuGreenCtxStreamCreate)(&stream, green, CU_STREAM_NON_BLOCKING, 0));
  return stream;
}

uint32_t variable(const char* name) {
  CUdeviceptr address = 0;
  size_t bytes = 0;
  MUST(DRIVER(cuModuleGetGlobal_v2)(&address, &bytes, g_module, name));
  const uint32_t value = download<uint32_t>(address, 1)[0];
  MUST(DRIVER(cuMemsetD32_v2)(address, 0, 1));
  MUST(DRIVER(cuCtxSynchronize)());
  return value;
}

// The multiprocessors that a grid in the stream says it ran on.
std::set<uint32_t> places(CUstream stream) {
  unsigned turns = 2000;
  launch(function_of(g_module, "where"), kGrid, 1, {&g_out, &turns}, stream);
  MUST(DRIVER(cuStreamSynchronize)(stream));
  const auto got = download<uint32_t>(g_out, kGrid);
  return {got.begin(), got.end()};
}

void check_resources(unsigned count) {
  const CUdevResource whole = whole_device();
  EXPECT(whole.type == CU_DEV_RESOURCE_TYPE_SM && whole.sm.smCount == count);
  EXPECT(whole.sm.minSmPartitionSize >= 1 && whole.sm.smCoscheduledAlignment >= 1);
  CUdevResource of_context{}, rest{};
  MUST(DRIVER(cuCtxGetDevResource)(g_primary, &of_context, CU_DEV_RESOURCE_TYPE_SM));
  EXPECT(std::memcmp(&whole, &of_context, sizeof whole) == 0);
  EXPECT_ERROR(CUDA_ERROR_INVALID_RESOURCE_TYPE,
               DRIVER(cuDeviceGetDevResource)(g_device, &of_context, CU_DEV_RESOURCE_TYPE_INVALID));
  EXPECT_ERROR(CUDA_ERROR_INVALID_DEVICE,
               DRIVER(cuDeviceGetDevResource)(1000, &of_context, CU_DEV_RESOURCE_TYPE_SM));
  EXPECT_ERROR(CUDA_ERROR_INVALID_VALUE,
               DRIVER(cuDeviceGetDevResource)(g_device, nullptr, CU_DEV_RESOURCE_TYPE_SM));
  EXPECT_ERROR(CUDA_ERROR_INVALID_CONTEXT,
               DRIVER(cuCtxGetDevResource)(nullptr, &of_context, CU_DEV_RESOURCE_TYPE_SM));

  // How many groups of one could there be; and all of them, with one left.
  unsigned groups = 0;
  MUST(DRIVER(cuDevSmResourceSplitByCount)(nullptr, &groups, &whole, nullptr, 0, 1));
  EXPECT(groups == count);
  std::vector<CUdevResource> parts(count);
  groups = count - 1;
  MUST(DRIVER(cuDevSmResourceSplitByCount)(parts.data(), &groups, &whole, &rest, 0, 1));
  EXPECT(groups == count - 1 && rest.sm.smCount == 1);
  for (unsigned i = 0; i < groups; ++i)
    EXPECT(parts[i].type == CU_DEV_RESOURCE_TYPE_SM && parts[i].sm.smCount == 1);
  // More are asked for than there are.
  groups = count;
  MUST(DRIVER(cuDevSmResourceSplitByCount)(parts.data(), &groups, &whole, &rest, 0, count));
  EXPECT(groups == 1 && parts[0].sm.smCount == count);

  groups = 1;
  EXPECT_ERROR(CUDA_ERROR_INVALID_VALUE,
               DRIVER(cuDevSmResourceSplitByCount)(parts.data(), &groups, &whole, &rest, 0, count + 1));
  EXPECT_ERROR(CUDA_ERROR_INVALID_VALUE,
               DRIVER(cuDevSmResourceSplitByCount)(parts.data(), &groups, &whole, &rest, 1u << 30, 1));
  EXPECT_ERROR(CUDA_ERROR_INVALID_VALUE,
               DRIVER(cuDevSmResourceSplitByCount)(parts.data(), nullptr, &whole, &rest, 0, 1));
  CUdevResource nothing{};
  EXPECT_ERROR(CUDA_ERROR_INVALID_RESOURCE_TYPE,
               DRIVER(cuDevSmResourceSplitByCount)(parts.data(), &groups, &nothing, &rest, 0, 1));
  // What a split has made cannot be split again.
  const CUdevResource part = parts[0];
  EXPECT_ERROR(CUDA_ERROR_INVALID_RESOURCE_CONFIGURATION,
               DRIVER(cuDevSmResourceSplitByCount)(parts.data(), &groups, &part, &rest, 0, 1));

  // A description takes parts of one split only.
  CUdevResourceDesc description = nullptr;
  CUdevResource of_two_splits[2]{};
  for (CUdevResource& one : of_two_splits) {
    groups = 1;
    MUST(DRIVER(cuDevSmResourceSplitByCount)(&one, &groups, &whole, nullptr, 0, 1));
  }
  EXPECT_ERROR(CUDA_ERROR_INVALID_RESOURCE_CONFIGURATION,
               DRIVER(cuDevResourceGenerateDesc)(&description, of_two_splits, 2));
  EXPECT_ERROR(CUDA_ERROR_INVALID_RESOURCE_TYPE,
               DRIVER(cuDevResourceGenerateDesc)(&description, &nothing, 1));
  EXPECT_ERROR(CUDA_ERROR_INVALID_VALUE, DRIVER(cuDevResourceGenerateDesc)(nullptr, of_two_splits, 1));
  std::printf("resources done\n");
}

// Two disjoint parts, by streams of their own and by contexts that are made current.
void check_partition(unsigned count) {
  const CUdevResource whole = whole_device();
  CUdevResource half{}, rest{}, told{};
  unsigned groups = 1;
  MUST(DRIVER(cuDevSmResourceSplitByCount)(&half, &groups, &whole, &rest, 0, count / 2));
  const CUgreenCtx one = green_of({half}), other = green_of({rest}), all = green_of({half, rest});
  MUST(DRIVER(cuGreenCtxGetDevResource)(one, &told, CU_DEV_RESOURCE_TYPE_SM));
  EXPECT(told.sm.smCount == count / 2);
  MUST(DRIVER(cuGreenCtxGetDevResource)(all, &told, CU_DEV_RESOURCE_TYPE_SM));
  EXPECT(told.sm.smCount == count);

  const CUstream of_one = stream_of(one), of_other = stream_of(other), again = stream_of(one);
  (void)variable("most");
  const std::set<uint32_t> here = places(of_one), there = places(of_other);
  EXPECT(here.size() == count / 2 && there.size() == count - count / 2);
  EXPECT(std::none_of(here.begin(), here.end(), [&](uint32_t place) { return there.count(place) != 0; }));
  EXPECT(places(nullptr).size() == count);
  EXPECT(places(stream_of(all)).size() == count);

  // Two streams of one part share it.
  (void)variable("most");
  unsigned turns = 200'000;
  for (CUstream stream : {of_one, again, of_one, again})
    launch(function_of(g_module, "where"), kGrid, 1, {&g_out, &turns}, stream);
  MUST(DRIVER(cuStreamSynchronize)(of_one));
  MUST(DRIVER(cuStreamSynchronize)(again));
  const uint32_t at_once = variable("most");
  EXPECT(at_once >= 1 && at_once <= count / 2);
  EXPECT(variable("running") == 0);

  // What a green context has can be split once more.
  MUST(DRIVER(cuGreenCtxGetDevResource)(other, &told, CU_DEV_RESOURCE_TYPE_SM));
  groups = 1;
  MUST(DRIVER(cuDevSmResourceSplitByCount)(&half, &groups, &told, nullptr, 0, 1));
  const CUgreenCtx inner = green_of({half});
  const std::set<uint32_t> inside = places(stream_of(inner));
  EXPECT(inside.size() == 1 && there.count(*inside.begin()) == 1);
  for (CUgreenCtx green : {inner, all, other, one}) MUST(DRIVER(cuGreenCtxDestroy)(green));
  std::printf("partitions done\n");
}

void check_contexts() {
  const CUdevResource whole = whole_device();
  CUdevResource part{};
  unsigned groups = 1;
  MUST(DRIVER(cuDevSmResourceSplitByCount)(&part, &groups, &whole, nullptr, 0, 1));
  const CUgreenCtx green = green_of({part}), other = green_of({part});
  unsigned long long id = 0, other_id = 0, current_id = 0;
  MUST(DRIVER(cuGreenCtxGetId)(green, &id));
  MUST(DRIVER(cuGreenCtxGetId)(other, &other_id));
  EXPECT(id != other_id);
  EXPECT_ERROR(CUDA_ERROR_INVALID_CONTEXT, DRIVER(cuGreenCtxGetId)(nullptr, &current_id));

  CUcontext context = nullptr, again = nullptr, found = nullptr;
  MUST(DRIVER(cuCtxFromGreenCtx)(&context, green));
  MUST(DRIVER(cuCtxFromGreenCtx)(&again, green));
  EXPECT(context != nullptr && context == again && context != g_primary);
  MUST(DRIVER(cuCtxPushCurrent_v2)(context));
  MUST(DRIVER(cuCtxGetCurrent)(&found));
  EXPECT(found == context);
  MUST(DRIVER(cuGreenCtxGetId)(nullptr, &current_id));
  EXPECT(current_id == id);
  CUdevice device = -1;
  MUST(DRIVER(cuCtxGetDevice)(&device));
  EXPECT(device == g_device);
  CUdevResource told{};
  MUST(DRIVER(cuCtxGetDevResource)(context, &told, CU_DEV_RESOURCE_TYPE_SM));
  EXPECT(told.sm.smCount == 1);

  // Its default stream, and streams that are made now, are the green context's.
  CUstream stream = nullptr;
  CUgreenCtx of_stream = nullptr;
  MUST(DRIVER(cuStreamCreate)(&stream, 0));
  MUST(DRIVER(cuStreamGetGreenCtx)(stream, &of_stream));
  EXPECT(of_stream == green);
  MUST(DRIVER(cuStreamGetGreenCtx)(nullptr, &of_stream));
  EXPECT(of_stream == green);
  MUST(DRIVER(cuStreamGetCtx_v2)(stream, &found, &of_stream));
  EXPECT(found == g_primary && of_stream == green);
  MUST(DRIVER(cuStreamGetCtx_v2)(nullptr, &found, &of_stream));
  EXPECT(found == g_primary && of_stream == green);
  MUST(DRIVER(cuStreamGetCtx)(stream, &found));
  EXPECT(found == context);
  EXPECT(places(stream).size() == 1);
  EXPECT(places(nullptr) == places(stream));
  // Memory, events and code are the primary context's.
  CUdeviceptr memory = upload(numbers_of(100));
  CUcontext of_memory = nullptr;
  MUST(DRIVER(cuPointerGetAttribute)(&of_memory, CU_POINTER_ATTRIBUTE_CONTEXT, memory));
  EXPECT(of_memory == g_primary);
  CUmodule module = nullptr;
  MUST(DRIVER(cuModuleLoadData)(&module, kPtx));
  CUevent event = nullptr;
  MUST(DRIVER(cuEventCreate)(&event, CU_EVENT_DISABLE_TIMING));
  MUST(DRIVER(cuEventRecord)(event, stream));
  MUST(DRIVER(cuCtxSynchronize)());
  MUST(DRIVER(cuEventQuery)(event));
  EXPECT_ERROR(CUDA_ERROR_INVALID_CONTEXT, DRIVER(cuCtxDestroy_v2)(context));
  MUST(DRIVER(cuStreamDestroy_v2)(stream));
  MUST(DRIVER(cuCtxPopCurrent_v2)(&found));
  EXPECT(found == context);
  MUST(DRIVER(cuStreamGetGreenCtx)(nullptr, &of_stream));
  EXPECT(of_stream == nullptr);

  MUST(DRIVER(cuGreenCtxDestroy)(green));
  EXPECT_ERROR(CUDA_ERROR_INVALID_CONTEXT, DRIVER(cuCtxSetCurrent)(context));
  EXPECT_ERROR(CUDA_ERROR_INVALID_CONTEXT, DRIVER(cuCtxFromGreenCtx)(&again, green));
  EXPECT_ERROR(CUDA_ERROR_INVALID_CONTEXT, DRIVER(cuGreenCtxDestroy)(green));
  EXPECT(download<uint32_t>(memory, 100) == numbers_of(100));
  MUST(DRIVER(cuEventQuery)(event));
  CUfunction function = nullptr;
  MUST(DRIVER(cuModuleGetFunction)(&function, module, "where"));
  MUST(DRIVER(cuModuleUnload)(module));
  MUST(DRIVER(cuEventDestroy_v2)(event));
  MUST(DRIVER(cuMemFree_v2)(memory));
  MUST(DRIVER(cuGreenCtxDestroy)(other));
  std::printf("contexts done\n");
}

// An event stands behind all of a green context's streams, and all of them can be made to wait.
void check_events() {
  const CUgreenCtx green = green_of({whole_device()});
  const CUstream first = stream_of(green), second = stream_of(green);
  CUstream outside = nullptr;
  CUevent event = nullptr;
  CUdeviceptr memory = 0;
  MUST(DRIVER(cuStreamCreate)(&outside, CU_STREAM_NON_BLOCKING));
  MUST(DRIVER(cuEventCreate)(&event, CU_EVENT_DISABLE_TIMING));
  MUST(DRIVER(cuMemAlloc_v2)(&memory, 16));
  MUST(DRIVER(cuMemsetD8_v2)(memory, 0, 16));
  MUST(DRIVER(cuCtxSynchronize)());
  MUST(DRIVER(cuStreamWaitValue32_v2)(second, memory, 1, CU_STREAM_WAIT_VALUE_EQ));
  MUST(DRIVER(cuGreenCtxRecordEvent)(green, event));
  EXPECT_ERROR(CUDA_ERROR_NOT_READY, DRIVER(cuEventQuery)(event));
  MUST(DRIVER(cuStreamWriteValue32_v2)(outside, memory, 1, 0));
  MUST(DRIVER(cuEventSynchronize)(event));
  MUST(DRIVER(cuStreamQuery)(second));

  MUST(DRIVER(cuStreamWaitValue32_v2)(outside, memory + 4, 1, CU_STREAM_WAIT_VALUE_EQ));
  MUST(DRIVER(cuEventRecord)(event, outside));
  MUST(DRIVER(cuGreenCtxWaitEvent)(green, event));
  MUST(DRIVER(cuMemsetD32Async)(memory + 8, 5, 1, first));
  EXPECT_ERROR(CUDA_ERROR_NOT_READY, DRIVER(cuStreamQuery)(first));
  MUST(DRIVER(cuMemsetD32_v2)(memory + 4, 1, 1));
  MUST(DRIVER(cuStreamSynchronize)(first));
  EXPECT(download<uint32_t>(memory, 3)[2] == 5);

  // A capture forbids both.
  CUgraph graph = nullptr;
  MUST(DRIVER(cuStreamBeginCapture_v2)(first, CU_STREAM_CAPTURE_MODE_RELAXED));
  EXPECT_ERROR(CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, DRIVER(cuGreenCtxRecordEvent)(green, event));
  EXPECT_ERROR(CUDA_ERROR_STREAM_CAPTURE_INVALIDATED, DRIVER(cuStreamEndCapture)(first, &graph));
  EXPECT_ERROR(CUDA_ERROR_INVALID_HANDLE, DRIVER(cuGreenCtxRecordEvent)(green, nullptr));
  EXPECT_ERROR(CUDA_ERROR_INVALID_HANDLE, DRIVER(cuGreenCtxWaitEvent)(green, nullptr));
  EXPECT_ERROR(CUDA_ERROR_INVALID_CONTEXT, DRIVER(cuGreenCtxRecordEvent)(nullptr, event));
  MUST(DRIVER(cuStreamDestroy_v2)(first));
  MUST(DRIVER(cuEventDestroy_v2)(event));
  MUST(DRIVER(cuMemFree_v2)(memory));
  // A stream that is left over is of no use.
  MUST(DRIVER(cuGreenCtxDestroy)(green));
  EXPECT_ERROR(CUDA_ERROR_CONTEXT_IS_DESTROYED, DRIVER(cuStreamQuery)(second));
  std::printf("events done\n");
}

void check_refusals() {
  CUgreenCtx green = nullptr;
  CUdevResource whole = whole_device();
  CUdevResourceDesc description = nullptr;
  CUstream stream = nullptr;
  MUST(DRIVER(cuDevResourceGenerateDesc)(&description, &whole, 1));
  EXPECT_ERROR(CUDA_ERROR_INVALID_VALUE, DRIVER(cuGreenCtxCreate)(&green, description, g_device, 0));
  EXPECT_ERROR(CUDA_ERROR_INVALID_DEVICE,
               DRIVER(cuGreenCtxCreate)(&green, description, 1000, CU_GREEN_CTX_DEFAULT_STREAM));
  EXPECT_ERROR(CUDA_ERROR_INVALID_VALUE,
               DRIVER(cuGreenCtxCreate)(nullptr, description, g_device, CU_GREEN_CTX_DEFAULT_STREAM));
  green = green_of({whole});
  EXPECT_ERROR(CUDA_ERROR_INVALID_VALUE, DRIVER(cuGreenCtxStreamCreate)(&stream, green, 0, 0));
  EXPECT_ERROR(CUDA_ERROR_INVALID_CONTEXT,
               DRIVER(cuGreenCtxStreamCreate)(&stream, nullptr, CU_STREAM_NON_BLOCKING, 0));
  EXPECT_ERROR(CUDA_ERROR_INVALID_RESOURCE_TYPE,
               DRIVER(cuGreenCtxGetDevResource)(green, &whole, CU_DEV_RESOURCE_TYPE_INVALID));
  MUST(DRIVER(cuGreenCtxDestroy)(green));
  EXPECT_ERROR(CUDA_ERROR_INVALID_CONTEXT,
               DRIVER(cuGreenCtxGetDevResource)(green, &whole, CU_DEV_RESOURCE_TYPE_SM));
  std::printf("refusals done\n");
}

}  // namespace

int main() {
  g_device = open_device();
  MUST(DRIVER(cuCtxGetCurrent)(&g_primary));
  MUST(DRIVER(cuModuleLoadData)(&g_module, kPtx));
  MUST(DRIVER(cuMemAlloc_v2)(&g_out, kGrid * 4));
  int count = 0;
  MUST(DRIVER(cuDeviceGetAttribute)(&count, CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, g_device));
  if (count < 4) {
    std::printf("The device has %d multiprocessors; a split is worth looking at from four on.\n", count);
    return 77;
  }
  check_resources(static_cast<unsigned>(count));
  check_partition(static_cast<unsigned>(count));
  check_contexts();
  check_events();
  check_refusals();
  MUST(DRIVER(cuMemFree_v2)(g_out));
  return verdict("driver_green");
}
