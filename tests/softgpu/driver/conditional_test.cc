// Conditional nodes of graphs.
#include "tests/softgpu/driver/driver_fixture.h"

namespace outboard::softgpu {
namespace {

// set: the condition becomes *value. count_down: --*p becomes the condition. add: *p += n.
constexpr const char* kConditionalPtx = R"(
.version 8.4
.target sm_80
.address_size 64
.extern .func cudaGraphSetConditional (.param .b64 handle, .param .b32 value);
.visible .entry set(.param .u64 value, .param .u64 handle)
{
  .reg .b64 %a<2>;
  .reg .b32 %r0;
  ld.param.u64 %a0, [value];
  ld.param.u64 %a1, [handle];
  ld.global.u32 %r0, [%a0];
  .param .b64 p0;
  .param .b32 p1;
  st.param.b64 [p0], %a1;
  st.param.b32 [p1], %r0;
  call.uni cudaGraphSetConditional, (p0, p1);
  ret;
}
.visible .entry count_down(.param .u64 value, .param .u64 handle)
{
  .reg .b64 %a<2>;
  .reg .b32 %r0;
  ld.param.u64 %a0, [value];
  ld.param.u64 %a1, [handle];
  ld.global.u32 %r0, [%a0];
  sub.u32 %r0, %r0, 1;
  st.global.u32 [%a0], %r0;
  .param .b64 p0;
  .param .b32 p1;
  st.param.b64 [p0], %a1;
  st.param.b32 [p1], %r0;
  call.uni cudaGraphSetConditional, (p0, p1);
  ret;
}
.visible .entry add(.param .u64 value, .param .u64 n)
{
  .reg .b64 %a<2>;
  .reg .b32 %r<2>;
  ld.param.u64 %a0, [value];
  ld.param.u64 %a1, [n];
  cvt.u32.u64 %r1, %a1;
  ld.global.u32 %r0, [%a0];
  add.u32 %r0, %r0, %r1;
  st.global.u32 [%a0], %r0;
  ret;
}
)";

class ConditionalTest : public DriverTest {
 protected:
  void SetUp() override {
    DriverTest::SetUp();
    ASSERT_EQ(cuModuleLoadData(&module_, kConditionalPtx), CUDA_SUCCESS);
    ASSERT_EQ(cuGraphCreate(&graph_, 0), CUDA_SUCCESS);
    words_ = allocate(4 * sizeof(uint32_t));
    ASSERT_EQ(cuMemsetD32_v2(words_, 0, 4), CUDA_SUCCESS);
  }

  CUdeviceptr word(unsigned i) const { return words_ + i * sizeof(uint32_t); }
  void write(unsigned i, uint32_t value) { ASSERT_EQ(cuMemsetD32_v2(word(i), value, 1), CUDA_SUCCESS); }

  CUgraphConditionalHandle condition(unsigned default_value = 0, unsigned flags = 0) {
    CUgraphConditionalHandle handle = 0;
    EXPECT_EQ(cuGraphConditionalHandleCreate(&handle, graph_, context_, default_value, flags), CUDA_SUCCESS);
    return handle;
  }

  CUgraphNodeParams kernel_params(const char* name) {
    values_ = {0, 0};
    CUgraphNodeParams params{};
    params.type = CU_GRAPH_NODE_TYPE_KERNEL;
    params.kernel.func = function(name);
    params.kernel.gridDimX = params.kernel.gridDimY = params.kernel.gridDimZ = 1;
    params.kernel.blockDimX = params.kernel.blockDimY = params.kernel.blockDimZ = 1;
    params.kernel.kernelParams = pointers_;
    return params;
  }

  CUgraphNode kernel(CUgraph graph, const char* name, CUdeviceptr address, uint64_t value,
                     CUgraphNode after = nullptr) {
    CUgraphNodeParams params = kernel_params(name);
    values_ = {address, value};
    CUgraphNode node = nullptr;
    EXPECT_EQ(cuGraphAddNode_v2(&node, graph, &after, nullptr, after == nullptr ? 0 : 1, &params),
              CUDA_SUCCESS);
    return node;
  }

