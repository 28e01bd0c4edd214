#include "server/worker/device_snapshot.h"

#include <algorithm>
#include <cstring>

#include "protocol/base/bytes.h"
#include "protocol/base/limits.h"

namespace outboard::server {
namespace {

// Drivers newer than our headers know more attributes; asking for some beyond costs nothing.
constexpr int kAttributesBeyondHeaders = 32;

void add_identity(const DriverApi& driver, CUdevice device, wire::DeviceSnapshot& snapshot) {
  char name[limits::kNameBytes] = {};
  if (driver.cuDeviceGetName(name, sizeof name - 1, device) == CUDA_SUCCESS) snapshot.name = name;
  CUuuid uuid{};
  // The second version tells the parts of a partitioned device (MIG) apart.
  if (driver.cuDeviceGetUuid_v2(&uuid, device) == CUDA_SUCCESS ||
      driver.cuDeviceGetUuid(&uuid, device) == CUDA_SUCCESS) {
    static_assert(sizeof uuid == sizeof snapshot.uuid);
    std::memcpy(snapshot.uuid.data(), &uuid, sizeof uuid);
  }
  unsigned node_mask = 0;
  char luid[8] = {};
  if (driver.cuDeviceGetLuid(luid, &node_mask, device) == CUDA_SUCCESS) {
    std::memcpy(snapshot.luid.data(), luid, sizeof luid);
    snapshot.luid_node_mask = node_mask;
  }
  char bus[32] = {};
  if (driver.cuDeviceGetPCIBusId(bus, sizeof bus, device) == CUDA_SUCCESS) snapshot.pci_bus_id = bus;
}

void add_attributes(const DriverApi& driver, CUdevice device, wire::DeviceSnapshot& snapshot) {
  for (int id = 1; id < CU_DEVICE_ATTRIBUTE_MAX + kAttributesBeyondHeaders; ++id) {
    int value = 0;
    if (driver.cuDeviceGetAttribute(&value, static_cast<CUdevice_attribute>(id), device) == CUDA_SUCCESS) {
      snapshot.attributes.push_back({id, value});
    }
  }
}

void add_context_facts(const DriverApi& driver, CUdevice device, wire::DeviceSnapshot& snapshot) {
  CUcontext context = nullptr;
  if (driver.cuDevicePrimaryCtxRetain(&context, device) != CUDA_SUCCESS) return;
  if (driver.cuCtxSetCurrent(context) == CUDA_SUCCESS) {
    for (int id = 0; id < CU_LIMIT_MAX; ++id) {
      size_t value = 0;
      if (driver.cuCtxGetLimit(&value, static_cast<CUlimit>(id)) == CUDA_SUCCESS) {
        snapshot.limits.push_back({id, static_cast<int64_t>(value)});
      }
    }
    int least = 0;
    int greatest = 0;
    if (driver.cuCtxGetStreamPriorityRange(&least, &greatest) == CUDA_SUCCESS) {
      snapshot.least_stream_priority = least;
      snapshot.greatest_stream_priority = greatest;
    }
    unsigned version = 0;
    if (driver.cuCtxGetApiVersion(context, &version) == CUDA_SUCCESS) snapshot.context_api_version = version;
    size_t free_bytes = 0;
    size_t total_bytes = 0;
    if (driver.cuMemGetInfo_v2(&free_bytes, &total_bytes) == CUDA_SUCCESS)
      snapshot.free_memory_bytes = free_bytes;
    driver.cuCtxSetCurrent(nullptr);
  }
  driver.cuDevicePrimaryCtxRelease_v2(device);
}

}  // namespace

int32_t driver_version(const DriverApi& driver) {
  int version = 0;
  return driver.cuDriverGetVersion(&version) == CUDA_SUCCESS ? version : 0;
}

std::vector<wire::DeviceSnapshot> snapshot_devices(const DriverApi& driver, uint32_t count,
                                                   ContextFacts facts, const MemoryLedger& ledger) {
  std::vector<wire::DeviceSnapshot> snapshots;
  for (uint32_t ordinal = 0; ordinal < count; ++ordinal) {
    wire::DeviceSnapshot& snapshot = snapshots.emplace_back();
    CUdevice device = 0;
    if (driver.cuDeviceGet(&device, static_cast<int>(ordinal)) != CUDA_SUCCESS) continue;
    add_identity(driver, device, snapshot);
    add_attributes(driver, device, snapshot);
    size_t total_bytes = 0;
    if (driver.cuDeviceTotalMem_v2(&total_bytes, device) == CUDA_SUCCESS)
      snapshot.total_memory_bytes = total_bytes;
    snapshot.free_memory_bytes = snapshot.total_memory_bytes;
    if (facts == ContextFacts::kGather) add_context_facts(driver, device, snapshot);
    if (ledger.limited(ordinal)) {
      const MemoryAccount account = ledger.account(ordinal);
      snapshot.total_memory_bytes = std::min(snapshot.total_memory_bytes, account.limit_bytes);
      snapshot.free_memory_bytes = std::min(snapshot.free_memory_bytes, account.free_bytes());
    }
  }
  return snapshots;
}

}  // namespace outboard::server
