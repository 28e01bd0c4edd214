#include "tests/softgpu/driver/driver_fixture.h"

namespace outboard::softgpu {
namespace {

class GraphApiTest : public DriverTest {
 protected:
  void SetUp() override {
    DriverTest::SetUp();
    ASSERT_EQ(cuStreamCreate(&stream_, CU_STREAM_NON_BLOCKING), CUDA_SUCCESS);
  }

  CUgraph capture(CUdeviceptr address, uint32_t factor) {
    function("scale");
    CUgraph graph = nullptr;
    EXPECT_EQ(cuStreamBeginCapture_v2(stream_, CU_STREAM_CAPTURE_MODE_RELAXED), CUDA_SUCCESS);
    EXPECT_EQ(scale(address, factor, 64, stream_), CUDA_SUCCESS);
    EXPECT_EQ(scale(address, factor, 64, stream_), CUDA_SUCCESS);
    EXPECT_EQ(cuStreamEndCapture(stream_, &graph), CUDA_SUCCESS);
    return graph;
  }

  CUstream stream_ = nullptr;
};

TEST_F(GraphApiTest, CaptureInstantiateLaunchUpdate) {
  const CUdeviceptr address = numbers(64);
  const CUgraph graph = capture(address, 2);
  size_t count = 0;
  EXPECT_EQ(cuGraphGetNodes(graph, nullptr, &count), CUDA_SUCCESS);
  EXPECT_EQ(count, 2u);
  EXPECT_EQ(read(address, 1)[0], 1u);  // captured, not run
  CUgraphExec exec = nullptr;
  ASSERT_EQ(cuGraphInstantiateWithFlags(&exec, graph, 0), CUDA_SUCCESS);
  EXPECT_EQ(cuGraphLaunch(exec, stream_), CUDA_SUCCESS);
  EXPECT_EQ(cuGraphLaunch(exec, stream_), CUDA_SUCCESS);
  EXPECT_EQ(cuStreamSynchronize(stream_), CUDA_SUCCESS);
  EXPECT_EQ(read(address, 1)[0], 16u);
  CUgraphExecUpdateResultInfo info{};
  EXPECT_EQ(cuGraphExecUpdate_v2(exec, capture(address, 3), &info), CUDA_SUCCESS);
  EXPECT_EQ(cuGraphLaunch(exec, stream_), CUDA_SUCCESS);
  EXPECT_EQ(cuStreamSynchronize(stream_), CUDA_SUCCESS);
  EXPECT_EQ(read(address, 1)[0], 144u);
  EXPECT_EQ(cuGraphExecDestroy(exec), CUDA_SUCCESS);
  EXPECT_EQ(cuGraphDestroy(graph), CUDA_SUCCESS);
  EXPECT_EQ(cuGraphDestroy(graph), CUDA_ERROR_INVALID_VALUE);
}

TEST_F(GraphApiTest, SynchronousCallsSpoilACapture) {
  ASSERT_EQ(cuStreamBeginCapture_v2(stream_, CU_STREAM_CAPTURE_MODE_GLOBAL), CUDA_SUCCESS);
  EXPECT_EQ(cuStreamSynchronize(stream_), CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
  CUstreamCaptureStatus status{};
  EXPECT_EQ(cuStreamIsCapturing(stream_, &status), CUDA_SUCCESS);
  EXPECT_EQ(status, CU_STREAM_CAPTURE_STATUS_INVALIDATED);
  CUgraph graph = nullptr;
  EXPECT_EQ(cuStreamEndCapture(stream_, &graph), CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
  EXPECT_EQ(graph, nullptr);
  EXPECT_EQ(cuStreamSynchronize(stream_), CUDA_SUCCESS);
}

TEST_F(GraphApiTest, NodesByHand) {
  CUdeviceptr address = numbers(64);
  CUgraph graph = nullptr;
  ASSERT_EQ(cuGraphCreate(&graph, 0), CUDA_SUCCESS);
  CUDA_MEMSET_NODE_PARAMS fill{address, 0, 5, 4, 64, 1};
  CUgraphNode first = nullptr, second = nullptr;
  ASSERT_EQ(cuGraphAddMemsetNode(&first, graph, nullptr, 0, &fill, context_), CUDA_SUCCESS);
  uint32_t factor = 3;
  uint32_t count = 64;
  void* params[] = {&address, &factor, &count};
  CUDA_KERNEL_NODE_PARAMS launch{};
  launch.func = function("scale");
  launch.gridDimX = launch.gridDimY = launch.gridDimZ = 1;
  launch.blockDimX = 64;
  launch.blockDimY = launch.blockDimZ = 1;
  launch.kernelParams = params;
  ASSERT_EQ(cuGraphAddKernelNode_v2(&second, graph, &first, 1, &launch), CUDA_SUCCESS);
  CUDA_KERNEL_NODE_PARAMS told{};
  EXPECT_EQ(cuGraphKernelNodeGetParams_v2(second, &told), CUDA_SUCCESS);
  EXPECT_EQ(told.func, launch.func);
  EXPECT_EQ(*static_cast<uint32_t*>(told.kernelParams[1]), 3u);
  CUgraphExec exec = nullptr;
  ASSERT_EQ(cuGraphInstantiateWithFlags(&exec, graph, 0), CUDA_SUCCESS);
  EXPECT_EQ(cuGraphLaunch(exec, stream_), CUDA_SUCCESS);
  EXPECT_EQ(cuStreamSynchronize(stream_), CUDA_SUCCESS);
  EXPECT_EQ(read(address, 64)[63], 15u);
  factor = 4;
  EXPECT_EQ(cuGraphExecKernelNodeSetParams_v2(exec, second, &launch), CUDA_SUCCESS);
  EXPECT_EQ(cuGraphLaunch(exec, stream_), CUDA_SUCCESS);
  EXPECT_EQ(cuStreamSynchronize(stream_), CUDA_SUCCESS);
  EXPECT_EQ(read(address, 64)[63], 20u);
  EXPECT_EQ(cuGraphNodeSetEnabled(exec, second, 0), CUDA_SUCCESS);
  EXPECT_EQ(cuGraphLaunch(exec, stream_), CUDA_SUCCESS);
  EXPECT_EQ(cuStreamSynchronize(stream_), CUDA_SUCCESS);
  EXPECT_EQ(read(address, 64)[63], 5u);
}

TEST_F(GraphApiTest, MemoryNodesKeepTheirAddress) {
  size_t before = 0, after = 0, total = 0;
  cuMemGetInfo_v2(&before, &total);
  CUdeviceptr address = 0;
  CUgraph graph = nullptr;
  function("scale");
  cuMemGetInfo_v2(&before, &total);
  const CUdeviceptr result = allocate(256);
  ASSERT_EQ(cuStreamBeginCapture_v2(stream_, CU_STREAM_CAPTURE_MODE_GLOBAL), CUDA_SUCCESS);
  EXPECT_EQ(cuMemAllocAsync(&address, 256, stream_), CUDA_SUCCESS);
  EXPECT_EQ(cuMemsetD32Async(address, 8, 64, stream_), CUDA_SUCCESS);
  EXPECT_EQ(cuMemcpyDtoDAsync_v2(result, address, 256, stream_), CUDA_SUCCESS);
  EXPECT_EQ(cuMemFreeAsync(address, stream_), CUDA_SUCCESS);
  ASSERT_EQ(cuStreamEndCapture(stream_, &graph), CUDA_SUCCESS);
  CUgraphExec exec = nullptr;
  ASSERT_EQ(cuGraphInstantiateWithFlags(&exec, graph, 0), CUDA_SUCCESS);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(cuGraphLaunch(exec, stream_), CUDA_SUCCESS);
  EXPECT_EQ(cuStreamSynchronize(stream_), CUDA_SUCCESS);
  EXPECT_EQ(read(result, 64)[63], 8u);
  EXPECT_EQ(cuGraphExecDestroy(exec), CUDA_SUCCESS);
  EXPECT_EQ(cuGraphDestroy(graph), CUDA_SUCCESS);
  EXPECT_EQ(cuMemFree_v2(result), CUDA_SUCCESS);
  cuMemGetInfo_v2(&after, &total);
  EXPECT_EQ(after, before);
}

}  // namespace
}  // namespace outboard::softgpu
