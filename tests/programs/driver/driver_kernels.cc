// The main path through the driver API, with kernels from tests/programs/ptx: modules, launches,
// copies, globals, streams and events. Needs no toolkit to build, so it runs everywhere.
#include <cstring>
#include <numeric>

#include "driver.h"

namespace {

void check_vector_add(CUmodule module) {
  unsigned count = 10007;
  std::vector<float> a(count), b(count);
  for (unsigned i = 0; i < count; ++i) {
    a[i] = static_cast<float>(i);
    b[i] = static_cast<float>(i) * 0.5f;
  }
  CUdeviceptr device_a = upload(a), device_b = upload(b), device_c = upload(std::vector<float>(count));
  launch(function_of(module, "vector_add"), (count + 127) / 128, 128,
         {&device_a, &device_b, &device_c, &count});
  const std::vector<float> c = download<float>(device_c, count);
  int wrong = 0;
  for (unsigned i = 0; i < count; ++i) wrong += c[i] != a[i] + b[i];
  std::printf("vector_add: %d of %u wrong\n", wrong, count);
  EXPECT(wrong == 0);
  for (CUdeviceptr address : {device_a, device_b, device_c}) MUST(DRIVER(cuMemFree_v2)(address));
}

// The same launch with a packed parameter buffer.
void check_parameter_buffer(CUmodule module) {
  constexpr unsigned kCount = 256;
  const std::vector<float> a(kCount, 1.5f), b(kCount, 2.0f);
  struct {
    CUdeviceptr a, b, c;
    unsigned count;
  } parameters = {upload(a), upload(b), upload(std::vector<float>(kCount)), kCount};
  size_t bytes = 28;
  void* extra[] = {CU_LAUNCH_PARAM_BUFFER_POINTER, &parameters, CU_LAUNCH_PARAM_BUFFER_SIZE, &bytes,
                   CU_LAUNCH_PARAM_END};
  MUST(DRIVER(cuLaunchKernel)(function_of(module, "vector_add"), 2, 1, 1, 128, 1, 1, 0, nullptr, nullptr,
                              extra));
  EXPECT(download<float>(parameters.c, kCount) == std::vector<float>(kCount, 3.5f));
  std::printf("parameter buffer done\n");
  for (CUdeviceptr address : {parameters.a, parameters.b, parameters.c}) MUST(DRIVER(cuMemFree_v2)(address));
}

void check_block_sum(CUmodule module) {
  constexpr unsigned kBlocks = 12, kBlock = 256;
  std::vector<unsigned> values(kBlocks * kBlock);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<unsigned>(i * i % 97);
  CUdeviceptr device_values = upload(values), sums = upload(std::vector<unsigned>(kBlocks));
  launch(function_of(module, "block_sum"), kBlocks, kBlock, {&device_values, &sums});
  const std::vector<unsigned> got = download<unsigned>(sums, kBlocks);
  for (unsigned block = 0; block < kBlocks; ++block) {
    EXPECT(got[block] == std::accumulate(&values[block * kBlock], &values[block * kBlock] + kBlock, 0u));
  }
  std::printf("block_sum done\n");
  MUST(DRIVER(cuMemFree_v2)(device_values));
  MUST(DRIVER(cuMemFree_v2)(sums));
}

void check_histogram_and_globals(CUmodule module) {
  unsigned count = 5000;
  std::vector<unsigned> values(count), expected(16);
  for (unsigned i = 0; i < count; ++i) {
    values[i] = i * 2654435761u >> 7;
    ++expected[values[i] % 16];
  }
  CUdeviceptr device_values = upload(values), bins = upload(std::vector<unsigned>(16));
  launch(function_of(module, "histogram"), 20, 256, {&device_values, &bins, &count});
  EXPECT(download<unsigned>(bins, 16) == expected);

  CUdeviceptr launches = 0;
  size_t bytes = 0;
  MUST(DRIVER(cuModuleGetGlobal_v2)(&launches, &bytes, module, "launches"));
  EXPECT(bytes == 4);
  EXPECT(download<unsigned>(launches, 1)[0] == 20);
  CUdeviceptr factors = 0;
  MUST(DRIVER(cuModuleGetGlobal_v2)(&factors, &bytes, module, "factors"));
  EXPECT(bytes == 16);
  EXPECT(download<float>(factors, 4) == (std::vector<float>{1, 2, 4, 8}));
  const float changed[4] = {1, 2, 4, 16};
  MUST(DRIVER(cuMemcpyHtoD_v2)(factors, changed, sizeof changed));
  unsigned eight = 8;
  CUdeviceptr data = upload(std::vector<float>(eight, 1.0f));
  launch(function_of(module, "scale"), 1, 32, {&data, &eight});
  EXPECT(download<float>(data, eight) == (std::vector<float>{1, 2, 4, 16, 1, 2, 4, 16}));
  std::printf("histogram and globals done\n");
  for (CUdeviceptr address : {device_values, bins, data}) MUST(DRIVER(cuMemFree_v2)(address));
}

void check_streams_and_events(CUmodule module) {
  CUstream first = nullptr, second = nullptr;
  CUevent start = nullptr, end = nullptr;
  MUST(DRIVER(cuStreamCreate)(&first, CU_STREAM_NON_BLOCKING));
  MUST(DRIVER(cuStreamCreate)(&second, CU_STREAM_NON_BLOCKING));
  MUST(DRIVER(cuEventCreate)(&start, CU_EVENT_DEFAULT));
  MUST(DRIVER(cuEventCreate)(&end, CU_EVENT_DEFAULT));
  unsigned count = 1000;
  CUdeviceptr data = upload(std::vector<float>(count, 1.0f));
  const CUfunction scale = function_of(module, "scale");
  MUST(DRIVER(cuEventRecord)(start, first));
  launch(scale, 8, 128, {&data, &count}, first);
  MUST(DRIVER(cuEventRecord)(end, first));
  MUST(DRIVER(cuStreamWaitEvent)(second, end, 0));
  launch(scale, 8, 128, {&data, &count}, second);
  MUST(DRIVER(cuStreamSynchronize)(second));
  const std::vector<float> got = download<float>(data, 4);
  EXPECT(got == (std::vector<float>{1, 4, 16, 256}));
  float ms = -1;
  MUST(DRIVER(cuEventElapsedTime_v2)(&ms, start, end));
  EXPECT(ms >= 0);
  std::vector<float> host(count, 3.0f);
  MUST(DRIVER(cuMemcpyHtoDAsync_v2)(data, host.data(), count * sizeof(float), first));
  MUST(DRIVER(cuMemsetD32Async)(data, 0x40000000, 10, first));  // 2.0f
  MUST(DRIVER(cuMemcpyDtoHAsync_v2)(host.data(), data, count * sizeof(float), first));
  MUST(DRIVER(cuStreamSynchronize)(first));
  EXPECT(host[0] == 2.0f && host[9] == 2.0f && host[10] == 3.0f);
  MUST(DRIVER(cuMemFree_v2)(data));
  MUST(DRIVER(cuEventDestroy_v2)(start));
  MUST(DRIVER(cuEventDestroy_v2)(end));
  MUST(DRIVER(cuStreamDestroy_v2)(first));
  MUST(DRIVER(cuStreamDestroy_v2)(second));
  std::printf("streams and events done\n");
}

// A synchronous copy is over when it returns, so a stream that waits for no other sees its data, even
// if the copy itself had to wait behind a long kernel.
void check_synchronous_copy(CUmodule module) {
  CUstream stream = nullptr;
  MUST(DRIVER(cuStreamCreate)(&stream, CU_STREAM_NON_BLOCKING));
  unsigned count = 100;
  uint64_t rounds = 200'000;
  CUdeviceptr data = upload(std::vector<float>(count, 0.0f)), turns = upload(std::vector<uint64_t>(1));
  launch(function_of(module, "spin"), 1, 1, {&turns, &rounds});
  const std::vector<float> threes(count, 3.0f);
  MUST(DRIVER(cuMemcpyHtoD_v2)(data, threes.data(), count * sizeof(float)));
  launch(function_of(module, "scale"), 1, 128, {&data, &count}, stream);
  MUST(DRIVER(cuStreamSynchronize)(stream));
  EXPECT(download<float>(data, 3) == (std::vector<float>{3, 6, 12}));
  EXPECT(download<uint64_t>(turns, 1)[0] == rounds);
  MUST(DRIVER(cuMemFree_v2)(data));
  MUST(DRIVER(cuMemFree_v2)(turns));
  MUST(DRIVER(cuStreamDestroy_v2)(stream));
  std::printf("synchronous copy done\n");
}

void check_contexts(CUdevice device) {
  CUcontext before = nullptr, own = nullptr, current = nullptr;
  MUST(DRIVER(cuCtxGetCurrent)(&before));
  MUST(DRIVER(cuCtxCreate_v2)(&own, 0, device));
  MUST(DRIVER(cuCtxGetCurrent)(&current));
  EXPECT(current == own && own != before);
  CUdeviceptr memory = 0;
  MUST(DRIVER(cuMemAlloc_v2)(&memory, 1000));
  MUST(DRIVER(cuMemFree_v2)(memory));
  MUST(DRIVER(cuCtxPopCurrent_v2)(&current));
  EXPECT(current == own);
  MUST(DRIVER(cuCtxGetCurrent)(&current));
  EXPECT(current == before);
  MUST(DRIVER(cuCtxDestroy_v2)(own));
  EXPECT_ERROR(CUDA_ERROR_INVALID_CONTEXT, DRIVER(cuCtxSetCurrent)(own));
  std::printf("contexts done\n");
}

}  // namespace

int main(int argc, char** argv) {
  const std::string ptx = read_text(argc > 1 ? argv[1] : OUTBOARD_TEST_PTX);
  const CUdevice device = open_device();
  CUmodule module = nullptr;
  MUST(DRIVER(cuModuleLoadData)(&module, ptx.c_str()));
  check_vector_add(module);
  check_parameter_buffer(module);
  check_block_sum(module);
  check_histogram_and_globals(module);
  check_streams_and_events(module);
  check_synchronous_copy(module);
  check_contexts(device);
  MUST(DRIVER(cuModuleUnload)(module));
  MUST(DRIVER(cuCtxSynchronize)());
  MUST(DRIVER(cuDevicePrimaryCtxRelease_v2)(device));
  return verdict("driver_kernels");
}
