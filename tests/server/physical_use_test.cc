#include "server/quota/physical_use.h"

#include <gtest/gtest.h>

namespace outboard::server {
namespace {

constexpr uint64_t kMemory = 77;
constexpr uint64_t kAddress = 0x1000'0000;

TEST(PhysicalUse, MemoryWithoutMappingsEndsWithItsHandle) {
  PhysicalUse use;
  const auto released = use.release(kMemory);
  EXPECT_TRUE(released.handle_gone);
  EXPECT_EQ(released.paid_for, kMemory);
}

TEST(PhysicalUse, AMappingKeepsMemoryWhoseHandleIsGone) {
  PhysicalUse use;
  use.map(kAddress, 100, kMemory);
  use.map(kAddress + 100, 100, kMemory);
  const auto released = use.release(kMemory);
  EXPECT_TRUE(released.handle_gone);
  EXPECT_FALSE(released.paid_for);
  EXPECT_TRUE(use.unmap(kAddress, 100).empty());
  EXPECT_EQ(use.unmap(kAddress + 100, 100), std::vector<uint64_t>{kMemory});
}

TEST(PhysicalUse, EveryReferenceCounts) {
  PhysicalUse use;
  use.map(kAddress, 100, kMemory);
  use.retain(kAddress + 99, kMemory);
  EXPECT_FALSE(use.release(kMemory).handle_gone);
  EXPECT_TRUE(use.unmap(kAddress, 100).empty());
  const auto released = use.release(kMemory);
  EXPECT_TRUE(released.handle_gone);
  EXPECT_EQ(released.paid_for, kMemory);
}

TEST(PhysicalUse, ANewHandleOfOldMemoryPaysForTheOld) {
  PhysicalUse use;
  use.map(kAddress, 100, kMemory);
  EXPECT_FALSE(use.release(kMemory).paid_for);
  use.retain(kAddress, 78);
  EXPECT_TRUE(use.unmap(kAddress, 100).empty());
  EXPECT_EQ(use.release(78).paid_for, kMemory);
}

TEST(PhysicalUse, OneUnmapMayEndSeveral) {
  PhysicalUse use;
  use.map(kAddress, 100, 1);
  use.map(kAddress + 100, 100, 2);
  (void)use.release(1);
  (void)use.release(2);
  EXPECT_EQ(use.unmap(kAddress, 200), (std::vector<uint64_t>{1, 2}));
}

}  // namespace
}  // namespace outboard::server
