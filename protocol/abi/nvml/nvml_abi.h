// The part of NVML's C interface that our libnvidia-ml.so.1 offers: values and layouts as every
// program compiled against NVML 11 to 13 expects them. NVML's header is not in the CUDA toolkit, so
// they are written down here; sizes are asserted.
#pragma once

#include <cstdint>

namespace outboard::nvml {

// nvmlReturn_t. The numbers are NVML's.
enum class Return : int {
  kSuccess = 0,
  kUninitialized = 1,
  kInvalidArgument = 2,
  kNotSupported = 3,
  kNoPermission = 4,
  kNotFound = 6,
  kInsufficientSize = 7,
  kDriverNotLoaded = 9,
  kTimeout = 10,
  kLibraryNotFound = 12,
  kFunctionNotFound = 13,
  kGpuIsLost = 15,
  kOperatingSystem = 17,
  kArgumentVersionMismatch = 25,
  kUnknown = 999,
};

// nvmlDevice_t: opaque for programs; here the address of one of our Device objects.
struct Device;

inline constexpr unsigned kBusIdBytes = 32;                      // NVML_DEVICE_PCI_BUS_ID_BUFFER_SIZE
inline constexpr unsigned kBusIdLegacyBytes = 16;                // ..._BUFFER_V2_SIZE
inline constexpr unsigned long long kValueNotAvailable = ~0ull;  // NVML_VALUE_NOT_AVAILABLE
inline constexpr unsigned kNoInstance = 0xFFFF'FFFFu;            // gpuInstanceId of a process outside MIG

struct PciInfo {  // nvmlPciInfo_t as of v3
  char bus_id_legacy[kBusIdLegacyBytes];
  unsigned domain, bus, device;
  unsigned pci_device_id, pci_subsystem_id;
  char bus_id[kBusIdBytes];
};
static_assert(sizeof(PciInfo) == 68);

struct Memory {  // nvmlMemory_t, bytes
  unsigned long long total, free, used;
};
static_assert(sizeof(Memory) == 24);

struct MemoryV2 {  // nvmlMemory_v2_t, bytes; version is sizeof | 2 << 24
  unsigned version;
  unsigned long long total, reserved, free, used;
};
static_assert(sizeof(MemoryV2) == 40);
inline constexpr unsigned kMemoryV2Version = sizeof(MemoryV2) | (2u << 24);

struct Bar1Memory {  // nvmlBAR1Memory_t, bytes
  unsigned long long total, free, used;
};

struct Utilization {  // nvmlUtilization_t, percent of the last sample period
  unsigned gpu, memory;
};

struct ProcessV1 {  // nvmlProcessInfo_v1_t
  unsigned pid;
  unsigned long long used_bytes;
};
static_assert(sizeof(ProcessV1) == 16);

struct Process {  // nvmlProcessInfo_t as of v2 and v3
  unsigned pid;
  unsigned long long used_bytes;
  unsigned gpu_instance_id, compute_instance_id;
};
static_assert(sizeof(Process) == 24);

}  // namespace outboard::nvml
