// CUDA_VISIBLE_DEVICES: which of the server's devices the application sees, and in what order.
// The CUDA runtime does not read it, the driver does (facts: CUDA C++ Programming Guide, "CUDA
// Environment Variables").
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace outboard::client {

using DeviceUuid = std::array<uint8_t, 16>;

// Text form as tools print it: "GPU-xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx".
std::string uuid_text(const DeviceUuid& uuid);

// Server ordinals in the order in which the application shall see them. `value` is the variable's
// text; absent means all devices, empty means none. Entries are ordinals or UUID prefixes
// ("GPU-…"); the list ends before the first entry that names no device, names more
// than one; a device named twice makes no device visible.
std::vector<uint32_t> visible_devices(std::optional<std::string_view> value,
                                      std::span<const DeviceUuid> uuids);

}  // namespace outboard::client
