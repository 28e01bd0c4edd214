#include <atomic>
#include <thread>

#include "tests/softgpu/driver/driver_fixture.h"

namespace outboard::softgpu {
namespace {

using StreamApiTest = DriverTest;

TEST_F(StreamApiTest, EventsTimeKernels) {
  CUevent start = nullptr, end = nullptr;
  ASSERT_EQ(cuEventCreate(&start, 0), CUDA_SUCCESS);
  ASSERT_EQ(cuEventCreate(&end, 0), CUDA_SUCCESS);
  const CUdeviceptr address = numbers(1000);
  float ms = -1;
  EXPECT_EQ(cuEventElapsedTime_v2(&ms, start, end), CUDA_ERROR_INVALID_HANDLE);  // not recorded
  EXPECT_EQ(cuEventRecord(start, nullptr), CUDA_SUCCESS);
  EXPECT_EQ(scale(address, 2, 1000), CUDA_SUCCESS);
  EXPECT_EQ(cuEventRecord(end, nullptr), CUDA_SUCCESS);
  EXPECT_EQ(cuEventSynchronize(end), CUDA_SUCCESS);
  EXPECT_EQ(cuEventQuery(start), CUDA_SUCCESS);
  EXPECT_EQ(cuEventElapsedTime_v2(&ms, start, end), CUDA_SUCCESS);
  EXPECT_GT(ms, 0);
  EXPECT_LT(ms, 10000);
  EXPECT_EQ(cuEventDestroy_v2(start), CUDA_SUCCESS);
  EXPECT_EQ(cuEventQuery(start), CUDA_ERROR_INVALID_HANDLE);
  EXPECT_EQ(cuEventDestroy_v2(end), CUDA_SUCCESS);
}

TEST_F(StreamApiTest, HostFunctionsRunInOrder) {
  CUstream stream = nullptr;
  ASSERT_EQ(cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING), CUDA_SUCCESS);
  struct State {
    CUdeviceptr address;
    uint32_t seen = 0;
    CUresult status = CUDA_ERROR_UNKNOWN;
  } state{numbers(64)};
  EXPECT_EQ(scale(state.address, 9, 64, stream), CUDA_SUCCESS);
  EXPECT_EQ(cuLaunchHostFunc(
                stream,
                [](void* data) {
                  auto* s = static_cast<State*>(data);
                  s->seen = *reinterpret_cast<uint32_t*>(s->address);
                },
                &state),
            CUDA_SUCCESS);
  EXPECT_EQ(
      cuStreamAddCallback(
          stream, [](CUstream, CUresult status, void* data) { static_cast<State*>(data)->status = status; },
          &state, 0),
      CUDA_SUCCESS);
  EXPECT_EQ(cuStreamSynchronize(stream), CUDA_SUCCESS);
  EXPECT_EQ(state.seen, 9u);
  EXPECT_EQ(state.status, CUDA_SUCCESS);
  EXPECT_EQ(cuStreamDestroy_v2(stream), CUDA_SUCCESS);
  EXPECT_EQ(cuStreamQuery(stream), CUDA_ERROR_INVALID_HANDLE);
}

// libgomp frees memory in its callbacks, and again later if it is told that this is not permitted.
TEST_F(StreamApiTest, FunctionsThatAStreamRunsMayNotCallCuda) {
  CUstream stream = nullptr;
  ASSERT_EQ(cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING), CUDA_SUCCESS);
  struct State {
    CUdeviceptr address;
    CUresult free = CUDA_SUCCESS, current = CUDA_SUCCESS, count = CUDA_SUCCESS;
  } states[2] = {{allocate(16)}, {allocate(16)}};
  const auto call_cuda = [](void* data) {
    auto* s = static_cast<State*>(data);
    CUcontext context = nullptr;
    int devices = 0;
    s->free = cuMemFree_v2(s->address);
    s->current = cuCtxGetCurrent(&context);
    s->count = cuDeviceGetCount(&devices);
  };
  EXPECT_EQ(cuLaunchHostFunc(stream, call_cuda, &states[0]), CUDA_SUCCESS);
  static const auto again = call_cuda;
  EXPECT_EQ(cuStreamAddCallback(
                stream, [](CUstream, CUresult, void* data) { again(data); }, &states[1], 0),
            CUDA_SUCCESS);
  EXPECT_EQ(cuStreamSynchronize(stream), CUDA_SUCCESS);
  for (const State& state : states) {
    EXPECT_EQ(state.free, CUDA_ERROR_NOT_PERMITTED);
    EXPECT_EQ(state.current, CUDA_ERROR_NOT_PERMITTED);
    EXPECT_EQ(state.count, CUDA_ERROR_NOT_PERMITTED);
    EXPECT_EQ(cuMemFree_v2(state.address), CUDA_SUCCESS);
  }
  EXPECT_EQ(cuStreamDestroy_v2(stream), CUDA_SUCCESS);
}

