// Sensors come from whatever management library there is, and only for devices that it knows.
#include "server/device/sensors.h"

#include <gtest/gtest.h>

#include <map>

#include "protocol/abi/nvml/nvml_abi.h"

namespace outboard::server {
namespace {

using nvml::Device;
using nvml::Return;

int g_shutdowns = 0;
Return g_init = Return::kSuccess;

Return init() { return g_init; }
Return shutdown_library() { return ++g_shutdowns, Return::kSuccess; }
Return find_device(const char* uuid, Device** device) {
  if (std::string(uuid) != "GPU-01010101-0101-0101-0101-010101010101") return Return::kNotFound;
  *device = reinterpret_cast<Device*>(0x10);
  return Return::kSuccess;
}
Return utilization(Device*, nvml::Utilization* busy) { return *busy = {30, 20}, Return::kSuccess; }
Return temperature(Device*, int, unsigned* value) { return *value = 55, Return::kSuccess; }
Return threshold(Device*, int which, unsigned* value) {
  if (which == nvml::kThresholdMaxMemory) return Return::kNotSupported;
  return *value = 90 + static_cast<unsigned>(which), Return::kSuccess;
}
Return power(Device*, unsigned*) { return Return::kNotSupported; }
Return clock_info(Device*, int type, unsigned* value) {
  return *value = type == 1 ? 1400 : 900, Return::kSuccess;
}

class SensorsTest : public testing::Test {
 protected:
  SensorsTest() {
    g_shutdowns = 0;
    g_init = Return::kSuccess;
    devices_[0].uuid.fill(1);
    devices_[1].uuid.fill(2);
  }
  void read() {
    LibraryLoader loader;
    loader.open = [this](const std::string& path, std::string&) -> void* {
      return path == "/lib/nvml" ? &symbols_ : nullptr;
    };
    loader.symbol = [this](void*, const char* name) -> void* {
      const auto found = symbols_.find(name);
      return found == symbols_.end() ? nullptr : found->second;
    };
    read_sensors(loader, library_, devices_);
  }
  std::string library_ = "/lib/nvml";
  std::map<std::string, void*> symbols_{
      {"nvmlInit_v2", reinterpret_cast<void*>(&init)},
      {"nvmlShutdown", reinterpret_cast<void*>(&shutdown_library)},
      {"nvmlDeviceGetHandleByUUID", reinterpret_cast<void*>(&find_device)},
      {"nvmlDeviceGetUtilizationRates", reinterpret_cast<void*>(&utilization)},
      {"nvmlDeviceGetTemperature", reinterpret_cast<void*>(&temperature)},
      {"nvmlDeviceGetTemperatureThreshold", reinterpret_cast<void*>(&threshold)},
      {"nvmlDeviceGetPowerUsage", reinterpret_cast<void*>(&power)},
      {"nvmlDeviceGetClockInfo", reinterpret_cast<void*>(&clock_info)}};
  std::vector<wire::DeviceSnapshot> devices_{2};
};

TEST_F(SensorsTest, WhatTheLibraryKnowsOfADevice) {
  read();
  const std::vector<wire::AttributeValue> expected{{1, 30},  {2, 20},  {3, 55},   {10, 90},
                                                   {11, 91}, {13, 93}, {7, 1400}, {8, 900}};
  EXPECT_EQ(devices_[0].sensors, expected);
  EXPECT_TRUE(devices_[1].sensors.empty());
  EXPECT_EQ(g_shutdowns, 1);
}

TEST_F(SensorsTest, WithoutALibraryThereAreNone) {
  library_ = "/lib/other";
  read();
  EXPECT_TRUE(devices_[0].sensors.empty());
}

TEST_F(SensorsTest, ALibraryThatDoesNotStartIsLeftAlone) {
  g_init = Return::kDriverNotLoaded;
  read();
  EXPECT_TRUE(devices_[0].sensors.empty());
  EXPECT_EQ(g_shutdowns, 0);
}

TEST_F(SensorsTest, OurOwnClientsLibraryWouldAskUs) {
  symbols_["outboard_client_version"] = &symbols_;
  read();
  EXPECT_TRUE(devices_[0].sensors.empty());
}

}  // namespace
}  // namespace outboard::server
