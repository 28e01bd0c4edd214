#include "server/quota/physical_use.h"

#include <gtest/gtest.h>

namespace outboard::server {
namespace {

constexpr uint64_t kMemory = 77;
constexpr uint64_t kAddress = 0x1000'0000;

uint64_t paid_as(const PhysicalUse::Released& released) { return released.gone ? released.gone->paid_as : 0; }

TEST(PhysicalUse, MemoryWithoutMappingsEndsWithItsHandle) {
  PhysicalUse use;
  const auto released = use.release(kMemory);
  EXPECT_TRUE(released.handle_gone);
  EXPECT_EQ(paid_as(released), kMemory);
}

TEST(PhysicalUse, AMappingKeepsMemoryWhoseHandleIsGone) {
  PhysicalUse use;
  use.map(kAddress, 100, kMemory);
  use.map(kAddress + 100, 100, kMemory);
  const auto released = use.release(kMemory);
  EXPECT_TRUE(released.handle_gone);
  EXPECT_FALSE(released.gone);
  ASSERT_TRUE(released.renamed_to);
  EXPECT_EQ(released.renamed_from, kMemory);
  EXPECT_TRUE(use.unmap(kAddress, 100).empty());
  const auto gone = use.unmap(kAddress + 100, 100);
  ASSERT_EQ(gone.size(), 1u);
  EXPECT_EQ(gone[0].paid_as, *released.renamed_to);
}

TEST(PhysicalUse, EveryReferenceCounts) {
  PhysicalUse use;
  use.map(kAddress, 100, kMemory);
  use.retain(kAddress + 99, kMemory);
  EXPECT_FALSE(use.release(kMemory).handle_gone);
  EXPECT_TRUE(use.unmap(kAddress, 100).empty());
  const auto released = use.release(kMemory);
  EXPECT_TRUE(released.handle_gone);
  EXPECT_EQ(paid_as(released), kMemory);
}

// The driver uses numbers of handles again: what lives on under mappings is not taken for the new memory.
TEST(PhysicalUse, ANumberThatComesBackIsOtherMemory) {
  PhysicalUse use;
  use.map(kAddress, 100, kMemory);
  const auto released = use.release(kMemory);
  ASSERT_TRUE(released.renamed_to);
  use.map(kAddress + 100, 100, kMemory);
  EXPECT_EQ(use.paid_as(kMemory), kMemory);
  EXPECT_EQ(use.unmap(kAddress, 100).at(0).paid_as, *released.renamed_to);
  EXPECT_TRUE(use.unmap(kAddress + 100, 100).empty());
  EXPECT_EQ(paid_as(use.release(kMemory)), kMemory);
}

TEST(PhysicalUse, ANewHandleOfOldMemoryPaysForTheOld) {
  PhysicalUse use;
  use.map(kAddress, 100, kMemory);
  const auto released = use.release(kMemory);
  EXPECT_FALSE(released.gone);
  use.retain(kAddress, 78);
  EXPECT_TRUE(use.unmap(kAddress, 100).empty());
  EXPECT_EQ(paid_as(use.release(78)), released.renamed_to);
}

TEST(PhysicalUse, OneUnmapMayEndSeveral) {
  PhysicalUse use;
  use.map(kAddress, 100, 1);
  use.map(kAddress + 100, 100, 2);
  (void)use.release(1);
  (void)use.release(2);
  EXPECT_EQ(use.unmap(kAddress, 200).size(), 2u);
}

TEST(PhysicalUse, ADescriptorKeepsMemoryUntilItIsClosed) {
  PhysicalUse use;
  use.share(kMemory, "token", true);
  use.share(kMemory, "fabric", false);
  EXPECT_TRUE(use.knows("token"));
  EXPECT_FALSE(use.close("fabric")) << "it holds nothing";
  const auto released = use.release(kMemory);
  EXPECT_FALSE(released.gone);
  const auto gone = use.close("token");
  ASSERT_TRUE(gone);
  EXPECT_EQ(gone->paid_as, released.renamed_to);
  EXPECT_EQ(gone->keys, std::vector<std::string>{"fabric"}) << "nobody may open it any more";
  EXPECT_FALSE(use.knows("fabric"));
  EXPECT_FALSE(use.close("token"));
}

TEST(PhysicalUse, WhatIsImportedTwiceIsPaidForOnce) {
  PhysicalUse use;
  EXPECT_FALSE(use.knows("token"));
  use.import(5, "token");
  EXPECT_TRUE(use.knows("token"));
  use.import(6, "token");
  use.import(6, "token");
  EXPECT_FALSE(use.release(5).gone);
  EXPECT_FALSE(use.release(6).handle_gone);
  const auto last = use.release(6);
  EXPECT_TRUE(last.handle_gone);
  ASSERT_TRUE(last.gone);
  EXPECT_EQ(last.gone->keys, std::vector<std::string>{"token"});
  EXPECT_FALSE(use.knows("token"));
}

TEST(PhysicalUse, OwnMemoryComesBackByItsKey) {
  PhysicalUse use;
  use.share(kMemory, "token", true);
  use.import(kMemory, "token");  // NVIDIA's driver may give the same handle
  use.import(78, "token");
  EXPECT_FALSE(use.close("token"));
  EXPECT_FALSE(use.release(kMemory).handle_gone);
  EXPECT_TRUE(use.release(kMemory).handle_gone);
  EXPECT_TRUE(use.release(78).gone);
}

}  // namespace
}  // namespace outboard::server
