#include "client-lib/state/handle_table.h"

#include <gtest/gtest.h>

#include <set>
#include <thread>
#include <vector>

namespace outboard::client {
namespace {

using wire::Handle;
using wire::HandleKind;

TEST(HandleValue, KeepsKindGenerationAndIndex) {
  const Handle handle{0x80000012u, 0xABCDu};
  const uint64_t value = handle_value(HandleKind::kGraphNode, handle);
  EXPECT_EQ(value >> 56, 0u);
  EXPECT_EQ(handle_kind(value), HandleKind::kGraphNode);
  EXPECT_EQ(handle_of(value), handle);
}

TEST(HandleValue, SpecialStreamsKeepTheirCudaValues) {
  EXPECT_EQ(handle_value(HandleKind::kStream, Handle{0, 0}), 0u);
  EXPECT_EQ(handle_value(HandleKind::kStream, Handle{0, 1}), 1u);
  EXPECT_EQ(handle_value(HandleKind::kStream, Handle{0, 2}), 2u);
}

TEST(HandleTable, AliveOnlyBetweenCreateAndDestroy) {
  HandleTable table;
  int object = 0;
  const Handle handle = table.create(HandleKind::kEvent, &object, 7);
  EXPECT_TRUE(table.alive(HandleKind::kEvent, handle));
  EXPECT_FALSE(table.alive(HandleKind::kStream, handle));
  EXPECT_EQ(table.payload(HandleKind::kEvent, handle), &object);
  EXPECT_EQ(table.owner(HandleKind::kEvent, handle), 7u);
  EXPECT_TRUE(table.destroy(HandleKind::kEvent, handle));
  EXPECT_FALSE(table.destroy(HandleKind::kEvent, handle));
  EXPECT_FALSE(table.alive(HandleKind::kEvent, handle));
  EXPECT_EQ(table.payload(HandleKind::kEvent, handle), nullptr);
}

TEST(HandleTable, AReusedSlotDoesNotReviveOldHandles) {
  HandleTable table;
  const Handle old = table.create(HandleKind::kStream);
  table.destroy(HandleKind::kStream, old);
  const Handle fresh = table.create(HandleKind::kStream);
  EXPECT_EQ(fresh.index, old.index);
  EXPECT_NE(fresh.generation, old.generation);
  EXPECT_FALSE(table.alive(HandleKind::kStream, old));
  EXPECT_TRUE(table.alive(HandleKind::kStream, fresh));
}

TEST(HandleTable, ASlotWhoseGenerationsAreUsedUpIsRetired) {
  HandleTable table;
  const Handle first = table.create(HandleKind::kEvent);
  Handle current = first;
  for (int i = 0; i < 0xFFFF; ++i) {
    ASSERT_EQ(current.index, first.index);
    table.destroy(HandleKind::kEvent, current);
    current = table.create(HandleKind::kEvent);
  }
  EXPECT_NE(current.index, first.index);
  EXPECT_FALSE(table.alive(HandleKind::kEvent, first));
}

TEST(HandleTable, ForeignValuesAreNeverAlive) {
  HandleTable table;
  (void)table.create(HandleKind::kStream);
  EXPECT_FALSE(table.alive(HandleKind::kStream, Handle{0, 0}));
  EXPECT_FALSE(table.alive(HandleKind::kStream, Handle{HandleTable::kMaxSlots, 1}));
  EXPECT_FALSE(table.alive(HandleKind::kStream, Handle{0xFFFFFFFFu, 1}));
  EXPECT_FALSE(table.alive(HandleKind::kLimit, Handle{1, 1}));
}

TEST(HandleTable, AContextTakesItsObjectsWithIt) {
  HandleTable table;
  const Handle mine = table.create(HandleKind::kStream, nullptr, 1);
  const Handle other = table.create(HandleKind::kStream, nullptr, 2);
  const Handle event = table.create(HandleKind::kEvent, nullptr, 1);
  std::vector<HandleKind> destroyed;
  table.destroy_owned_by(1, [&](HandleKind kind, Handle, void*) { destroyed.push_back(kind); });
  EXPECT_EQ(destroyed, (std::vector{HandleKind::kStream, HandleKind::kEvent}));
  EXPECT_FALSE(table.alive(HandleKind::kStream, mine));
  EXPECT_FALSE(table.alive(HandleKind::kEvent, event));
  EXPECT_TRUE(table.alive(HandleKind::kStream, other));
  EXPECT_EQ(table.live_count(HandleKind::kStream), 1u);
}

TEST(HandleTable, ManyThreadsNeverShareAHandle) {
  HandleTable table;
  constexpr int kThreads = 4;
  constexpr int kEach = 5000;
  std::vector<std::vector<Handle>> made(kThreads);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kEach; ++i) {
        const Handle handle = table.create(HandleKind::kEvent);
        if (i % 3 == 0) {
          table.destroy(HandleKind::kEvent, handle);
        } else {
          made[t].push_back(handle);
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::set<uint64_t> values;
  size_t count = 0;
  for (const auto& list : made) {
    for (const Handle handle : list) {
      EXPECT_TRUE(table.alive(HandleKind::kEvent, handle));
      values.insert(handle_value(HandleKind::kEvent, handle));
      ++count;
    }
  }
  EXPECT_EQ(values.size(), count);
  EXPECT_EQ(table.live_count(HandleKind::kEvent), count);
}

}  // namespace
}  // namespace outboard::client
