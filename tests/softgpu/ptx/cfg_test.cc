// The order of blocks, on which reconvergence depends.
#include <gtest/gtest.h>

#include <algorithm>

#include "server/softgpu/ptx/cfg.h"

namespace outboard::softgpu::ptx {
namespace {

// Blocks in textual order; successors per block.
std::vector<uint32_t> order_of(const std::vector<std::vector<uint32_t>>& graph) {
  IrFunction function;
  for (uint32_t i = 0; i < graph.size(); ++i) {
    IrBlock block;
    block.first = block.last = i;
    block.successors = graph[i];
    function.blocks.push_back(block);
  }
  return order_blocks(function);
}

size_t place(const std::vector<uint32_t>& order, uint32_t block) {
  return static_cast<size_t>(std::find(order.begin(), order.end(), block) - order.begin());
}

TEST(BlockOrder, JoinsComeBehindBothSides) {
  std::vector<uint32_t> order = order_of({{1, 2}, {3}, {3}, {}});
  EXPECT_EQ(order.front(), 0u);
  EXPECT_EQ(order.back(), 3u);
}

TEST(BlockOrder, JoinsThatStandFirstInTheTextStillComeLast) {
  // 1 is the join of 2 and 3.
  std::vector<uint32_t> order = order_of({{2, 3}, {}, {1}, {1}});
  EXPECT_EQ(order.back(), 1u);
}

TEST(BlockOrder, LoopsStandTogether) {
  // 1 is the loop's head, its body is 3 and 4; 2 is behind the loop, but before the body in the text.
  std::vector<uint32_t> order = order_of({{1}, {2, 3}, {}, {4, 2}, {1}});
  EXPECT_EQ(order, (std::vector<uint32_t>{0, 1, 3, 4, 2}));
}

TEST(BlockOrder, NestedLoops) {
  // 1{ 2{ 3 } 4 } 5
  std::vector<uint32_t> order = order_of({{1}, {5, 2}, {4, 3}, {2}, {1}, {}});
  EXPECT_EQ(order, (std::vector<uint32_t>{0, 1, 2, 3, 4, 5}));
}

TEST(BlockOrder, UnreachableBlocksAreLeftOut) {
  EXPECT_EQ(order_of({{2}, {2}, {}}), (std::vector<uint32_t>{0, 2}));
}

TEST(BlockOrder, EveryForwardEdgePointsForward) {
  // An irreducible loop: 1 and 2 enter each other, both are entered from 0.
  std::vector<uint32_t> order = order_of({{1, 2}, {2, 3}, {1}, {}});
  EXPECT_EQ(place(order, 0), 0u);
  EXPECT_EQ(place(order, 3), 3u);
}

TEST(BlockOrder, DeepNestingEndsInTheTextsOrder) {
  std::vector<std::vector<uint32_t>> graph;
  const uint32_t depth = 300;
  for (uint32_t i = 0; i < depth; ++i) graph.push_back({i + 1});
  graph.push_back({});
  for (uint32_t i = 0; i < depth; ++i) graph[depth].push_back(i);
  graph[depth].push_back(depth + 1);
  graph.push_back({});
  std::vector<uint32_t> order = order_of(graph);
  EXPECT_EQ(order.size(), graph.size());
  EXPECT_EQ(order.back(), depth + 1);
}

}  // namespace
}  // namespace outboard::softgpu::ptx
