// The exported NVML functions over a source of the test's own: what a program that dlopens
// libnvidia-ml.so.1 sees.
#include <gtest/gtest.h>

#include <cstring>

#include "client-lib/nvml/remote_source.h"
#include "protocol/abi/nvml/library.h"
#include "tests/nvml/fake_source.h"

namespace outboard::nvml {
namespace {

class FakeSource final : public Source {
 public:
  std::string driver_version() const override { return "13.0"; }
  int cuda_driver_version() const override { return 13000; }
  const std::vector<DeviceFacts>& devices() const override { return devices_; }
  Result<MemoryUse> memory(size_t device) override {
    return MemoryUse{devices_[device].total_bytes, g_fake.used_bytes};
  }
  Result<Sensors> sensors(size_t) override { return g_fake.sensors; }
  Result<std::vector<ProcessUse>> processes(size_t) override { return g_fake.processes; }

 private:
  std::vector<DeviceFacts> devices_ = g_fake.devices;
};

}  // namespace

Result<std::unique_ptr<Source>> open_source() {
  if (g_fake.open_error) return fail(*g_fake.open_error, "the test said so");
  return std::unique_ptr<Source>(std::make_unique<FakeSource>());
}

}  // namespace outboard::nvml

using namespace outboard::nvml;

extern "C" {
Return nvmlInit_v2();
Return nvmlShutdown();
const char* nvmlErrorString(Return);
Return nvmlDeviceGetCount_v2(unsigned*);
Return nvmlDeviceGetHandleByIndex_v2(unsigned, Device**);
Return nvmlDeviceGetHandleByUUID(const char*, Device**);
Return nvmlDeviceGetHandleByPciBusId_v2(const char*, Device**);
Return nvmlDeviceGetName(Device*, char*, unsigned);
Return nvmlDeviceGetUUID(Device*, char*, unsigned);
Return nvmlDeviceGetPciInfo(Device*, PciInfoV1*);
Return nvmlDeviceGetPciInfo_v2(Device*, PciInfoV2*);
Return nvmlDeviceGetPciInfo_v3(Device*, PciInfo*);
Return nvmlDeviceGetMemoryInfo(Device*, Memory*);
Return nvmlDeviceGetMemoryInfo_v2(Device*, MemoryV2*);
Return nvmlDeviceGetUtilizationRates(Device*, Utilization*);
Return nvmlDeviceGetComputeRunningProcesses_v3(Device*, unsigned*, Process*);
Return nvmlDeviceGetCudaComputeCapability(Device*, int*, int*);
}

