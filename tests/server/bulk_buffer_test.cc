#include "server/worker/bulk_buffer.h"

#include <gtest/gtest.h>

namespace outboard::server {
namespace {

TEST(BulkPool, KeepsLargeBuffersUpToItsLimit) {
  BulkPool pool(64, 4096, 2);
  {
    BulkBuffer small = pool.take(64);
    BulkBuffer huge = pool.take(5000);
    BulkBuffer one = pool.take(100), two = pool.take(4096), three = pool.take(65);
    EXPECT_EQ(two.size(), 4096u);
    BulkBuffer moved = std::move(one);
    EXPECT_EQ(moved.size(), 100u);
    EXPECT_TRUE(one.empty());
  }
  EXPECT_EQ(pool.kept(), 2u);
  const BulkBuffer again = pool.take(1000);
  EXPECT_EQ(pool.kept(), 1u);
}

TEST(BulkBuffer, ReplacingOneGivesTheOldMemoryBack) {
  BulkPool pool(0, 4096, 4);
  BulkBuffer buffer = pool.take(10);
  buffer = pool.take(20);
  EXPECT_EQ(pool.kept(), 1u);
  buffer.truncate(5);
  EXPECT_EQ(buffer.size(), 5u);
  buffer.truncate(50);
  EXPECT_EQ(buffer.size(), 5u);
  buffer.reset();
  EXPECT_EQ(pool.kept(), 2u);
}

}  // namespace
}  // namespace outboard::server
