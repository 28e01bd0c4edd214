// What the software device's libnvidia-ml.so.1 answers: from the state that processes share, without
// loading the device.
#include <cstdlib>

#include "protocol/abi/nvml/source.h"
#include "server/softgpu/device/attributes.h"
#include "server/softgpu/device/config.h"
#include "server/softgpu/device/device.h"
#include "server/softgpu/device/shared_state.h"

namespace outboard::nvml {
namespace {

using softgpu::DeviceConfig;
using softgpu::SharedState;

int attribute(const DeviceConfig& config, uint32_t device, int id) {
  int value = 0;
  (void)softgpu::device_attribute({static_cast<int>(device), config.cores, config.compute_capability}, id,
                                  &value);
  return value;
}

DeviceFacts facts_of(const DeviceConfig& config, uint32_t device) {
  DeviceFacts facts;
  facts.name = softgpu::kDeviceName;
  facts.uuid = softgpu::device_uuid(config.host_identity, device);
  facts.pci_domain = static_cast<uint32_t>(attribute(config, device, CU_DEVICE_ATTRIBUTE_PCI_DOMAIN_ID));
  facts.pci_bus = static_cast<uint32_t>(attribute(config, device, CU_DEVICE_ATTRIBUTE_PCI_BUS_ID));
  facts.pci_device = static_cast<uint32_t>(attribute(config, device, CU_DEVICE_ATTRIBUTE_PCI_DEVICE_ID));
  facts.compute_major = attribute(config, device, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR);
  facts.compute_minor = attribute(config, device, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR);
  facts.multiprocessors = attribute(config, device, CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT);
  facts.total_bytes = config.memory_bytes;
  facts.sm_clock_mhz =
      static_cast<uint32_t>(attribute(config, device, CU_DEVICE_ATTRIBUTE_CLOCK_RATE)) / 1000;
  facts.memory_clock_mhz =
      static_cast<uint32_t>(attribute(config, device, CU_DEVICE_ATTRIBUTE_MEMORY_CLOCK_RATE)) / 1000;
  facts.memory_bus_bits =
      static_cast<uint32_t>(attribute(config, device, CU_DEVICE_ATTRIBUTE_GLOBAL_MEMORY_BUS_WIDTH));
  return facts;
}

// All devices of the host: like NVML, it does not look at CUDA_VISIBLE_DEVICES.
class SharedStateSource final : public Source {
 public:
  explicit SharedStateSource(const DeviceConfig& config) {
    for (uint32_t i = 0; i < config.devices; ++i) {
      facts_.push_back(facts_of(config, i));
      states_.push_back(SharedState::open(config.state_folder, i));
    }
  }

  std::string driver_version() const override { return "outboard-softgpu " OUTBOARD_VERSION; }
  int cuda_driver_version() const override { return softgpu::kDriverVersion; }
  const std::vector<DeviceFacts>& devices() const override { return facts_; }

  Result<MemoryUse> memory(size_t device) override {
    return MemoryUse{facts_[device].total_bytes, states_[device]->used_bytes()};
  }

  Result<Sensors> sensors(size_t device) override {
    Sensors sensors;
    sensors.busy_percent = states_[device]->utilisation_percent(monotonic_ns());
    sensors.memory_busy_percent = 0;  // memory is not measured apart
    return sensors;
  }

  Result<std::vector<ProcessUse>> processes(size_t device) override {
    std::vector<ProcessUse> found;
    for (const softgpu::ProcessUse& use : states_[device]->processes()) {
      found.push_back({static_cast<uint32_t>(use.pid), use.used_bytes, {}});
    }
    return found;
  }

 private:
  std::vector<DeviceFacts> facts_;
  std::vector<std::unique_ptr<SharedState>> states_;
};

}  // namespace

Result<std::unique_ptr<Source>> open_source() {
  const auto config = softgpu::read_config([](const char* name) -> const char* { return std::getenv(name); });
  if (!config) return fail(config);
  return std::make_unique<SharedStateSource>(*config);
}

}  // namespace outboard::nvml
