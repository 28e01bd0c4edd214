#include "client-lib/state/devices.h"

#include <algorithm>

#include "client-lib/state/visible_devices.h"

namespace outboard::client {
namespace {

// What no device has whose memory is on another machine, whatever the server's driver says. Programs
// choose by these how they use memory that host and device share (docs/adr/0006).
constexpr CUdevice_attribute kNeedsOneMachine[] = {
    CU_DEVICE_ATTRIBUTE_CONCURRENT_MANAGED_ACCESS,
    CU_DEVICE_ATTRIBUTE_PAGEABLE_MEMORY_ACCESS,
    CU_DEVICE_ATTRIBUTE_PAGEABLE_MEMORY_ACCESS_USES_HOST_PAGE_TABLES,
    CU_DEVICE_ATTRIBUTE_DIRECT_MANAGED_MEM_ACCESS_FROM_HOST,
    CU_DEVICE_ATTRIBUTE_CAN_USE_HOST_POINTER_FOR_REGISTERED_MEM,
    CU_DEVICE_ATTRIBUTE_HOST_NATIVE_ATOMIC_SUPPORTED,
};

}  // namespace

Device::Device(uint32_t ordinal, wire::DeviceSnapshot from)
    : server_ordinal(ordinal), snapshot(std::move(from)), values_(kAttributes), known_(kAttributes) {
  for (const wire::AttributeValue& attribute : snapshot.attributes) {
    const auto id = static_cast<uint32_t>(attribute.id);
    if (id >= kAttributes) continue;  // of a driver newer than we can ask about
    values_[id] = static_cast<int32_t>(attribute.value);
    known_[id] = true;
  }
  for (const CUdevice_attribute id : kNeedsOneMachine) values_[static_cast<size_t>(id)] = 0;
}

Devices::Devices(std::vector<wire::DeviceSnapshot> snapshots, std::optional<std::string_view> visible) {
  std::vector<DeviceUuid> uuids;
  for (wire::DeviceSnapshot& snapshot : snapshots) {
    uuids.push_back(snapshot.uuid);
    const auto ordinal = static_cast<uint32_t>(all_.size());
    all_.emplace_back(ordinal, std::move(snapshot));
  }
  visible_ = visible_devices(visible, uuids);
}

std::optional<CUdevice> Devices::number_of(uint32_t server_ordinal) const {
  const auto it = std::find(visible_.begin(), visible_.end(), server_ordinal);
  if (it == visible_.end()) return std::nullopt;
  return static_cast<CUdevice>(it - visible_.begin());
}

}  // namespace outboard::client
