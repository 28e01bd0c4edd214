// The devices that the application sees, completely known since the handshake.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "protocol/abi/cuda_abi_gen.h"
#include "protocol/wire/handshake.h"

namespace outboard::client {

// One device under its server ordinal.
struct Device {
  uint32_t server_ordinal = 0;
  wire::DeviceSnapshot snapshot;

  explicit Device(uint32_t ordinal, wire::DeviceSnapshot from);
  // Nothing for attributes that the server's driver does not know.
  std::optional<int32_t> attribute(uint32_t id) const {
    return id < kAttributes && known_[id] ? std::optional<int32_t>(values_[id]) : std::nullopt;
  }
  int32_t attribute_or(uint32_t id, int32_t otherwise) const { return attribute(id).value_or(otherwise); }

 private:
  static constexpr uint32_t kAttributes = 1024;  // limits::kDeviceAttributes
  std::vector<int32_t> values_;
  std::vector<bool> known_;
};

// Immutable after construction; any thread.
class Devices {
 public:
  Devices() = default;
  // `visible`: the text of CUDA_VISIBLE_DEVICES, absent if unset.
  Devices(std::vector<wire::DeviceSnapshot> snapshots, std::optional<std::string_view> visible);

  // What the application sees.
  int count() const { return static_cast<int>(visible_.size()); }
  // By the application's number; null if out of range.
  const Device* visible(CUdevice device) const {
    if (device < 0 || device >= count()) return nullptr;
    return &all_[visible_[static_cast<size_t>(device)]];
  }
  // By the server's ordinal; null if out of range.
  const Device* on_server(uint32_t ordinal) const { return ordinal < all_.size() ? &all_[ordinal] : nullptr; }
  // The application's number of a server ordinal, nothing if it is hidden.
  std::optional<CUdevice> number_of(uint32_t server_ordinal) const;
  // Of the server, hidden ones included.
  uint32_t server_count() const { return static_cast<uint32_t>(all_.size()); }

 private:
  std::vector<Device> all_;        // by server ordinal
  std::vector<uint32_t> visible_;  // server ordinals by the application's number
};

}  // namespace outboard::client
