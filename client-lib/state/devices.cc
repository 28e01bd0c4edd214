#include "client-lib/state/devices.h"

#include <algorithm>

#include "client-lib/state/visible_devices.h"

namespace outboard::client {

Device::Device(uint32_t ordinal, wire::DeviceSnapshot from)
    : server_ordinal(ordinal), snapshot(std::move(from)), values_(kAttributes), known_(kAttributes) {
  for (const wire::AttributeValue& attribute : snapshot.attributes) {
    const auto id = static_cast<uint32_t>(attribute.id);
    if (id >= kAttributes) continue;  // of a driver newer than we can ask about
    values_[id] = static_cast<int32_t>(attribute.value);
    known_[id] = true;
  }
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
