#include <atomic>
#include <chrono>
#include <thread>

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

TEST_F(GraphApiTest, UserObjectsLiveAsLongAsTheirReferences) {
  static int destroyed;
  destroyed = 0;
  const CUhostFn destroy = [](void* data) { destroyed += *static_cast<int*>(data); };
  int one = 1;
  CUuserObject object = nullptr;
  CUgraph graph = nullptr, outer = nullptr;
  CUgraphNode node = nullptr;
  ASSERT_EQ(cuUserObjectCreate(&object, &one, destroy, 3, CU_USER_OBJECT_NO_DESTRUCTOR_SYNC), CUDA_SUCCESS);
  ASSERT_EQ(cuGraphCreate(&graph, 0), CUDA_SUCCESS);
  ASSERT_EQ(cuGraphCreate(&outer, 0), CUDA_SUCCESS);
  EXPECT_EQ(cuGraphRetainUserObject(graph, object, 3, CU_GRAPH_USER_OBJECT_MOVE), CUDA_SUCCESS);
  EXPECT_EQ(cuGraphReleaseUserObject(graph, object, 4), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(cuGraphReleaseUserObject(graph, object, 2), CUDA_SUCCESS);
  // A copy inside another graph, and what is made of that, hold references of their own.
  EXPECT_EQ(cuGraphAddChildGraphNode(&node, outer, nullptr, 0, graph), CUDA_SUCCESS);
  EXPECT_EQ(cuGraphDestroy(graph), CUDA_SUCCESS);
  CUgraphExec exec = nullptr;
  ASSERT_EQ(cuGraphInstantiateWithFlags(&exec, outer, 0), CUDA_SUCCESS);
  EXPECT_EQ(cuGraphDestroy(outer), CUDA_SUCCESS);
  EXPECT_EQ(destroyed, 0);
  EXPECT_EQ(cuUserObjectRetain(object, 1), CUDA_SUCCESS);
  EXPECT_EQ(cuGraphExecDestroy(exec), CUDA_SUCCESS);
  EXPECT_EQ(destroyed, 0);
  EXPECT_EQ(cuUserObjectRelease(object, 1), CUDA_SUCCESS);
  EXPECT_EQ(destroyed, 1);
  EXPECT_EQ(cuUserObjectRelease(object, 1), CUDA_ERROR_INVALID_VALUE);
}

// A graph that is destroyed while it runs takes nothing from under its host functions.
TEST_F(GraphApiTest, WhatALaunchNeedsOutlivesItsGraph) {
  static std::atomic<bool> open, used_after_end;
  open = used_after_end = false;
  static std::atomic<bool> alive;
  alive = true;
  CUgraph graph = nullptr;
  CUgraphNode node = nullptr;
  CUuserObject object = nullptr;
  ASSERT_EQ(cuGraphCreate(&graph, 0), CUDA_SUCCESS);
  ASSERT_EQ(cuUserObjectCreate(
                &object, nullptr, [](void*) { alive = false; }, 1, CU_USER_OBJECT_NO_DESTRUCTOR_SYNC),
            CUDA_SUCCESS);
  EXPECT_EQ(cuGraphRetainUserObject(graph, object, 1, CU_GRAPH_USER_OBJECT_MOVE), CUDA_SUCCESS);
  const CUDA_HOST_NODE_PARAMS host{[](void*) {
                                     while (!open) std::this_thread::yield();
                                     used_after_end = !alive;
                                   },
                                   nullptr};
  ASSERT_EQ(cuGraphAddHostNode(&node, graph, nullptr, 0, &host), CUDA_SUCCESS);
  CUgraphExec exec = nullptr;
  ASSERT_EQ(cuGraphInstantiateWithFlags(&exec, graph, 0), CUDA_SUCCESS);
  EXPECT_EQ(cuGraphLaunch(exec, stream_), CUDA_SUCCESS);
  EXPECT_EQ(cuGraphExecDestroy(exec), CUDA_SUCCESS);
  EXPECT_EQ(cuGraphDestroy(graph), CUDA_SUCCESS);
  EXPECT_TRUE(alive);
  open = true;
  EXPECT_EQ(cuStreamSynchronize(stream_), CUDA_SUCCESS);
  EXPECT_FALSE(used_after_end);
  for (int i = 0; i < 5000 && alive; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  EXPECT_FALSE(alive);
}

TEST_F(GraphApiTest, AMovedChildGraphStaysTheSameGraph) {
  CUgraph outer = nullptr, inner = nullptr, told = nullptr;
  CUgraphNode node = nullptr, empty = nullptr;
  ASSERT_EQ(cuGraphCreate(&outer, 0), CUDA_SUCCESS);
  ASSERT_EQ(cuGraphCreate(&inner, 0), CUDA_SUCCESS);
  CUgraphNodeParams params{};
  params.type = CU_GRAPH_NODE_TYPE_GRAPH;
  params.graph = {inner, CU_GRAPH_CHILD_GRAPH_OWNERSHIP_MOVE};
  ASSERT_EQ(cuGraphAddNode_v2(&node, outer, nullptr, nullptr, 0, &params), CUDA_SUCCESS);
  EXPECT_EQ(cuGraphChildGraphNodeGetGraph(node, &told), CUDA_SUCCESS);
  EXPECT_EQ(told, inner);
  EXPECT_EQ(cuGraphAddEmptyNode(&empty, inner, nullptr, 0), CUDA_SUCCESS);
  EXPECT_EQ(cuGraphDestroy(outer), CUDA_SUCCESS);
  EXPECT_EQ(cuGraphAddEmptyNode(&empty, inner, nullptr, 0), CUDA_ERROR_INVALID_VALUE);
}

TEST_F(GraphApiTest, TheLegacyStreamSpoilsCapturesOfBlockingStreams) {
  CUstream blocking = nullptr;
  ASSERT_EQ(cuStreamCreate(&blocking, CU_STREAM_DEFAULT), CUDA_SUCCESS);
  const CUdeviceptr address = numbers(64);
  function("scale");
  CUgraph graph = nullptr;
  // One that does not block is no concern of the legacy stream.
  ASSERT_EQ(cuStreamBeginCapture_v2(stream_, CU_STREAM_CAPTURE_MODE_RELAXED), CUDA_SUCCESS);
  EXPECT_EQ(scale(address, 2, 64), CUDA_SUCCESS);
  EXPECT_EQ(cuStreamEndCapture(stream_, &graph), CUDA_SUCCESS);
  ASSERT_EQ(cuStreamBeginCapture_v2(blocking, CU_STREAM_CAPTURE_MODE_RELAXED), CUDA_SUCCESS);
  EXPECT_EQ(scale(address, 2, 64), CUDA_ERROR_STREAM_CAPTURE_IMPLICIT);
  EXPECT_EQ(cuStreamEndCapture(blocking, &graph), CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
  EXPECT_EQ(read(address, 1)[0], 2u);
}

}  // namespace
}  // namespace outboard::softgpu
