// The less usual NVML functions, as tools, PyTorch and NCCL call them.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>

#include "protocol/abi/nvml/library.h"
#include "tests/nvml/fake_source.h"

using namespace outboard::nvml;

extern "C" {
Return nvmlInit_v2();
Return nvmlShutdown();
const char* nvmlErrorString(Return);
Return nvmlDeviceGetHandleByIndex_v2(unsigned, Device**);
Return nvmlDeviceGetUtilizationRates(Device*, Utilization*);
Return nvmlDeviceGetTemperature(Device*, int, unsigned*);
Return nvmlDeviceGetTemperatureThreshold(Device*, int, unsigned*);
Return nvmlDeviceGetPowerUsage(Device*, unsigned*);
Return nvmlDeviceGetPerformanceState(Device*, unsigned*);
Return nvmlDeviceGetClockInfo(Device*, int, unsigned*);
Return nvmlDeviceGetMaxClockInfo(Device*, int, unsigned*);
Return nvmlDeviceGetArchitecture(Device*, unsigned*);
Return nvmlDeviceGetEccMode(Device*, unsigned*, unsigned*);
Return nvmlDeviceGetMigMode(Device*, unsigned*, unsigned*);
Return nvmlDeviceIsMigDeviceHandle(Device*, unsigned*);
Return nvmlDeviceGetNvLinkState(Device*, unsigned, int*);
Return nvmlDeviceGetTopologyCommonAncestor(Device*, Device*, int*);
Return nvmlDeviceOnSameBoard(Device*, Device*, int*);
Return nvmlDeviceGetP2PStatus(Device*, Device*, int, int*);
Return nvmlDeviceGetFieldValues(Device*, int, FieldValue*);
Return nvmlEventSetCreate(const void**);
Return nvmlEventSetFree(const void*);
Return nvmlEventSetWait_v2(const void*, EventData*, unsigned);
Return nvmlDeviceRegisterEvents(Device*, unsigned long long, const void*);
Return nvmlDeviceGetSupportedEventTypes(Device*, unsigned long long*);
Return nvmlSystemGetProcessName(unsigned, char*, unsigned);
Return nvmlDeviceGetSerial(Device*, char*, unsigned);
Return nvmlDeviceSetPersistenceMode(Device*, int);
Return nvmlDeviceGetHandleBySerial(const char*, Device**);
}

