// Where a libnvidia-ml.so.1 of ours takes its answers from. The client's asks the server; the
// software device's reads the device's shared state.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "protocol/base/result.h"

namespace outboard::nvml {

struct DeviceFacts {
  std::string name;
  std::array<uint8_t, 16> uuid{};
  uint32_t pci_domain = 0, pci_bus = 0, pci_device = 0;
  int compute_major = 0, compute_minor = 0;
  int multiprocessors = 0;
  uint64_t total_bytes = 0;  // what the caller may use: the lease, not the card, on a remote device
  uint32_t sm_clock_mhz = 0, memory_clock_mhz = 0;  // maximum clocks; 0: not known
  uint32_t memory_bus_bits = 0;
  bool ecc = false;
};

struct MemoryUse {
  uint64_t total_bytes = 0;
  uint64_t used_bytes = 0;
};

struct ProcessUse {
  uint32_t pid = 0;
  uint64_t used_bytes = 0;
  std::string name;  // empty: look it up in /proc
};

// What can be measured; absent where the other side cannot tell.
struct Sensors {
  std::optional<unsigned> busy_percent, memory_busy_percent;
  std::optional<unsigned> temperature_c, fan_percent;
  std::optional<unsigned> power_milliwatts, power_limit_milliwatts;
  std::optional<unsigned> sm_clock_mhz, memory_clock_mhz;
  std::optional<unsigned> performance_state;
  std::optional<unsigned> shutdown_c, slowdown_c, max_memory_c, max_device_c;  // temperatures
};

// Threads: every member may be called from any thread.
class Source {
 public:
  virtual ~Source() = default;
  virtual std::string driver_version() const = 0;  // "580.65" style; ours says what drives the device
  virtual int cuda_driver_version() const = 0;     // 13000 style
  virtual const std::vector<DeviceFacts>& devices() const = 0;  // stable for the Source's life
  // kUnsupported where the other side cannot tell.
  virtual Result<MemoryUse> memory(size_t device) = 0;
  virtual Result<Sensors> sensors(size_t device) = 0;
  virtual Result<std::vector<ProcessUse>> processes(size_t device) = 0;
};

// Each library defines this: called by the first nvmlInit, and again by one after nvmlShutdown.
// An error here becomes nvmlInit's return value.
Result<std::unique_ptr<Source>> open_source();

}  // namespace outboard::nvml
