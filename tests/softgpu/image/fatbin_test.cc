#include "server/softgpu/image/fatbin.h"

#include <gtest/gtest.h>

#include "tests/softgpu/image/containers.h"

namespace outboard::softgpu::image {
namespace {

TEST(Fatbin, ListsEntriesInOrder) {
  const auto data = container({entry(2, 80, "elf"), entry(1, 90, "ptx text"), entry(8, 75, "lto")});
  const auto entries = read_fatbin(data);
  ASSERT_TRUE(entries) << entries.error().message;
  ASSERT_EQ(entries->size(), 3u);
  EXPECT_EQ((*entries)[0].kind, EntryKind::kElf);
  EXPECT_EQ((*entries)[1].sm, 90u);
  EXPECT_EQ((*entries)[2].kind, EntryKind::kLtoIr);
}

TEST(Fatbin, ChoosesTheHighestTargetThatFits) {
  const auto data = container(
      {entry(1, 75, "a"), entry(1, 120, "b"), entry(1, 90, "c"), entry(1, 80, "d"), entry(1, 100, "e")});
  const auto ranked = rank_ptx(*read_fatbin(data), 90);
  std::vector<uint32_t> order;
  for (const auto& e : ranked) order.push_back(e.sm);
  EXPECT_EQ(order, (std::vector<uint32_t>{90, 80, 75, 100, 120}));
}

TEST(Fatbin, PrefersTheGenericOfTwoEqualTargets) {
  const auto data = container({entry(1, 90, "specific", kPlainFlags | 0x100000), entry(1, 90, "generic")});
  const auto ranked = rank_ptx(*read_fatbin(data), 90);
  ASSERT_EQ(ranked.size(), 2u);
  EXPECT_EQ(ranked[0].flags, kPlainFlags);
}

TEST(Fatbin, EveryTruncationIsRefused) {
  const auto data = container({entry(1, 90, "some text that is long enough"), entry(1, 80, "more")});
  for (size_t size = 0; size < data.size(); ++size) {
    EXPECT_FALSE(read_fatbin(std::span(data).first(size))) << size;
  }
}

TEST(Fatbin, ClaimsBeyondTheContainerAreRefused) {
  auto data = container({entry(1, 90, "text")});
  put<uint64_t>(data, 16 + 8, uint64_t{1} << 40);  // the entry's payload
  EXPECT_FALSE(read_fatbin(data));
  data = container({entry(1, 90, "text")});
  put<uint64_t>(data, 16 + 8, ~uint64_t{0});
  EXPECT_FALSE(read_fatbin(data));
  data = container({entry(1, 90, "text")});
  put<uint32_t>(data, 16 + 4, 0xffff'ffff);  // the entry's header
  EXPECT_FALSE(read_fatbin(data));
  data = container({entry(1, 90, "text")});
  put<uint64_t>(data, 8, ~uint64_t{0});  // the container
  EXPECT_FALSE(read_fatbin(data));
}

TEST(Fatbin, UnknownVersionIsSaid) {
  auto data = container({});
  put<uint16_t>(data, 4, 2);
  const auto entries = read_fatbin(data);
  ASSERT_FALSE(entries);
  EXPECT_EQ(entries.error().kind, ErrorKind::kUnsupported);
}

}  // namespace
}  // namespace outboard::softgpu::image
