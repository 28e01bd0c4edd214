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
  kAlreadyInitialized = 5,
  kNotFound = 6,
  kInsufficientSize = 7,
  kInsufficientPower = 8,
  kDriverNotLoaded = 9,
  kTimeout = 10,
  kIrqIssue = 11,
  kLibraryNotFound = 12,
  kFunctionNotFound = 13,
  kCorruptedInforom = 14,
  kGpuIsLost = 15,
  kResetRequired = 16,
  kOperatingSystem = 17,
  kLibraryVersionMismatch = 18,
  kInUse = 19,
  kMemory = 20,
  kNoData = 21,
  kVgpuEccNotSupported = 22,
  kInsufficientResources = 23,
  kFrequencyNotSupported = 24,
  kArgumentVersionMismatch = 25,
  kDeprecated = 26,
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

// What the older names fill. Programs that were built with them have no room for more.
struct PciInfoV1 {
  char bus_id[kBusIdLegacyBytes];
  unsigned domain, bus, device, pci_device_id;
};
static_assert(sizeof(PciInfoV1) == 32);
struct PciInfoV2 {
  PciInfoV1 first;
  unsigned pci_subsystem_id;  // four reserved words follow, which are left alone
};
static_assert(sizeof(PciInfoV2) == 36);

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

// nvmlTemperatureThresholds_t; those from 4 on are of single makers' boards.
inline constexpr int kThresholdShutdown = 0, kThresholdSlowdown = 1, kThresholdMaxMemory = 2,
                     kThresholdMaxDevice = 3, kThresholds = 8;

inline constexpr int kClockSm = 1, kClockMemory = 2, kClockVideo = 3;  // nvmlClockType_t; 0: graphics

inline constexpr unsigned kValueUnsigned = 1;  // NVML_VALUE_TYPE_UNSIGNED_INT

struct FieldValue {  // nvmlFieldValue_t
  unsigned field_id, scope_id;
  long long timestamp_us, latency_us;
  unsigned value_type;
  Return result;
  union {
    double double_value;
    unsigned unsigned_value;
    unsigned long long long_value;
  } value;
};
static_assert(sizeof(FieldValue) == 40);

struct EventData {  // nvmlEventData_t
  Device* device;
  unsigned long long type, data;
  unsigned gpu_instance_id, compute_instance_id;
};
static_assert(sizeof(EventData) == 32);

}  // namespace outboard::nvml
