#include "client-lib/state/memory_map.h"

#include <gtest/gtest.h>

namespace outboard::client {
namespace {

MemoryRange range(uint64_t base, uint64_t bytes, MemoryKind kind = MemoryKind::kDevice) {
  MemoryRange r;
  r.base = base;
  r.bytes = bytes;
  r.kind = kind;
  return r;
}

TEST(MemoryMap, FindsTheRangeThatContainsAnAddress) {
  MemoryMap map;
  ASSERT_TRUE(map.insert(range(0x1000, 0x100)));
  ASSERT_TRUE(map.insert(range(0x2000, 0x100)));
  EXPECT_FALSE(map.find(0xFFF));
  EXPECT_EQ(map.find(0x1000)->base, 0x1000u);
  EXPECT_EQ(map.find(0x10FF)->base, 0x1000u);
  EXPECT_FALSE(map.find(0x1100));
  EXPECT_EQ(map.find(0x2080)->base, 0x2000u);
}

TEST(MemoryMap, RefusesOverlapsAndEmptyAndWrappingRanges) {
  MemoryMap map;
  ASSERT_TRUE(map.insert(range(0x1000, 0x100)));
  EXPECT_FALSE(map.insert(range(0x1000, 0x10)));
  EXPECT_FALSE(map.insert(range(0x0F80, 0x81)));
  EXPECT_FALSE(map.insert(range(0x10FF, 1)));
  EXPECT_FALSE(map.insert(range(0x3000, 0)));
  EXPECT_FALSE(map.insert(range(~uint64_t{0} - 15, 32)));
  EXPECT_TRUE(map.insert(range(0x0F80, 0x80)));
  EXPECT_TRUE(map.insert(range(0x1100, 1)));
}

TEST(MemoryMap, FindsOverlapsFromEitherSide) {
  MemoryMap map;
  ASSERT_TRUE(map.insert(range(0x1000, 0x100)));
  EXPECT_FALSE(map.find_overlap(0xF00, 0x100));
  EXPECT_TRUE(map.find_overlap(0xF00, 0x101));
  EXPECT_TRUE(map.find_overlap(0x10FF, 0x1000));
  EXPECT_FALSE(map.find_overlap(0x1100, 0x1000));
}

TEST(MemoryMap, OnlyTheExactBaseCanBeRemoved) {
  MemoryMap map;
  ASSERT_TRUE(map.insert(range(0x1000, 0x100)));
  EXPECT_FALSE(map.remove(0x1010));
  EXPECT_TRUE(map.remove(0x1000));
  EXPECT_FALSE(map.remove(0x1000));
  EXPECT_EQ(map.size(), 0u);
}

TEST(MemoryMap, ContainsDoesNotOverflow) {
  const MemoryRange r = range(0x1000, 0x100);
  EXPECT_TRUE(r.contains(0x1000, 0x100));
  EXPECT_TRUE(r.contains(0x1100, 0));
  EXPECT_FALSE(r.contains(0x1001, 0x100));
  EXPECT_FALSE(r.contains(0x1080, ~uint64_t{0}));
  EXPECT_FALSE(r.contains(0xFFF, 1));
}

TEST(MemoryMap, BufferIdsAreUniqueEvenAtTheSameAddress) {
  MemoryMap map;
  ASSERT_TRUE(map.insert(range(0x1000, 0x100)));
  const uint64_t first = map.find(0x1000)->buffer_id;
  map.remove(0x1000);
  ASSERT_TRUE(map.insert(range(0x1000, 0x100)));
  EXPECT_NE(map.find(0x1000)->buffer_id, first);
}

TEST(MemoryMap, AContextTakesItsMemoryWithIt) {
  MemoryMap map;
  MemoryRange a = range(0x1000, 0x100);
  a.context = {1, 1};
  MemoryRange b = range(0x2000, 0x100);
  b.context = {2, 1};
  ASSERT_TRUE(map.insert(a));
  ASSERT_TRUE(map.insert(b));
  int removed = 0;
  map.remove_context({1, 1}, [&](const MemoryRange&) { ++removed; });
  EXPECT_EQ(removed, 1);
  EXPECT_FALSE(map.find(0x1000));
  EXPECT_TRUE(map.find(0x2000));
}

TEST(MemoryMap, KnowsWhatUploadsCouldHaveFilledForTheFirstTime) {
  MemoryMap map;
  ASSERT_TRUE(map.insert(range(0x1000, 0x100)));
  EXPECT_TRUE(map.note_upload(0x1000, 0x80));
  EXPECT_TRUE(map.note_upload(0x1080, 0x80));
  EXPECT_FALSE(map.note_upload(0x1000, 1));
  EXPECT_FALSE(map.note_upload(0x1100, 1)) << "nothing is there";
  EXPECT_FALSE(map.note_upload(0xFFF, 1));
}

}  // namespace
}  // namespace outboard::client
