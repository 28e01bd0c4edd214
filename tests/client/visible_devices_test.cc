#include "client-lib/state/visible_devices.h"

#include <gtest/gtest.h>

namespace outboard::client {
namespace {

using Ordinals = std::vector<uint32_t>;

DeviceUuid uuid(uint8_t first, uint8_t second) {
  DeviceUuid id{};
  id[0] = first;
  id[1] = second;
  return id;
}

const std::vector<DeviceUuid> kThree = {uuid(0xab, 0x01), uuid(0xab, 0x02), uuid(0xcd, 0x03)};

TEST(VisibleDevices, UnsetShowsAllAndEmptyShowsNone) {
  EXPECT_EQ(visible_devices(std::nullopt, kThree), (Ordinals{0, 1, 2}));
  EXPECT_EQ(visible_devices("", kThree), Ordinals{});
  EXPECT_EQ(visible_devices("NoDevFiles", kThree), Ordinals{});
}

TEST(VisibleDevices, OrderIsTheApplicationsOrder) {
  EXPECT_EQ(visible_devices("2,0", kThree), (Ordinals{2, 0}));
  EXPECT_EQ(visible_devices(" 1 , 2 ", kThree), (Ordinals{1, 2}));
}

TEST(VisibleDevices, TheListEndsAtTheFirstInvalidEntry) {
  EXPECT_EQ(visible_devices("0,-1,2", kThree), Ordinals{0});
  EXPECT_EQ(visible_devices("1,3,0", kThree), Ordinals{1});
  EXPECT_EQ(visible_devices("0,,2", kThree), Ordinals{0});
  EXPECT_EQ(visible_devices("0x1", kThree), Ordinals{});
  EXPECT_EQ(visible_devices("99999999999999999999", kThree), Ordinals{});
}

TEST(VisibleDevices, ADeviceNamedTwiceShowsNone) {
  EXPECT_EQ(visible_devices("0,1,0", kThree), Ordinals{});
  EXPECT_EQ(visible_devices("2,GPU-cd", kThree), Ordinals{});
}

TEST(VisibleDevices, UuidPrefixesMustBeUnambiguous) {
  EXPECT_EQ(visible_devices("GPU-cd", kThree), Ordinals{2});
  EXPECT_EQ(visible_devices("gpu-AB02,GPU-cd", kThree), (Ordinals{1, 2}));
  EXPECT_EQ(visible_devices("GPU-ab", kThree), Ordinals{});
  EXPECT_EQ(visible_devices("GPU-ef", kThree), Ordinals{});
  EXPECT_EQ(visible_devices(uuid_text(kThree[1]), kThree), Ordinals{1});
}

TEST(VisibleDevices, UuidTextHasTheFamiliarForm) {
  DeviceUuid id{};
  for (uint8_t i = 0; i < 16; ++i) id[i] = i;
  EXPECT_EQ(uuid_text(id), "GPU-00010203-0405-0607-0809-0a0b0c0d0e0f");
}

}  // namespace
}  // namespace outboard::client
