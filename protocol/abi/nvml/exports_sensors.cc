// NVML's functions that measure: utilisation, temperature, power, clocks.
#include <iterator>

#include "protocol/abi/nvml/exports.h"

using outboard::nvml::Device;
using outboard::nvml::give;
using outboard::nvml::Return;
using outboard::nvml::Sensors;
using outboard::nvml::Source;
using outboard::nvml::Utilization;
using outboard::nvml::with_device;
using outboard::nvml::with_source;

namespace {

// Runs body(sensors) with what the device's sensors say now.
template <typename Body>
Return with_sensors(Device* device, Body&& body) {
  return with_source(device, [&](const Device& known, Source& source) {
    const auto sensors = source.sensors(known.index);
    return sensors ? body(*sensors) : outboard::nvml::to_return(sensors.error().kind);
  });
}

Return give_sensor(Device* device, std::optional<unsigned> Sensors::* sensor, unsigned* out) {
  if (out == nullptr) return with_device(device, [](const Device&) { return Return::kInvalidArgument; });
  return with_sensors(device, [&](const Sensors& sensors) {
    return sensors.*sensor ? give(out, *(sensors.*sensor)) : Return::kNotSupported;
  });
}

bool is_clock(int type) { return type >= 0 && type <= outboard::nvml::kClockVideo; }

}  // namespace

NVML_API Return nvmlDeviceGetUtilizationRates(Device* device, Utilization* rates) {
  return with_sensors(device, [&](const Sensors& sensors) {
    if (!sensors.busy_percent) return Return::kNotSupported;
    return give(rates, Utilization{*sensors.busy_percent, sensors.memory_busy_percent.value_or(0)});
  });
}

// The sensor of the chip, 0, is the only one that NVML has.
NVML_API Return nvmlDeviceGetTemperature(Device* device, int sensor, unsigned* celsius) {
  if (sensor != 0) return with_device(device, [](const Device&) { return Return::kInvalidArgument; });
  return give_sensor(device, &Sensors::temperature_c, celsius);
}

NVML_API Return nvmlDeviceGetTemperatureThreshold(Device* device, int threshold, unsigned* celsius) {
  constexpr std::optional<unsigned> Sensors::* kKnown[] = {&Sensors::shutdown_c, &Sensors::slowdown_c,
                                                           &Sensors::max_memory_c, &Sensors::max_device_c};
  if (threshold < 0 || threshold >= outboard::nvml::kThresholds)
    return with_device(device, [](const Device&) { return Return::kInvalidArgument; });
  if (static_cast<size_t>(threshold) >= std::size(kKnown))
    return with_device(device, [](const Device&) { return Return::kNotSupported; });
  return give_sensor(device, kKnown[threshold], celsius);
}

NVML_API Return nvmlDeviceGetPowerUsage(Device* device, unsigned* milliwatts) {
  return give_sensor(device, &Sensors::power_milliwatts, milliwatts);
}
NVML_API Return nvmlDeviceGetEnforcedPowerLimit(Device* device, unsigned* milliwatts) {
  return give_sensor(device, &Sensors::power_limit_milliwatts, milliwatts);
}
NVML_API Return nvmlDeviceGetPowerManagementLimit(Device* device, unsigned* milliwatts) {
  return give_sensor(device, &Sensors::power_limit_milliwatts, milliwatts);
}
NVML_API Return nvmlDeviceGetFanSpeed(Device* device, unsigned* percent) {
  return give_sensor(device, &Sensors::fan_percent, percent);
}

NVML_API Return nvmlDeviceGetPerformanceState(Device* device, unsigned* state) {
  return give_sensor(device, &Sensors::performance_state, state);
}
NVML_API Return nvmlDeviceGetPowerState(Device* device, unsigned* state) {
  return nvmlDeviceGetPerformanceState(device, state);
}

NVML_API Return nvmlDeviceGetClockInfo(Device* device, int type, unsigned* mhz) {
  if (!is_clock(type)) return with_device(device, [](const Device&) { return Return::kInvalidArgument; });
  if (type == outboard::nvml::kClockVideo)
    return with_device(device, [](const Device&) { return Return::kNotSupported; });
  return give_sensor(
      device, type == outboard::nvml::kClockMemory ? &Sensors::memory_clock_mhz : &Sensors::sm_clock_mhz,
      mhz);
}

NVML_API Return nvmlDeviceGetMaxClockInfo(Device* device, int type, unsigned* mhz) {
  return with_device(device, [&](const Device& known) {
    if (!is_clock(type)) return Return::kInvalidArgument;
    const unsigned value =
        type == outboard::nvml::kClockMemory ? known.facts.memory_clock_mhz : known.facts.sm_clock_mhz;
    return value == 0 ? Return::kNotSupported : give(mhz, value);
  });
}
