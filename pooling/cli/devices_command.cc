#include <cstdio>
#include <nlohmann/json.hpp>

#include "pooling/cli/commands.h"
#include "pooling/cli/server_query.h"
#include "protocol/abi/cuda_abi_gen.h"
#include "protocol/base/bytes.h"
#include "protocol/base/uuid.h"

namespace outboard::cli {
namespace {

int64_t attribute(const wire::DeviceSnapshot& device, CUdevice_attribute id) {
  for (const wire::AttributeValue& entry : device.attributes) {
    if (entry.id == static_cast<int32_t>(id)) return entry.value;
  }
  return 0;
}

std::string capability(const wire::DeviceSnapshot& device) {
  return std::to_string(attribute(device, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)) + "." +
         std::to_string(attribute(device, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR));
}

std::string driver_version_text(int32_t version) {  // 13000 -> "13.0"
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

void print_table(const ServerAnswer& answer) {
  const wire::WelcomeInfo& welcome = answer.welcome;
  std::printf("server %s %s over %s, driver %s %s\n", welcome.server_name.c_str(),
              welcome.server_version.c_str(), answer.transport.c_str(), welcome.driver_name.c_str(),
              driver_version_text(welcome.driver_version).c_str());
  std::printf("%-3s %-34s %-6s %4s %11s %11s  %s\n", "ID", "NAME", "CC", "SMS", "MEMORY", "FREE", "UUID");
  for (size_t i = 0; i < welcome.devices.size(); ++i) {
    const wire::DeviceSnapshot& device = welcome.devices[i];
    std::printf("%-3zu %-34s %-6s %4lld %11s %11s  %s\n", i, device.name.c_str(), capability(device).c_str(),
                static_cast<long long>(attribute(device, CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)),
                human_bytes(device.total_memory_bytes).c_str(), human_bytes(device.free_memory_bytes).c_str(),
                gpu_uuid_text(device.uuid).c_str());
  }
  if (welcome.devices.empty()) std::printf("(the server has no device)\n");
}

void print_json(const ServerAnswer& answer) {
  const wire::WelcomeInfo& welcome = answer.welcome;
  nlohmann::ordered_json devices = nlohmann::ordered_json::array();
  for (const wire::DeviceSnapshot& device : welcome.devices) {
    devices.push_back({{"name", device.name},
                       {"uuid", gpu_uuid_text(device.uuid)},
                       {"compute_capability", capability(device)},
                       {"multiprocessors", attribute(device, CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)},
                       {"memory_total_bytes", device.total_memory_bytes},
                       {"memory_free_bytes", device.free_memory_bytes},
                       {"pci_bus_id", device.pci_bus_id}});
  }
  const nlohmann::ordered_json document = {{"server", welcome.server_name},
                                           {"server_version", welcome.server_version},
                                           {"transport", answer.transport},
                                           {"protocol_version", welcome.protocol_version},
                                           {"driver", welcome.driver_name},
                                           {"driver_version", welcome.driver_version},
                                           {"devices", devices}};
  // Names come from another machine: what is not UTF-8 is replaced, not thrown about.
  std::printf("%s\n", document.dump(2, ' ', false, nlohmann::json::error_handler_t::replace).c_str());
}

}  // namespace

int devices_command(const DevicesOptions& options) {
  const auto answer = ask_server(options.server, options.driver);
  if (!answer) {
    say(answer.error().message);
    return 1;
  }
  options.format == OutputFormat::kJson ? print_json(*answer) : print_table(*answer);
  return 0;
}

}  // namespace outboard::cli
