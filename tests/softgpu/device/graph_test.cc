#include "server/softgpu/device/graph.h"

#include <cstring>

#include "tests/softgpu/device/platform_fixture.h"

namespace outboard::softgpu {
namespace {

class GraphTest : public PlatformTest {
 protected:
  MemsetOperation fill(uint64_t address, uint32_t value) { return {address, 0, value, 4, 16, 1}; }
  CopyOperation copy(uint64_t to, uint64_t from) {
    CopyOperation operation;
    operation.to.address = to;
    operation.from.address = from;
    operation.width_bytes = 64;
    return operation;
  }
  static std::shared_ptr<GraphExec> instantiate(const Graph& graph) {
    std::shared_ptr<GraphExec> exec;
    EXPECT_EQ(GraphExec::create(graph, 0, &exec), CUDA_GRAPH_INSTANTIATE_SUCCESS);
    return exec;
  }
  static uint32_t word(uint64_t address) { return *reinterpret_cast<uint32_t*>(address); }
};

TEST_F(GraphTest, StepsRunAfterTheirDependencies) {
  const auto graph = std::make_shared<Graph>(platform_->handles());
  const uint64_t a = allocate(64);
  const uint64_t b = allocate(64);
  // Added in the wrong order on purpose.
  const auto last = graph->add(copy(b, a), {});
  const auto first = graph->add(fill(a, 7), {});
  last->dependencies.push_back(first.get());
  const auto exec = instantiate(*graph);
  ASSERT_NE(exec, nullptr);
  ASSERT_EQ(exec->launch(*context_, context_->null_stream()), CUDA_SUCCESS);
  EXPECT_EQ(context_->synchronize(), CUDA_SUCCESS);
  EXPECT_EQ(word(b), 7u);
}

TEST_F(GraphTest, ACycleIsRefused) {
  const auto graph = std::make_shared<Graph>(platform_->handles());
  const auto a = graph->add(EmptyOperation{}, {});
  const auto b = graph->add(EmptyOperation{}, {a.get()});
  a->dependencies.push_back(b.get());
  std::shared_ptr<GraphExec> exec;
  EXPECT_EQ(GraphExec::create(*graph, 0, &exec), CUDA_GRAPH_INSTANTIATE_INVALID_STRUCTURE);
}

TEST_F(GraphTest, CaptureRecordsBranchesAndJoins) {
  const auto main = context_->create_stream(0, 0);
  const auto side = context_->create_stream(0, 0);
  const auto graph = std::make_shared<Graph>(platform_->handles());
  const auto capture = std::make_shared<Capture>(graph, main, CU_STREAM_CAPTURE_MODE_GLOBAL, 1, false);
  main->set_capture(capture);
  capture->join(main, {});
  const uint64_t a = allocate(64);
  const uint64_t b = allocate(64);
  std::memset(reinterpret_cast<void*>(a), 0, 64);
  const auto fork = std::make_shared<Event>(0, 0);
  const auto join = std::make_shared<Event>(0, 0);
  EXPECT_EQ(context_->submit(main, fill(a, 5)), CUDA_SUCCESS);
  EXPECT_EQ(context_->record_event(fork, main), CUDA_SUCCESS);
  EXPECT_EQ(context_->wait_event(side, fork), CUDA_SUCCESS);
  EXPECT_TRUE(side->capturing());
  EXPECT_EQ(context_->submit(side, copy(b, a)), CUDA_SUCCESS);
  EXPECT_EQ(context_->record_event(join, side), CUDA_SUCCESS);
  EXPECT_EQ(context_->wait_event(main, join), CUDA_SUCCESS);
  EXPECT_EQ(context_->submit(main, EmptyOperation{}), CUDA_SUCCESS);
  EXPECT_EQ(word(a), 0u);  // nothing has run
  EXPECT_EQ(capture->end(), CUDA_SUCCESS);
  EXPECT_FALSE(side->capturing());
  ASSERT_EQ(graph->nodes().size(), 3u);
  EXPECT_EQ(graph->nodes()[2]->dependencies.size(), 2u);
}

TEST_F(GraphTest, UnjoinedWorkIsAnError) {
  const auto main = context_->create_stream(0, 0);
  const auto side = context_->create_stream(0, 0);
  const auto graph = std::make_shared<Graph>(platform_->handles());
  const auto capture = std::make_shared<Capture>(graph, main, CU_STREAM_CAPTURE_MODE_GLOBAL, 1, false);
  main->set_capture(capture);
  capture->join(main, {});
  capture->join(side, {});
  EXPECT_EQ(context_->submit(side, EmptyOperation{}), CUDA_SUCCESS);
  EXPECT_EQ(capture->end(), CUDA_ERROR_STREAM_CAPTURE_UNJOINED);
}

TEST_F(GraphTest, UpdateTakesTheSameShapeOnly) {
  const uint64_t a = allocate(64);
  Graph first(platform_->handles());
  first.add(fill(a, 1), {});
  const auto exec = instantiate(first);
  Graph second(platform_->handles());
  second.add(fill(a, 2), {});
  uint64_t node = 0;
  CUgraphExecUpdateResult why{};
  EXPECT_TRUE(exec->update(second, &node, &why));
  exec->launch(*context_, context_->null_stream());
  context_->synchronize();
  EXPECT_EQ(word(a), 2u);
  Graph third(platform_->handles());
  const auto other = third.add(EmptyOperation{}, {});
  EXPECT_FALSE(exec->update(third, &node, &why));
  EXPECT_EQ(node, other->handle());
  EXPECT_EQ(why, CU_GRAPH_EXEC_UPDATE_ERROR_NODE_TYPE_CHANGED);
  third.add(EmptyOperation{}, {});
  EXPECT_FALSE(exec->update(third, &node, &why));
  EXPECT_EQ(why, CU_GRAPH_EXEC_UPDATE_ERROR_TOPOLOGY_CHANGED);
}

TEST_F(GraphTest, ClonesHaveTheirOwnNodes) {
  Graph graph(platform_->handles());
  const auto a = graph.add(EmptyOperation{}, {});
  const auto b = graph.add(EmptyOperation{}, {a.get()});
  const auto copy = graph.clone();
  ASSERT_EQ(copy->nodes().size(), 2u);
  EXPECT_EQ(copy->nodes()[1]->dependencies[0], copy->nodes()[0].get());
  EXPECT_EQ(copy->origins().at(b->handle()), copy->nodes()[1]->handle());
  graph.remove(a.get());
  EXPECT_EQ(copy->nodes().size(), 2u);
  EXPECT_TRUE(b->dependencies.empty());
}

}  // namespace
}  // namespace outboard::softgpu
