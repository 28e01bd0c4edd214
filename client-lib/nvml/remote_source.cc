// The client's libnvidia-ml.so.1: what the server says of the devices under this client's lease.
#include <algorithm>

#include "client-lib/nvml/remote_source.h"

namespace outboard::nvml {
namespace {

// CUdevice_attribute numbers of CUDA 13.0 that NVML's facts come from.
enum Attribute : int32_t {
  kClockRateKhz = 13,
  kMultiprocessors = 16,
  kEcc = 32,
  kMemoryClockKhz = 36,
  kMemoryBusBits = 37,
  kPciBus = 33,
  kPciDevice = 34,
  kPciDomain = 50,
  kComputeMajor = 75,
  kComputeMinor = 76,
};

// Null for a sensor of a later version.
std::optional<unsigned>* sensor_of(Sensors& sensors, int32_t id) {
  switch (static_cast<wire::Sensor>(id)) {
    case wire::Sensor::kBusyPercent: return &sensors.busy_percent;
    case wire::Sensor::kMemoryBusyPercent: return &sensors.memory_busy_percent;
    case wire::Sensor::kTemperatureC: return &sensors.temperature_c;
    case wire::Sensor::kPowerMilliwatts: return &sensors.power_milliwatts;
    case wire::Sensor::kPowerLimitMilliwatts: return &sensors.power_limit_milliwatts;
    case wire::Sensor::kFanPercent: return &sensors.fan_percent;
    case wire::Sensor::kSmClockMhz: return &sensors.sm_clock_mhz;
    case wire::Sensor::kMemoryClockMhz: return &sensors.memory_clock_mhz;
    case wire::Sensor::kPerformanceState: return &sensors.performance_state;
    case wire::Sensor::kShutdownTemperatureC: return &sensors.shutdown_c;
    case wire::Sensor::kSlowdownTemperatureC: return &sensors.slowdown_c;
    case wire::Sensor::kMaxMemoryTemperatureC: return &sensors.max_memory_c;
    case wire::Sensor::kMaxDeviceTemperatureC: return &sensors.max_device_c;
  }
  return nullptr;
}

int64_t attribute(const wire::DeviceSnapshot& device, int32_t id) {
  auto found = std::find_if(device.attributes.begin(), device.attributes.end(),
                            [id](const wire::AttributeValue& a) { return a.id == id; });
  return found == device.attributes.end() ? 0 : found->value;
}

DeviceFacts facts_of(const wire::DeviceSnapshot& device) {
  DeviceFacts facts;
  facts.name = device.name;
  facts.uuid = device.uuid;
  facts.pci_domain = static_cast<uint32_t>(attribute(device, kPciDomain));
  facts.pci_bus = static_cast<uint32_t>(attribute(device, kPciBus));
  facts.pci_device = static_cast<uint32_t>(attribute(device, kPciDevice));
  facts.compute_major = static_cast<int>(attribute(device, kComputeMajor));
  facts.compute_minor = static_cast<int>(attribute(device, kComputeMinor));
  facts.multiprocessors = static_cast<int>(attribute(device, kMultiprocessors));
  facts.total_bytes = device.total_memory_bytes;
  facts.sm_clock_mhz = static_cast<uint32_t>(attribute(device, kClockRateKhz) / 1000);
  facts.memory_clock_mhz = static_cast<uint32_t>(attribute(device, kMemoryClockKhz) / 1000);
  facts.ecc = attribute(device, kEcc) != 0;
  facts.memory_bus_bits = static_cast<uint32_t>(attribute(device, kMemoryBusBits));
  return facts;
}

}  // namespace

Result<std::unique_ptr<Source>> RemoteSource::open(Greet greet, const Clock& clock) {
  auto source = std::unique_ptr<RemoteSource>(new RemoteSource(std::move(greet), clock));
  if (auto fresh = source->refresh(); !fresh) return fail(fresh);
  for (const auto& device : source->welcome_.devices) source->facts_.push_back(facts_of(device));
  return std::unique_ptr<Source>(std::move(source));
}

std::string RemoteSource::driver_version() const {
  // NVML's form is digits and dots; which driver it is stands in the devices' names.
  std::lock_guard lock(mutex_);
  return std::to_string(welcome_.driver_version / 1000) + "." +
         std::to_string(welcome_.driver_version % 1000 / 10);
}

int RemoteSource::cuda_driver_version() const {
  std::lock_guard lock(mutex_);
  return welcome_.driver_version;
}

Result<MemoryUse> RemoteSource::memory(size_t device) {
  std::lock_guard lock(mutex_);
  if (auto fresh = refresh_if_stale(); !fresh) return fail(fresh);
  if (device >= welcome_.devices.size())
    return fail(ErrorKind::kDisconnected, "The server no longer has device " + std::to_string(device) + ".");
  const auto& now = welcome_.devices[device];
  const uint64_t free_bytes = std::min(now.free_memory_bytes, now.total_memory_bytes);
  return MemoryUse{now.total_memory_bytes, now.total_memory_bytes - free_bytes};
}

Result<Sensors> RemoteSource::sensors(size_t device) {
  std::lock_guard lock(mutex_);
  if (auto fresh = refresh_if_stale(); !fresh) return fail(fresh);
  Sensors sensors;
  if (device >= welcome_.devices.size()) return sensors;
  for (const wire::AttributeValue& entry : welcome_.devices[device].sensors) {
    if (std::optional<unsigned>* sensor = sensor_of(sensors, entry.id))
      *sensor = static_cast<unsigned>(std::clamp<int64_t>(entry.value, 0, UINT32_MAX));
  }
  return sensors;
}

Result<std::vector<ProcessUse>> RemoteSource::processes(size_t device) {
  std::lock_guard lock(mutex_);
  if (auto fresh = refresh_if_stale(); !fresh) return fail(fresh);
  std::vector<ProcessUse> found;
  for (const wire::ProcessInfo& process : welcome_.processes) {
    if (process.device == device)
      found.push_back({process.process_id, process.memory_bytes, process.process_name});
  }
  return found;
}

Status RemoteSource::refresh_if_stale() {
  return clock_.now() - asked_at_ < kFreshFor ? Status() : refresh();
}

Status RemoteSource::refresh() {
  auto welcome = greet_();
  if (!welcome) return fail(welcome);
  welcome_ = std::move(*welcome);
  asked_at_ = clock_.now();
  return {};
}

}  // namespace outboard::nvml