namespace outboard {
namespace {

class NvmlMore : public testing::Test {
 protected:
  void SetUp() override {
    g_fake = FakeState{};
    g_fake.devices = {a_device(1), a_device(2)};
    g_fake.devices[1].ecc = true;
    ASSERT_EQ(nvmlInit_v2(), Return::kSuccess);
    ASSERT_EQ(nvmlDeviceGetHandleByIndex_v2(0, &first_), Return::kSuccess);
    ASSERT_EQ(nvmlDeviceGetHandleByIndex_v2(1, &second_), Return::kSuccess);
  }
  void TearDown() override { nvmlShutdown(); }
  Device* first_ = nullptr;
  Device* second_ = nullptr;
};

TEST_F(NvmlMore, SensorsThatThereAreAreRead) {
  g_fake.sensors.busy_percent = 42;
  g_fake.sensors.memory_busy_percent = 7;
  g_fake.sensors.temperature_c = 61;
  g_fake.sensors.sm_clock_mhz = 1410;
  g_fake.sensors.performance_state = 2;
  Utilization rates{};
  EXPECT_EQ(nvmlDeviceGetUtilizationRates(first_, &rates), Return::kSuccess);
  EXPECT_EQ(rates.gpu, 42u);
  EXPECT_EQ(rates.memory, 7u);
  unsigned value = 0;
  EXPECT_EQ(nvmlDeviceGetTemperature(first_, 0, &value), Return::kSuccess);
  EXPECT_EQ(value, 61u);
  EXPECT_EQ(nvmlDeviceGetTemperature(first_, 1, &value), Return::kInvalidArgument);
  EXPECT_EQ(nvmlDeviceGetTemperature(first_, 0, nullptr), Return::kInvalidArgument);
  EXPECT_EQ(nvmlDeviceGetTemperatureThreshold(first_, 1, &value), Return::kNotSupported);
  g_fake.sensors.shutdown_c = 95;
  g_fake.sensors.slowdown_c = 90;
  g_fake.sensors.max_device_c = 85;
  EXPECT_EQ(nvmlDeviceGetTemperatureThreshold(first_, 0, &value), Return::kSuccess);
  EXPECT_EQ(value, 95u);
  EXPECT_EQ(nvmlDeviceGetTemperatureThreshold(first_, 1, &value), Return::kSuccess);
  EXPECT_EQ(value, 90u);
  EXPECT_EQ(nvmlDeviceGetTemperatureThreshold(first_, 2, &value), Return::kNotSupported);
  EXPECT_EQ(nvmlDeviceGetTemperatureThreshold(first_, 3, &value), Return::kSuccess);
  EXPECT_EQ(value, 85u);
  EXPECT_EQ(nvmlDeviceGetTemperatureThreshold(first_, 7, &value), Return::kNotSupported);
  EXPECT_EQ(nvmlDeviceGetTemperatureThreshold(first_, 8, &value), Return::kInvalidArgument);
  EXPECT_EQ(nvmlDeviceGetTemperatureThreshold(first_, -1, &value), Return::kInvalidArgument);
  EXPECT_EQ(nvmlDeviceGetTemperatureThreshold(first_, 0, nullptr), Return::kInvalidArgument);
  for (int type : {0, 1}) {
    EXPECT_EQ(nvmlDeviceGetClockInfo(first_, type, &value), Return::kSuccess);
    EXPECT_EQ(value, 1410u);
  }
  EXPECT_EQ(nvmlDeviceGetClockInfo(first_, 2, &value), Return::kNotSupported);
  EXPECT_EQ(nvmlDeviceGetClockInfo(first_, 3, &value), Return::kNotSupported);
  EXPECT_EQ(nvmlDeviceGetClockInfo(first_, 4, &value), Return::kInvalidArgument);
  EXPECT_EQ(nvmlDeviceGetClockInfo(first_, -1, &value), Return::kInvalidArgument);
  EXPECT_EQ(nvmlDeviceGetMaxClockInfo(first_, 1, &value), Return::kSuccess);
  EXPECT_EQ(value, 1500u);
  EXPECT_EQ(nvmlDeviceGetPerformanceState(first_, &value), Return::kSuccess);
  EXPECT_EQ(value, 2u);
  EXPECT_EQ(nvmlDeviceGetPowerUsage(first_, &value), Return::kNotSupported);
}

TEST_F(NvmlMore, FactsOfTheDevice) {
  unsigned value = 0, pending = 9;
  EXPECT_EQ(nvmlDeviceGetArchitecture(first_, &value), Return::kSuccess);
  EXPECT_EQ(value, 9u);  // Hopper
  EXPECT_EQ(architecture(7, 0), 5u);
  EXPECT_EQ(architecture(7, 5), 6u);
  EXPECT_EQ(architecture(8, 6), 7u);
  EXPECT_EQ(architecture(8, 9), 8u);
  EXPECT_EQ(architecture(13, 0), 0xFFFF'FFFFu);
  EXPECT_EQ(nvmlDeviceGetEccMode(first_, &value, &pending), Return::kSuccess);
  EXPECT_EQ(value + pending, 0u);
  EXPECT_EQ(nvmlDeviceGetEccMode(second_, &value, &pending), Return::kSuccess);
  EXPECT_EQ(value + pending, 2u);
  EXPECT_EQ(nvmlDeviceGetMigMode(first_, &value, &pending), Return::kNotSupported);
  EXPECT_EQ(nvmlDeviceIsMigDeviceHandle(first_, &value), Return::kSuccess);
  EXPECT_EQ(value, 0u);
}

TEST_F(NvmlMore, LinksAndNeighbours) {
  int answer = -1;
  EXPECT_EQ(nvmlDeviceGetNvLinkState(first_, 0, &answer), Return::kNotSupported);
  EXPECT_EQ(nvmlDeviceGetNvLinkState(first_, 18, &answer), Return::kInvalidArgument);
  EXPECT_EQ(nvmlDeviceGetTopologyCommonAncestor(first_, first_, &answer), Return::kSuccess);
  EXPECT_EQ(answer, 0);
  EXPECT_EQ(nvmlDeviceGetTopologyCommonAncestor(first_, second_, &answer), Return::kNotSupported);
  EXPECT_EQ(nvmlDeviceOnSameBoard(first_, second_, &answer), Return::kSuccess);
  EXPECT_EQ(answer, 0);
  EXPECT_EQ(nvmlDeviceGetP2PStatus(first_, second_, 0, &answer), Return::kSuccess);
  EXPECT_EQ(answer, 6);  // unknown
  EXPECT_EQ(nvmlDeviceGetP2PStatus(first_, second_, 7, &answer), Return::kInvalidArgument);
  EXPECT_EQ(nvmlDeviceGetP2PStatus(first_, nullptr, 0, &answer), Return::kInvalidArgument);
}

TEST_F(NvmlMore, EachFieldHasItsOwnResult) {
  FieldValue fields[2]{};
  fields[0].field_id = 1;    // the current ECC mode
  fields[1].field_id = 186;  // power
  fields[1].result = Return::kSuccess;
  EXPECT_EQ(nvmlDeviceGetFieldValues(second_, 2, fields), Return::kSuccess);
  EXPECT_EQ(fields[0].result, Return::kSuccess);
  EXPECT_EQ(fields[0].value.unsigned_value, 1u);
  EXPECT_EQ(fields[1].result, Return::kNotSupported);
  EXPECT_EQ(nvmlDeviceGetFieldValues(second_, 1, nullptr), Return::kInvalidArgument);
  EXPECT_EQ(nvmlDeviceGetFieldValues(second_, -1, fields), Return::kInvalidArgument);
}

TEST_F(NvmlMore, NothingHappensInAnEventSet) {
  const void* set = nullptr;
  ASSERT_EQ(nvmlEventSetCreate(&set), Return::kSuccess);
  unsigned long long types = 99;
  EXPECT_EQ(nvmlDeviceGetSupportedEventTypes(first_, &types), Return::kSuccess);
  EXPECT_EQ(types, 0u);
  EXPECT_EQ(nvmlDeviceRegisterEvents(first_, 8, set), Return::kNotSupported);
  EventData data{};
  EXPECT_EQ(nvmlEventSetWait_v2(set, &data, 1), Return::kTimeout);
  EXPECT_EQ(nvmlEventSetFree(set), Return::kSuccess);
  EXPECT_EQ(nvmlEventSetFree(set), Return::kInvalidArgument);
  EXPECT_EQ(nvmlEventSetWait_v2(set, &data, 1), Return::kInvalidArgument);
}

TEST_F(NvmlMore, ProcessesHaveNames) {
  g_fake.processes = {{4711, 1 << 20, "remote program"}};
  char name[64];
  EXPECT_EQ(nvmlSystemGetProcessName(4711, name, sizeof name), Return::kSuccess);
  EXPECT_STREQ(name, "remote program");
  EXPECT_EQ(nvmlSystemGetProcessName(4711, name, 6), Return::kInsufficientSize);
  EXPECT_EQ(nvmlSystemGetProcessName(static_cast<unsigned>(getpid()), name, sizeof name), Return::kSuccess);
  EXPECT_NE(std::strstr(name, "nvml_test"), nullptr) << name;
  EXPECT_EQ(nvmlSystemGetProcessName(0x7FFF'FFF0, name, sizeof name), Return::kNotFound);
}

TEST_F(NvmlMore, WhatIsRefusedIsRefusedInNvmlsTerms) {
  char text[64];
  EXPECT_EQ(nvmlDeviceGetSerial(first_, text, sizeof text), Return::kNotSupported);
  EXPECT_EQ(nvmlDeviceGetSerial(nullptr, text, sizeof text), Return::kInvalidArgument);
  EXPECT_EQ(nvmlDeviceSetPersistenceMode(first_, 1), Return::kNoPermission);
  Device* found = nullptr;
  EXPECT_EQ(nvmlDeviceGetHandleBySerial("123", &found), Return::kNotFound);
  for (int code = 0; code <= 26; ++code) {
    EXPECT_STRNE(nvmlErrorString(static_cast<Return>(code)), "Unknown Error") << code;
  }
  EXPECT_STREQ(nvmlErrorString(static_cast<Return>(12345)), "Unknown Error");
}

}  // namespace
}  // namespace outboard
