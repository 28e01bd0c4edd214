#include "server/device/sensors.h"

#include <iterator>

#include "protocol/abi/nvml/nvml_abi.h"
#include "protocol/base/uuid.h"

namespace outboard::server {
namespace {

using nvml::Device;
using nvml::Return;
using wire::Sensor;

// Our own library for clients says so, and would ask this server.
constexpr const char* kClientMarker = "outboard_client_version";

// nvmlDeviceGetX(device, &value), and with one selector before the value.
using Plain = Return (*)(Device*, unsigned*);
using Selected = Return (*)(Device*, int, unsigned*);
struct PlainSensor {
  Sensor sensor;
  const char* symbol;
};
struct SelectedSensor {
  Sensor sensor;
  const char* symbol;
  int selector;
};
constexpr PlainSensor kPlain[] = {{Sensor::kPowerMilliwatts, "nvmlDeviceGetPowerUsage"},
                                  {Sensor::kPowerLimitMilliwatts, "nvmlDeviceGetEnforcedPowerLimit"},
                                  {Sensor::kFanPercent, "nvmlDeviceGetFanSpeed"},
                                  {Sensor::kPerformanceState, "nvmlDeviceGetPerformanceState"}};
constexpr SelectedSensor kSelected[] = {
    {Sensor::kTemperatureC, "nvmlDeviceGetTemperature", 0},
    {Sensor::kShutdownTemperatureC, "nvmlDeviceGetTemperatureThreshold", nvml::kThresholdShutdown},
    {Sensor::kSlowdownTemperatureC, "nvmlDeviceGetTemperatureThreshold", nvml::kThresholdSlowdown},
    {Sensor::kMaxMemoryTemperatureC, "nvmlDeviceGetTemperatureThreshold", nvml::kThresholdMaxMemory},
    {Sensor::kMaxDeviceTemperatureC, "nvmlDeviceGetTemperatureThreshold", nvml::kThresholdMaxDevice},
    {Sensor::kSmClockMhz, "nvmlDeviceGetClockInfo", nvml::kClockSm},
    {Sensor::kMemoryClockMhz, "nvmlDeviceGetClockInfo", nvml::kClockMemory}};

class Library {
 public:
  Library(const LibraryLoader& loader, void* library) : loader_(loader), library_(library) {}

  template <typename Function>
  Function find(const char* symbol) const {
    return reinterpret_cast<Function>(loader_.symbol(library_, symbol));
  }

  void read(Device* device, wire::DeviceSnapshot& snapshot) const {
    const auto add = [&](Sensor sensor, unsigned value) {
      snapshot.sensors.push_back({static_cast<int32_t>(sensor), value});
    };
    nvml::Utilization busy{};
    const auto utilization = find<Return (*)(Device*, nvml::Utilization*)>("nvmlDeviceGetUtilizationRates");
    if (utilization != nullptr && utilization(device, &busy) == Return::kSuccess) {
      add(Sensor::kBusyPercent, busy.gpu);
      add(Sensor::kMemoryBusyPercent, busy.memory);
    }
    unsigned value = 0;
    for (const PlainSensor& sensor : kPlain) {
      const auto get = find<Plain>(sensor.symbol);
      if (get != nullptr && get(device, &value) == Return::kSuccess) add(sensor.sensor, value);
    }
    for (const SelectedSensor& sensor : kSelected) {
      const auto get = find<Selected>(sensor.symbol);
      if (get != nullptr && get(device, sensor.selector, &value) == Return::kSuccess)
        add(sensor.sensor, value);
    }
  }

 private:
  const LibraryLoader& loader_;
  void* library_;
};

}  // namespace

std::string management_library_of(const DriverLibrary& driver) {
  const std::string name = "libnvidia-ml.so.1";
  const size_t slash = driver.path().rfind('/');
  if (!driver.is_software_device() || slash == std::string::npos) return name;
  return driver.path().substr(0, slash + 1) + name;
}

void read_sensors(const LibraryLoader& loader, const std::string& library,
                  std::vector<wire::DeviceSnapshot>& devices) {
  std::string error;
  void* const opened = loader.open(library, error);
  if (opened == nullptr || loader.symbol(opened, kClientMarker) != nullptr) return;
  const Library nvml(loader, opened);
  const auto init = nvml.find<Return (*)()>("nvmlInit_v2");
  const auto find_device = nvml.find<Return (*)(const char*, Device**)>("nvmlDeviceGetHandleByUUID");
  if (init == nullptr || find_device == nullptr || init() != Return::kSuccess) return;
  for (wire::DeviceSnapshot& snapshot : devices) {
    Device* device = nullptr;
    if (find_device(gpu_uuid_text(snapshot.uuid).c_str(), &device) == Return::kSuccess)
      nvml.read(device, snapshot);
  }
  const auto shutdown = nvml.find<Return (*)()>("nvmlShutdown");
  if (shutdown != nullptr) shutdown();
}

}  // namespace outboard::server
