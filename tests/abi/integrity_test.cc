#include "protocol/abi/integrity.h"

#include <gtest/gtest.h>

#include <cstring>
#include <vector>

#include "protocol/abi/hmac_md2.h"

namespace outboard::abi {
namespace {

using Answer = std::array<uint64_t, 2>;

IntegrityQuestion question(std::span<const DeviceIdentity> devices) {
  IntegrityQuestion q;
  q.driver_version = 13000;
  q.version = 13002;
  q.process_id = 0x01020304;
  q.thread_low_bits = 0x05060708;
  q.cudart_table = 0x1112131415161718;
  q.integrity_table = 0x2122232425262728;
  q.integrity_function = 0x3132333435363738;
  q.unix_seconds = 0x4142434445464748;
  q.devices = devices;
  return q;
}

TEST(Integrity, VersionsEndingIn0And1HaveFixedAnswers) {
  IntegrityQuestion q = question({});
  q.version = 13000;
  EXPECT_EQ(integrity_answer(q), (Answer{0x3341181C03CB675C, 0x8ED383AA1F4CD1E8}));
  q.version = 13001;
  EXPECT_EQ(integrity_answer(q), (Answer{0x1841181C03CB675C, 0x8ED383AA1F4CD1E8}));
}

TEST(Integrity, HashesTheFieldsInOrderAndLittleEndian) {
  DeviceIdentity device;
  for (size_t i = 0; i < device.uuid.size(); ++i) device.uuid[i] = static_cast<uint8_t>(0xa0 + i);
  device.pci_domain = 1;
  device.pci_bus = 2;
  device.pci_device = 3;
  const std::vector<uint8_t> message = {
      0xc8, 0x32, 0,    0,    0xca, 0x32, 0,    0,    4,    3,    2,    1,    8,    7,    6,    5,
      0x18, 0x17, 0x16, 0x15, 0x14, 0x13, 0x12, 0x11, 0x28, 0x27, 0x26, 0x25, 0x24, 0x23, 0x22, 0x21,
      0x38, 0x37, 0x36, 0x35, 0x34, 0x33, 0x32, 0x31, 0x48, 0x47, 0x46, 0x45, 0x44, 0x43, 0x42, 0x41,
      0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0xa5, 0xa6, 0xa7, 0xa8, 0xa9, 0xaa, 0xab, 0xac, 0xad, 0xae, 0xaf,
      1,    0,    0,    0,    2,    0,    0,    0,    3,    0,    0,    0};
  const std::vector<uint8_t> key = {0x14, 0x6A, 0xDD, 0xAE, 0x53, 0xA9, 0xA7, 0x52,
                                    0xAA, 0x08, 0x41, 0x36, 0x0B, 0xF5, 0x5A, 0x9F};
  const Md2Digest mac = hmac_md2(key, message);
  Answer expected;
  std::memcpy(expected.data(), mac.data(), sizeof expected);
  EXPECT_EQ(integrity_answer(question({&device, 1})), expected);
}

TEST(Integrity, EveryFieldMatters) {
  DeviceIdentity device;
  const IntegrityQuestion base = question({&device, 1});
  const auto differs = [&](auto change) {
    IntegrityQuestion changed = base;
    change(changed);
    return integrity_answer(changed) != integrity_answer(base);
  };
  EXPECT_TRUE(differs([](auto& q) { q.driver_version++; }));
  EXPECT_TRUE(differs([](auto& q) { q.version = 13003; }));
  EXPECT_TRUE(differs([](auto& q) { q.process_id++; }));
  EXPECT_TRUE(differs([](auto& q) { q.thread_low_bits++; }));
  EXPECT_TRUE(differs([](auto& q) { q.cudart_table++; }));
  EXPECT_TRUE(differs([](auto& q) { q.integrity_table++; }));
  EXPECT_TRUE(differs([](auto& q) { q.integrity_function++; }));
  EXPECT_TRUE(differs([](auto& q) { q.unix_seconds++; }));
  EXPECT_TRUE(differs([](auto& q) { q.devices = {}; }));
}

}  // namespace
}  // namespace outboard::abi