  CUresult conditional(CUgraph graph, CUgraphConditionalHandle handle, CUgraphConditionalNodeType type,
                       unsigned size, CUgraphNode after = nullptr, CUgraphNode* node = nullptr) {
    CUgraphNodeParams params{};
    params.type = CU_GRAPH_NODE_TYPE_CONDITIONAL;
    params.conditional.handle = handle;
    params.conditional.type = type;
    params.conditional.size = size;
    params.conditional.ctx = context_;
    CUgraphNode made = nullptr;
    const CUresult result =
        cuGraphAddNode_v2(&made, graph, &after, nullptr, after == nullptr ? 0 : 1, &params);
    bodies_ = result == CUDA_SUCCESS ? params.conditional.phGraph_out : nullptr;
    if (node != nullptr) *node = made;
    return result;
  }

  CUgraphExec instantiate() {
    CUgraphExec exec = nullptr;
    EXPECT_EQ(cuGraphInstantiateWithFlags(&exec, graph_, 0), CUDA_SUCCESS);
    return exec;
  }

  CUresult launch(CUgraphExec exec) {
    const CUresult result = cuGraphLaunch(exec, nullptr);
    return result == CUDA_SUCCESS ? cuCtxSynchronize() : result;
  }

  CUgraph graph_ = nullptr;
  CUgraph* bodies_ = nullptr;
  CUdeviceptr words_ = 0;
  std::vector<uint64_t> values_{0, 0};
  void* pointers_[2] = {&values_[0], &values_[1]};
};

TEST_F(ConditionalTest, IfAndElse) {
  const CUgraphConditionalHandle handle = condition();
  const CUgraphNode first = kernel(graph_, "set", word(0), handle);
  CUgraphNode node = nullptr;
  ASSERT_EQ(conditional(graph_, handle, CU_GRAPH_COND_TYPE_IF, 2, first, &node), CUDA_SUCCESS);
  kernel(bodies_[0], "add", word(1), 1);
  kernel(bodies_[1], "add", word(2), 1);
  kernel(graph_, "add", word(3), 1, node);
  CUgraphNodeType type{};
  EXPECT_EQ(cuGraphNodeGetType(node, &type), CUDA_SUCCESS);
  EXPECT_EQ(type, CU_GRAPH_NODE_TYPE_CONDITIONAL);
  const CUgraphExec exec = instantiate();
  for (const uint32_t value : {0u, 1u, 0x80000000u, 0u, 7u}) {
    write(0, value);
    EXPECT_EQ(launch(exec), CUDA_SUCCESS);
  }
  const auto counts = read(words_, 4);
  EXPECT_EQ(counts[1], 3u);
  EXPECT_EQ(counts[2], 2u);
  EXPECT_EQ(counts[3], 5u);
}

TEST_F(ConditionalTest, WhileInWhile) {
  const CUgraphConditionalHandle outer = condition(1, CU_GRAPH_COND_ASSIGN_DEFAULT);
  const CUgraphConditionalHandle inner = condition();
  ASSERT_EQ(conditional(graph_, outer, CU_GRAPH_COND_TYPE_WHILE, 1), CUDA_SUCCESS);
  const CUgraph body = bodies_[0];
  // Outer body: word 1 := 3, word 1 is the inner condition, the inner loop counts it down, --word 0.
  const CUgraphNode three = kernel(body, "add", word(1), 3);
  const CUgraphNode set = kernel(body, "set", word(1), inner, three);
  CUgraphNode loop = nullptr;
  ASSERT_EQ(conditional(body, inner, CU_GRAPH_COND_TYPE_WHILE, 1, set, &loop), CUDA_SUCCESS);
  const CUgraphNode counted = kernel(bodies_[0], "add", word(2), 1);
  kernel(bodies_[0], "count_down", word(1), inner, counted);
  kernel(body, "count_down", word(0), outer, loop);
  const CUgraphExec exec = instantiate();
  for (const uint32_t rounds : {4u, 1u}) {
    write(0, rounds);
    EXPECT_EQ(launch(exec), CUDA_SUCCESS);  // the default is there again although the last value was 0
  }
  EXPECT_EQ(read(words_, 3)[2], 15u);
}

TEST_F(ConditionalTest, SwitchAndCapturedBodies) {
  const CUgraphConditionalHandle handle = condition();
  const CUgraphNode first = kernel(graph_, "set", word(0), handle);
  ASSERT_EQ(conditional(graph_, handle, CU_GRAPH_COND_TYPE_SWITCH, 3, first), CUDA_SUCCESS);
  CUstream stream = nullptr;
  ASSERT_EQ(cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING), CUDA_SUCCESS);
  for (unsigned i = 0; i < 3; ++i) {
    ASSERT_EQ(
        cuStreamBeginCaptureToGraph(stream, bodies_[i], nullptr, nullptr, 0, CU_STREAM_CAPTURE_MODE_RELAXED),
        CUDA_SUCCESS);
    EXPECT_EQ(cuMemsetD32Async(word(1), 10 + i, 1, stream), CUDA_SUCCESS);
    ASSERT_EQ(cuStreamEndCapture(stream, nullptr), CUDA_SUCCESS);
  }
  const CUgraphExec exec = instantiate();
  for (const uint32_t value : {0u, 1u, 2u, 3u, 0xffffffffu}) {
    write(0, value);
    write(1, 1);
    EXPECT_EQ(launch(exec), CUDA_SUCCESS);
    EXPECT_EQ(read(word(1), 1)[0], value < 3 ? 10 + value : 1u) << value;
  }
  EXPECT_EQ(cuStreamDestroy_v2(stream), CUDA_SUCCESS);
}