namespace outboard {
namespace {

class NvmlTest : public testing::Test {
 protected:
  void SetUp() override {
    g_fake = FakeState{};
    g_fake.devices = {a_device(1), a_device(2)};
  }
  void TearDown() override {
    while (nvmlShutdown() == Return::kSuccess) {
    }
  }
};

TEST_F(NvmlTest, NothingAnswersBeforeInitAndAfterTheLastShutdown) {
  unsigned count = 0;
  EXPECT_EQ(nvmlDeviceGetCount_v2(&count), Return::kUninitialized);
  EXPECT_EQ(nvmlInit_v2(), Return::kSuccess);
  EXPECT_EQ(nvmlInit_v2(), Return::kSuccess);
  EXPECT_EQ(nvmlShutdown(), Return::kSuccess);
  EXPECT_EQ(nvmlDeviceGetCount_v2(&count), Return::kSuccess);
  EXPECT_EQ(count, 2u);
  Device* device = nullptr;
  ASSERT_EQ(nvmlDeviceGetHandleByIndex_v2(0, &device), Return::kSuccess);
  EXPECT_EQ(nvmlShutdown(), Return::kSuccess);
  EXPECT_EQ(nvmlShutdown(), Return::kUninitialized);
  char name[96];
  EXPECT_EQ(nvmlDeviceGetName(device, name, sizeof name), Return::kUninitialized);
}

TEST_F(NvmlTest, AFailedOpenIsInitsAnswer) {
  g_fake.open_error = ErrorKind::kNotFound;
  EXPECT_EQ(nvmlInit_v2(), Return::kDriverNotLoaded);
  EXPECT_STREQ(nvmlErrorString(Return::kDriverNotLoaded), "Driver Not Loaded");
  g_fake.open_error.reset();
  EXPECT_EQ(nvmlInit_v2(), Return::kSuccess);
}

TEST_F(NvmlTest, ADeviceIsFoundByIndexUuidAndBusId) {
  ASSERT_EQ(nvmlInit_v2(), Return::kSuccess);
  Device* by_index = nullptr;
  ASSERT_EQ(nvmlDeviceGetHandleByIndex_v2(1, &by_index), Return::kSuccess);
  char uuid[96];
  ASSERT_EQ(nvmlDeviceGetUUID(by_index, uuid, sizeof uuid), Return::kSuccess);
  EXPECT_STREQ(uuid, "GPU-20212223-2425-2627-2829-2a2b2c2d2e2f");
  Device* by_uuid = nullptr;
  EXPECT_EQ(nvmlDeviceGetHandleByUUID(uuid, &by_uuid), Return::kSuccess);
  EXPECT_EQ(by_uuid, by_index);
  PciInfo pci;
  ASSERT_EQ(nvmlDeviceGetPciInfo_v3(by_index, &pci), Return::kSuccess);
  EXPECT_STREQ(pci.bus_id, "00000000:3B:02.0");
  EXPECT_STREQ(pci.bus_id_legacy, "0000:3B:02.0");
  for (const char* text : {"00000000:3B:02.0", "0000:3b:02.0", "3b:02.0"}) {
    Device* found = nullptr;
    EXPECT_EQ(nvmlDeviceGetHandleByPciBusId_v2(text, &found), Return::kSuccess) << text;
    EXPECT_EQ(found, by_index) << text;
  }
  Device* none = nullptr;
  EXPECT_EQ(nvmlDeviceGetHandleByIndex_v2(2, &none), Return::kInvalidArgument);
  EXPECT_EQ(nvmlDeviceGetHandleByUUID("GPU-0", &none), Return::kNotFound);
}

// The older names must not write behind what programs of their time have room for.
TEST_F(NvmlTest, OlderPciInfosAreSmaller) {
  ASSERT_EQ(nvmlInit_v2(), Return::kSuccess);
  Device* device = nullptr;
  ASSERT_EQ(nvmlDeviceGetHandleByIndex_v2(1, &device), Return::kSuccess);
  struct {
    PciInfoV1 info;
    unsigned behind[9];
  } first;
  std::memset(&first, 0x5a, sizeof first);
  ASSERT_EQ(nvmlDeviceGetPciInfo(device, &first.info), Return::kSuccess);
  EXPECT_STREQ(first.info.bus_id, "0000:3B:02.0");
  EXPECT_EQ(first.info.bus, 0x3bu);
  EXPECT_EQ(first.info.device, 2u);
  for (const unsigned word : first.behind) EXPECT_EQ(word, 0x5a5a5a5au);
  struct {
    PciInfoV2 info;
    unsigned behind[8];
  } second;
  std::memset(&second, 0x5a, sizeof second);
  ASSERT_EQ(nvmlDeviceGetPciInfo_v2(device, &second.info), Return::kSuccess);
  EXPECT_STREQ(second.info.first.bus_id, "0000:3B:02.0");
  EXPECT_EQ(second.info.pci_subsystem_id, 0u);
  for (const unsigned word : second.behind) EXPECT_EQ(word, 0x5a5a5a5au);
  EXPECT_EQ(nvmlDeviceGetPciInfo(device, nullptr), Return::kInvalidArgument);
  EXPECT_EQ(nvmlDeviceGetPciInfo_v2(device, nullptr), Return::kInvalidArgument);
}

TEST_F(NvmlTest, AHandleThatWeNeverGaveIsRefused) {
  ASSERT_EQ(nvmlInit_v2(), Return::kSuccess);
  char name[96];
  EXPECT_EQ(nvmlDeviceGetName(nullptr, name, sizeof name), Return::kInvalidArgument);
  EXPECT_EQ(nvmlDeviceGetName(reinterpret_cast<Device*>(0x1234), name, sizeof name),
            Return::kInvalidArgument);
}

TEST_F(NvmlTest, TextThatDoesNotFitIsNotCut) {
  ASSERT_EQ(nvmlInit_v2(), Return::kSuccess);
  Device* device = nullptr;
  ASSERT_EQ(nvmlDeviceGetHandleByIndex_v2(0, &device), Return::kSuccess);
  char exact[9], small[8] = "before";
  EXPECT_EQ(nvmlDeviceGetName(device, exact, sizeof exact), Return::kSuccess);
  EXPECT_STREQ(exact, "Device 1");
  EXPECT_EQ(nvmlDeviceGetName(device, small, sizeof small), Return::kInsufficientSize);
  EXPECT_STREQ(small, "before");
}

TEST_F(NvmlTest, MemoryInBothVersions) {
  g_fake.used_bytes = 3ull << 30;
  ASSERT_EQ(nvmlInit_v2(), Return::kSuccess);
  Device* device = nullptr;
  ASSERT_EQ(nvmlDeviceGetHandleByIndex_v2(0, &device), Return::kSuccess);
  Memory memory{};
  ASSERT_EQ(nvmlDeviceGetMemoryInfo(device, &memory), Return::kSuccess);
  EXPECT_EQ(memory.total, 8ull << 30);
  EXPECT_EQ(memory.used, 3ull << 30);
  EXPECT_EQ(memory.free, 5ull << 30);
  MemoryV2 second{};
  EXPECT_EQ(nvmlDeviceGetMemoryInfo_v2(device, &second), Return::kArgumentVersionMismatch);
  second.version = kMemoryV2Version;
  ASSERT_EQ(nvmlDeviceGetMemoryInfo_v2(device, &second), Return::kSuccess);
  EXPECT_EQ(second.free, 5ull << 30);
}

TEST_F(NvmlTest, ProcessListsFollowTheTwoCallPattern) {
  g_fake.processes = {{100, 1 << 20, {}}, {200, 2 << 20, {}}};
  ASSERT_EQ(nvmlInit_v2(), Return::kSuccess);
  Device* device = nullptr;
  ASSERT_EQ(nvmlDeviceGetHandleByIndex_v2(0, &device), Return::kSuccess);
  unsigned count = 0;
  EXPECT_EQ(nvmlDeviceGetComputeRunningProcesses_v3(device, &count, nullptr), Return::kInsufficientSize);
  ASSERT_EQ(count, 2u);
  Process infos[2];
  ASSERT_EQ(nvmlDeviceGetComputeRunningProcesses_v3(device, &count, infos), Return::kSuccess);
  EXPECT_EQ(infos[1].pid, 200u);
  EXPECT_EQ(infos[1].used_bytes, 2u << 20);
  EXPECT_EQ(infos[0].gpu_instance_id, kNoInstance);
}

TEST_F(NvmlTest, WhatTheSourceCannotTellIsNotSupported) {
  ASSERT_EQ(nvmlInit_v2(), Return::kSuccess);
  Device* device = nullptr;
  ASSERT_EQ(nvmlDeviceGetHandleByIndex_v2(0, &device), Return::kSuccess);
  Utilization rates{};
  EXPECT_EQ(nvmlDeviceGetUtilizationRates(device, &rates), Return::kNotSupported);
}

// The client's source over a scripted server.
wire::WelcomeInfo a_welcome(uint64_t free_bytes) {
  wire::WelcomeInfo welcome;
  welcome.driver_version = 13000;
  wire::DeviceSnapshot device;
  device.name = "Remote device";
  device.total_memory_bytes = 1000;
  device.free_memory_bytes = free_bytes;
  device.attributes = {{75, 9}, {76, 0}, {33, 0x3b}, {13, 1'500'000}};
  welcome.devices.push_back(device);
  return welcome;
}

TEST(RemoteSource, TakesFactsFromTheWelcomeAndAsksAgainOnlyWhenTheyAreStale) {
  ManualClock clock;
  int greetings = 0;
  auto source = RemoteSource::open(
      [&] { return Result<wire::WelcomeInfo>(a_welcome(900 - 100 * greetings++)); }, clock);
  ASSERT_TRUE(source) << source.error().message;
  EXPECT_EQ((*source)->driver_version(), "13.0");
  ASSERT_EQ((*source)->devices().size(), 1u);
  EXPECT_EQ((*source)->devices()[0].compute_major, 9);
  EXPECT_EQ((*source)->devices()[0].pci_bus, 0x3bu);
  EXPECT_EQ((*source)->devices()[0].sm_clock_mhz, 1500u);
  EXPECT_EQ((*source)->memory(0)->used_bytes, 100u);
  EXPECT_EQ(greetings, 1);
  clock.advance(RemoteSource::kFreshFor);
  EXPECT_EQ((*source)->memory(0)->used_bytes, 200u);
  EXPECT_EQ(greetings, 2);
}

TEST(RemoteSource, SensorsAndProcessesAreTheServers) {
  ManualClock clock;
  auto source = RemoteSource::open(
      [] {
        wire::WelcomeInfo welcome = a_welcome(1);
        welcome.devices.push_back(welcome.devices[0]);
        welcome.devices[1].sensors = {{static_cast<int32_t>(wire::Sensor::kTemperatureC), 51},
                                      {static_cast<int32_t>(wire::Sensor::kSlowdownTemperatureC), 90},
                                      {static_cast<int32_t>(wire::Sensor::kBusyPercent), -3},
                                      {9999, 7}};  // of a later version
        welcome.processes = {{10, "a", 0, 100}, {11, "b", 1, 200}, {12, "c", 7, 300}};
        return Result<wire::WelcomeInfo>(welcome);
      },
      clock);
  ASSERT_TRUE(source);
  EXPECT_FALSE((*source)->sensors(0)->temperature_c);
  const auto sensors = (*source)->sensors(1);
  ASSERT_TRUE(sensors);
  EXPECT_EQ(sensors->temperature_c, 51u);
  EXPECT_EQ(sensors->slowdown_c, 90u);
  EXPECT_EQ(sensors->busy_percent, 0u) << "negative shares do not exist";
  EXPECT_FALSE(sensors->power_milliwatts);
  const auto processes = (*source)->processes(1);
  ASSERT_TRUE(processes);
  ASSERT_EQ(processes->size(), 1u);
  EXPECT_EQ((*processes)[0].pid, 11u);
  EXPECT_EQ((*processes)[0].name, "b");
}

TEST(RemoteSource, AServerThatLeftIsAnErrorNotAnOldFigure) {
  ManualClock clock;
  bool there = true;
  auto source = RemoteSource::open(
      [&]() -> Result<wire::WelcomeInfo> {
        if (!there) return fail(ErrorKind::kDisconnected, "gone");
        return a_welcome(1);
      },
      clock);
  ASSERT_TRUE(source);
  there = false;
  clock.advance(RemoteSource::kFreshFor);
  auto memory = (*source)->memory(0);
  ASSERT_FALSE(memory);
  EXPECT_EQ(memory.error().kind, ErrorKind::kDisconnected);
}

}  // namespace
}  // namespace outboard
