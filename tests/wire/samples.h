// Messages with every field set to something that is not its default.
#pragma once

#include "protocol/wire/envelope.h"

namespace outboard::wire::testing {

inline HelloInfo full_hello() {
  HelloInfo hello;
  hello.protocol_version = 7;
  hello.oldest_protocol_version = 2;
  hello.registry_revision = 300;
  hello.client_version = "0.1.0";
  hello.host_name = "laptop";
  hello.process_id = 4711;
  hello.process_name = "vectorAdd";
  hello.user_id = 1000;
  hello.purpose = SessionPurpose::kQuery;
  hello.requested = {"lease-1", 1u << 20, 30, -2};
  hello.address_holes = {{0x1000, 0x2000}, {0x7000'0000'0000, 1ull << 40}};
  return hello;
}

inline DeviceSnapshot device_snapshot(uint8_t number) {
  DeviceSnapshot device;
  device.name = "Device " + std::to_string(number);
  device.uuid.fill(0xa0);
  device.uuid[15] = number;
  device.luid = {1, 2, 3, 4, 5, 6, 7, 8};
  device.luid_node_mask = 1;
  device.pci_bus_id = "0000:01:00.0";
  device.total_memory_bytes = 80ull << 30;
  device.free_memory_bytes = 79ull << 30;
  device.attributes = {{1, 1024}, {2, -1}, {3, 2'000'000'000'000}};
  device.limits = {{0, 1024}};
  device.least_stream_priority = 0;
  device.greatest_stream_priority = -5;
  device.context_api_version = 3020;
  device.sensors = {{static_cast<int32_t>(Sensor::kTemperatureC), 41}};
  return device;
}

inline WelcomeInfo full_welcome() {
  WelcomeInfo welcome;
  welcome.registry_revision = 301;
  welcome.session_id = 99;
  welcome.server_version = "0.1.0";
  welcome.server_name = "gpu-box";
  welcome.driver_name = "Outboard software device";
  welcome.driver_version = 13000;
  welcome.granted = {"lease-1", 1u << 30, 50, 1};
  welcome.address_range = {0x10'0000'0000, 1u << 20};
  welcome.devices = {device_snapshot(0), device_snapshot(1)};
  welcome.processes = {{4712, "train", 1, 5u << 20}};
  return welcome;
}

}  // namespace outboard::wire::testing
