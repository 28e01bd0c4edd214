#include "server/softgpu/device/object.h"

#include <gtest/gtest.h>

#include <set>

namespace outboard::softgpu {
namespace {

struct Apple : Object {
  static constexpr ObjectKind kKind = ObjectKind::kEvent;
};
struct Pear : Object {
  static constexpr ObjectKind kKind = ObjectKind::kStream;
};

TEST(HandleTable, FindsByHandleAndKind) {
  HandleTable table;
  const auto apple = std::make_shared<Apple>();
  const uint64_t handle = table.add(apple);
  EXPECT_EQ(table.find<Apple>(handle), apple);
  EXPECT_EQ(table.find<Pear>(handle), nullptr);
  EXPECT_EQ(apple->handle(), handle);
  EXPECT_GT(handle, 0xffff'ffffu);
}

TEST(HandleTable, ADestroyedHandleIsNotItsSuccessor) {
  HandleTable table;
  std::set<uint64_t> seen;
  for (int i = 0; i < 1000; ++i) {
    const uint64_t handle = table.add(std::make_shared<Apple>());
    EXPECT_TRUE(seen.insert(handle).second);
    EXPECT_NE(table.remove<Apple>(handle), nullptr);
    EXPECT_EQ(table.remove<Apple>(handle), nullptr);
    EXPECT_EQ(table.find<Apple>(handle), nullptr);
  }
}

TEST(HandleTable, GarbageNamesNothing) {
  HandleTable table;
  table.add(std::make_shared<Apple>());
  for (const uint64_t garbage :
       {uint64_t{0}, uint64_t{1}, uint64_t{2}, ~uint64_t{0}, uint64_t{0x7fff12345678}}) {
    EXPECT_EQ(table.find<Apple>(garbage), nullptr);
  }
}

}  // namespace
}  // namespace outboard::softgpu
