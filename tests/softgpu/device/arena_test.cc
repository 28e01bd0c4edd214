#include "server/softgpu/device/arena.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>

#include "server/softgpu/device/allocation_table.h"
#include "server/softgpu/device/limits.h"

namespace outboard::softgpu {
namespace {

constexpr uint64_t kMiB = 1 << 20;

std::unique_ptr<Arena> make_arena(uint64_t bytes) {
  auto arena = Arena::reserve(kArenaBase, bytes);
  EXPECT_TRUE(arena) << arena.error().message;
  return std::move(*arena);
}

TEST(Arena, MemoryIsUsableAlignedAndDisjoint) {
  const auto arena = make_arena(64 * kMiB);
  const uint64_t a = arena->allocate(1, 0);
  const uint64_t b = arena->allocate(5 * kMiB, 0);
  const uint64_t c = arena->allocate(100, 4096);
  ASSERT_TRUE(a && b && c);
  EXPECT_EQ(a % kAllocationAlign, 0u);
  EXPECT_EQ(c % 4096, 0u);
  std::memset(reinterpret_cast<void*>(a), 1, 1);
  std::memset(reinterpret_cast<void*>(b), 2, 5 * kMiB);
  std::memset(reinterpret_cast<void*>(c), 3, 100);
  EXPECT_EQ(*reinterpret_cast<char*>(a), 1);
}

TEST(Arena, RefusesWhatDoesNotFit) {
  const auto arena = make_arena(4 * kMiB);
  EXPECT_EQ(arena->allocate(0, 0), 0u);
  EXPECT_EQ(arena->allocate(5 * kMiB, 0), 0u);
  EXPECT_EQ(arena->allocate(~uint64_t{0}, 0), 0u);
  EXPECT_NE(arena->allocate(4 * kMiB, 0), 0u);
  EXPECT_EQ(arena->allocate(1, 0), 0u);
}

TEST(Arena, TwoArenasDoNotCollide) {
  const auto first = make_arena(4 * kMiB);
  const auto second = make_arena(4 * kMiB);  // wants the same base
  EXPECT_FALSE(first->contains(second->base()));
  EXPECT_FALSE(second->contains(first->base()));
}

// Whatever the order of allocations and frees, everything can be had in one piece again at the end.
TEST(Arena, FreeSpaceJoinsAgain) {
  const auto arena = make_arena(64 * kMiB);
  std::mt19937 random(7);
  std::vector<std::pair<uint64_t, uint64_t>> live;
  for (int i = 0; i < 4000; ++i) {
    if (!live.empty() && random() % 2 == 0) {
      const size_t at = random() % live.size();
      arena->release(live[at].first, live[at].second);
      live[at] = live.back();
      live.pop_back();
      continue;
    }
    const uint64_t bytes = 1 + random() % (random() % 8 == 0 ? 4 * kMiB : 10000);
    const uint64_t address = arena->allocate(bytes, 0);
    if (address == 0) continue;
    for (const auto& [other, other_bytes] : live) {
      ASSERT_TRUE(address + bytes <= other || other + other_bytes <= address);
    }
    *reinterpret_cast<char*>(address) = 1;
    *reinterpret_cast<char*>(address + bytes - 1) = 1;
    live.emplace_back(address, bytes);
  }
  for (const auto& [address, bytes] : live) arena->release(address, bytes);
  EXPECT_NE(arena->allocate(64 * kMiB, 0), 0u);
}

Allocation entry(uint64_t begin, uint64_t bytes) {
  Allocation a;
  a.begin = begin;
  a.bytes = a.valid_bytes = bytes;
  return a;
}

TEST(AllocationTable, FindsHoldersAndRefusesOverlap) {
  AllocationTable table;
  EXPECT_TRUE(table.insert(entry(1000, 100)));
  EXPECT_TRUE(table.insert(entry(1100, 50)));
  EXPECT_FALSE(table.insert(entry(1099, 10)));
  EXPECT_FALSE(table.insert(entry(900, 101)));
  EXPECT_FALSE(table.insert(entry(1020, 5)));
  EXPECT_FALSE(table.find(999));
  EXPECT_EQ(table.find(1000)->begin, 1000u);
  EXPECT_EQ(table.find(1099)->begin, 1000u);
  EXPECT_EQ(table.find(1100)->begin, 1100u);
  EXPECT_FALSE(table.find(1150));
}

TEST(AllocationTable, CoversAdjacentEntriesOnly) {
  AllocationTable table;
  table.insert(entry(1000, 100));
  table.insert(entry(1100, 50));
  table.insert(entry(1160, 50));
  EXPECT_TRUE(table.covers(1000, 150));
  EXPECT_FALSE(table.covers(1000, 151));
  EXPECT_FALSE(table.covers(1140, 30));
  EXPECT_FALSE(table.covers(1000, ~uint64_t{0}));
}

TEST(AllocationTable, GenerationTellsOfRemovals) {
  AllocationTable table;
  const uint64_t start = table.generation();
  table.insert(entry(1000, 100));
  EXPECT_EQ(table.generation(), start);
  EXPECT_FALSE(table.remove(1001));
  EXPECT_TRUE(table.remove(1000));
  EXPECT_NE(table.generation(), start);
}

}  // namespace
}  // namespace outboard::softgpu
