// The answer to the CUDA runtime's question whether its driver is a driver.
//
// The runtime hashes what both sides know (process, thread, addresses of two tables, device
// identities) and compares. A wrong answer becomes cudaErrorSoftwareValidityNotEstablished (103).
// The answer depends on addresses in this process, so it is computed here, never remotely.
#pragma once

#include <array>
#include <cstdint>
#include <span>

namespace outboard::abi {

// What cuDeviceGetUuid and the PCI attributes say of one visible device, in that order.
struct DeviceIdentity {
  std::array<uint8_t, 16> uuid{};
  int32_t pci_domain = 0;  // CU_DEVICE_ATTRIBUTE_PCI_DOMAIN_ID
  int32_t pci_bus = 0;     // CU_DEVICE_ATTRIBUTE_PCI_BUS_ID
  int32_t pci_device = 0;  // CU_DEVICE_ATTRIBUTE_PCI_DEVICE_ID
};

struct IntegrityQuestion {
  uint32_t driver_version = 0;  // as cuDriverGetVersion says, e.g. 13000
  uint32_t version = 0;         // what the caller passed: its own version + 0, 1 or 2
  uint32_t process_id = 0;
  uint32_t thread_low_bits = 0;  // the lower half of pthread_self()
  uint64_t cudart_table = 0;     // addresses of the tables that cuGetExportTable gave
  uint64_t integrity_table = 0;
  uint64_t integrity_function = 0;          // word 1 of the integrity table
  uint64_t unix_seconds = 0;                // what the caller passed
  std::span<const DeviceIdentity> devices;  // visible ones, in ordinal order
};

// Pure; any thread; cannot fail.
std::array<uint64_t, 2> integrity_answer(const IntegrityQuestion& question);

}  // namespace outboard::abi