TEST_F(StreamApiTest, PageableSourcesMayChangeAtOnce) {
  CUstream stream = nullptr;
  ASSERT_EQ(cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING), CUDA_SUCCESS);
  static std::atomic<bool> open;
  open = false;
  EXPECT_EQ(cuLaunchHostFunc(
                stream,
                [](void*) {
                  while (!open) std::this_thread::yield();
                },
                nullptr),
            CUDA_SUCCESS);
  const CUdeviceptr address = allocate(4);
  uint32_t value = 5;
  EXPECT_EQ(cuMemcpyHtoDAsync_v2(address, &value, 4, stream), CUDA_SUCCESS);
  value = 6;
  open = true;
  EXPECT_EQ(cuStreamSynchronize(stream), CUDA_SUCCESS);
  EXPECT_EQ(read(address, 1)[0], 5u);
}

TEST_F(StreamApiTest, ValuesInMemoryOrderStreams) {
  CUstream waiter = nullptr, writer = nullptr;
  ASSERT_EQ(cuStreamCreate(&waiter, CU_STREAM_NON_BLOCKING), CUDA_SUCCESS);
  ASSERT_EQ(cuStreamCreate(&writer, CU_STREAM_NON_BLOCKING), CUDA_SUCCESS);
  const CUdeviceptr flag = allocate(4);
  const CUdeviceptr data = numbers(64);
  EXPECT_EQ(cuMemsetD32_v2(flag, 0, 1), CUDA_SUCCESS);
  EXPECT_EQ(cuStreamWaitValue32_v2(waiter, flag, 1, CU_STREAM_WAIT_VALUE_EQ), CUDA_SUCCESS);
  EXPECT_EQ(scale(data, 10, 64, waiter), CUDA_SUCCESS);
  EXPECT_EQ(cuStreamQuery(waiter), CUDA_ERROR_NOT_READY);
  EXPECT_EQ(scale(data, 3, 64, writer), CUDA_SUCCESS);
  EXPECT_EQ(cuStreamWriteValue32_v2(writer, flag, 1, 0), CUDA_SUCCESS);
  EXPECT_EQ(cuStreamSynchronize(waiter), CUDA_SUCCESS);
  EXPECT_EQ(read(data, 1)[0], 30u);
}

TEST_F(StreamApiTest, ManyThreadsAtOnce) {
  function("scale");
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([this] {
      ASSERT_EQ(cuCtxSetCurrent(context_), CUDA_SUCCESS);
      for (int round = 0; round < 20; ++round) {
        CUstream stream = nullptr;
        ASSERT_EQ(cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING), CUDA_SUCCESS);
        const CUdeviceptr address = numbers(200);
        for (int i = 0; i < 5; ++i) ASSERT_EQ(scale(address, 2, 200, stream), CUDA_SUCCESS);
        ASSERT_EQ(cuStreamSynchronize(stream), CUDA_SUCCESS);
        ASSERT_EQ(read(address, 200)[199], 6400u);
        ASSERT_EQ(cuMemFree_v2(address), CUDA_SUCCESS);
        ASSERT_EQ(cuStreamDestroy_v2(stream), CUDA_SUCCESS);
      }
    });
  }
  for (auto& thread : threads) thread.join();
}

}  // namespace
}  // namespace outboard::softgpu
