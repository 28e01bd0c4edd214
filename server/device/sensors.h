// What the machine's management library (NVML) measures of devices: utilisation, temperature, power.
#pragma once

#include <string>
#include <vector>

#include "protocol/wire/handshake.h"
#include "server/device/driver_library.h"

namespace outboard::server {

// The libnvidia-ml.so.1 that belongs to a driver: beside the software device, else the system's.
std::string management_library_of(const DriverLibrary& driver);

// Adds to each device the sensors that the library knows. Without a library, or for a device that it
// does not know, nothing.
void read_sensors(const LibraryLoader& loader, const std::string& library,
                  std::vector<wire::DeviceSnapshot>& devices);

}  // namespace outboard::server
