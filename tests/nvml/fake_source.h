// The devices that the tests' libnvidia-ml shows: whatever a test puts into g_fake.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "protocol/abi/nvml/source.h"

namespace outboard::nvml {

struct FakeState {
  std::optional<ErrorKind> open_error;
  std::vector<DeviceFacts> devices;
  uint64_t used_bytes = 0;
  std::vector<ProcessUse> processes;
  Sensors sensors;
};
inline FakeState g_fake;

inline DeviceFacts a_device(uint8_t number) {
  DeviceFacts facts;
  facts.name = "Device " + std::to_string(number);
  for (size_t i = 0; i < 16; ++i) facts.uuid[i] = static_cast<uint8_t>(number * 16 + i);
  facts.pci_bus = 0x3b;
  facts.pci_device = number;
  facts.compute_major = 9;
  facts.total_bytes = 8ull << 30;
  facts.sm_clock_mhz = 1500;
  return facts;
}

}  // namespace outboard::nvml