TEST_F(ConditionalTest, StepsOfABodyCanBeReplaced) {
  const CUgraphConditionalHandle handle = condition(1, CU_GRAPH_COND_ASSIGN_DEFAULT);
  ASSERT_EQ(conditional(graph_, handle, CU_GRAPH_COND_TYPE_IF, 1), CUDA_SUCCESS);
  const CUgraphNode node = kernel(bodies_[0], "add", word(1), 1);
  const CUgraphExec exec = instantiate();
  EXPECT_EQ(launch(exec), CUDA_SUCCESS);
  CUgraphNodeParams params = kernel_params("add");
  values_ = {word(1), 100};
  EXPECT_EQ(cuGraphExecNodeSetParams(exec, node, &params), CUDA_SUCCESS);
  EXPECT_EQ(launch(exec), CUDA_SUCCESS);
  EXPECT_EQ(read(word(1), 1)[0], 101u);

  // A whole update brings the handles of the other graph, here with another default.
  ASSERT_EQ(cuGraphCreate(&graph_, 0), CUDA_SUCCESS);
  const CUgraphConditionalHandle other = condition(0, CU_GRAPH_COND_ASSIGN_DEFAULT);
  ASSERT_EQ(conditional(graph_, other, CU_GRAPH_COND_TYPE_IF, 1), CUDA_SUCCESS);
  CUgraphExecUpdateResultInfo info{};
  EXPECT_EQ(cuGraphExecUpdate_v2(exec, graph_, &info), CUDA_ERROR_GRAPH_EXEC_UPDATE_FAILURE);
  EXPECT_EQ(info.result, CU_GRAPH_EXEC_UPDATE_ERROR_TOPOLOGY_CHANGED);  // the body is empty
  kernel(bodies_[0], "add", word(1), 1000);
  EXPECT_EQ(cuGraphExecUpdate_v2(exec, graph_, &info), CUDA_SUCCESS);
  EXPECT_EQ(launch(exec), CUDA_SUCCESS);
  EXPECT_EQ(read(word(1), 1)[0], 101u);
}

TEST_F(ConditionalTest, WrongUsesAreRefused) {
  const CUgraphConditionalHandle handle = condition();
  CUgraphConditionalHandle another = 0;
  EXPECT_EQ(cuGraphConditionalHandleCreate(&another, graph_, context_, 0, 2), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(conditional(graph_, handle, CU_GRAPH_COND_TYPE_WHILE, 2), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(conditional(graph_, handle, CU_GRAPH_COND_TYPE_IF, 3), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(conditional(graph_, handle, CU_GRAPH_COND_TYPE_SWITCH, 0), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(conditional(graph_, handle + 4, CU_GRAPH_COND_TYPE_IF, 1), CUDA_ERROR_INVALID_VALUE);
  CUDA_GRAPH_INSTANTIATE_PARAMS params{};
  CUgraphExec exec = nullptr;
  EXPECT_EQ(cuGraphInstantiateWithParams(&exec, graph_, &params), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(params.result_out, CUDA_GRAPH_INSTANTIATE_CONDITIONAL_HANDLE_UNUSED);
  ASSERT_EQ(conditional(graph_, handle, CU_GRAPH_COND_TYPE_IF, 1), CUDA_SUCCESS);
  const CUgraph body = bodies_[0];
  EXPECT_EQ(conditional(graph_, handle, CU_GRAPH_COND_TYPE_IF, 1), CUDA_ERROR_INVALID_VALUE);
  CUgraph copy = nullptr;
  EXPECT_EQ(cuGraphClone(&copy, graph_), CUDA_ERROR_NOT_SUPPORTED);
  CUgraph parent = nullptr;
  CUgraphNode node = nullptr;
  ASSERT_EQ(cuGraphCreate(&parent, 0), CUDA_SUCCESS);
  EXPECT_EQ(cuGraphAddChildGraphNode(&node, parent, nullptr, 0, graph_), CUDA_ERROR_INVALID_VALUE);
  exec = instantiate();
  CUgraphExec second = nullptr;
  EXPECT_EQ(cuGraphInstantiateWithFlags(&second, graph_, 0), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(cuGraphExecDestroy(exec), CUDA_SUCCESS);
  // Only work of the device may stand in a body.
  const CUDA_HOST_NODE_PARAMS host{[](void*) {}, nullptr};
  ASSERT_EQ(cuGraphAddHostNode(&node, graph_, nullptr, 0, &host), CUDA_SUCCESS);
  EXPECT_EQ(cuGraphExecDestroy(instantiate()), CUDA_SUCCESS);
  ASSERT_EQ(cuGraphAddHostNode(&node, body, nullptr, 0, &host), CUDA_SUCCESS);
  EXPECT_EQ(cuGraphInstantiateWithFlags(&second, graph_, 0), CUDA_ERROR_INVALID_VALUE);
}

TEST_F(ConditionalTest, EverythingGoesWithTheGraph) {
  size_t before = 0, after = 0, total = 0;
  cuMemGetInfo_v2(&before, &total);
  const CUgraphConditionalHandle handle = condition();
  ASSERT_EQ(conditional(graph_, handle, CU_GRAPH_COND_TYPE_IF, 1), CUDA_SUCCESS);
  const CUgraph body = bodies_[0];
  const CUgraphExec exec = instantiate();
  EXPECT_EQ(cuMemFree_v2(handle), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(cuGraphDestroy(graph_), CUDA_SUCCESS);
  size_t count = 0;
  EXPECT_EQ(cuGraphGetNodes(body, nullptr, &count), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(launch(exec), CUDA_SUCCESS);
  EXPECT_EQ(cuGraphExecDestroy(exec), CUDA_SUCCESS);
  cuMemGetInfo_v2(&after, &total);
  EXPECT_EQ(before, after);
}

TEST_F(ConditionalTest, AKernelWithAWrongHandleFails) {
  kernel(graph_, "set", word(0), 64);
  EXPECT_EQ(launch(instantiate()), CUDA_ERROR_ILLEGAL_ADDRESS);
}

}  // namespace
}  // namespace outboard::softgpu
