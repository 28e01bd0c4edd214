// One software device: identity, attributes, memory, threads.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "protocol/abi/cuda_abi_gen.h"
#include "protocol/base/result.h"
#include "server/softgpu/device/allocation_table.h"
#include "server/softgpu/device/arena.h"
#include "server/softgpu/device/config.h"
#include "server/softgpu/device/shared_state.h"
#include "server/softgpu/exec/thread_pool.h"

namespace outboard::softgpu {

class Context;
class MemoryPool;
class Platform;

inline constexpr const char* kDeviceName = "Outboard software device";
inline constexpr int kDriverVersion = 13000;

// What one allocation asks for. `kind` and `context` end up in the allocation table.
struct MemoryRequest {
  uint64_t bytes = 0;
  uint64_t align = 0;
  MemoryKind kind = MemoryKind::kDevice;
  uint64_t context = 0;
  uint64_t pool = 0;
  unsigned flags = 0;
  bool graph_owned = false;
};

class Device {
 public:
  static Result<std::unique_ptr<Device>> create(const DeviceConfig& config, uint32_t ordinal,
                                                uint32_t physical, AllocationTable& table);

  // Position among the visible devices, and among all of this host's.
  int ordinal() const { return ordinal_; }
  uint32_t physical() const { return physical_; }
  const std::array<uint8_t, 16>& uuid() const { return uuid_; }
  uint64_t total_bytes() const { return total_bytes_; }
  uint64_t free_bytes() const;
  uint32_t multiprocessors() const { return cores_; }
  // The value of a device attribute, or CUDA_ERROR_INVALID_VALUE for an id nobody knows.
  CUresult attribute(int id, int* value) const;
  std::string pci_bus_id() const;  // "0000:0b:00.0"

  // CUDA_ERROR_OUT_OF_MEMORY when all processes together would use more than the device has.
  CUresult allocate(const MemoryRequest& request, uint64_t* address);
  // Frees what starts at `address` if it is of this device; CUDA_ERROR_INVALID_VALUE otherwise.
  CUresult free(uint64_t address);
  // Gives back what a table entry that was already removed stood for.
  void release(const Allocation& allocation);
  // A name with which other processes can map an allocation of this device until it is freed.
  CUresult share(const Allocation& allocation, SharedName* name);
  // Room in the ledger without an address, for physical memory of the VMM calls.
  bool reserve_bytes(uint64_t bytes);
  void release_bytes(uint64_t bytes) { state_->release(bytes); }

  // Asked to give back what is kept without need when memory is short. Set before use.
  std::function<void()> on_shortage;

  SharedState& state() { return *state_; }
  exec::ThreadPool& pool() { return *pool_; }
  AllocationTable& table() { return table_; }

 private:
  Device(const DeviceConfig& config, uint32_t ordinal, uint32_t physical, AllocationTable& table);

  const int ordinal_;
  const uint32_t physical_;
  const std::array<uint8_t, 16> uuid_;
  const uint64_t total_bytes_;
  const uint32_t cores_;
  const uint32_t compute_capability_;
  const bool launch_timeout_;
  AllocationTable& table_;
  std::unique_ptr<Arena> arena_;
  std::unique_ptr<SharedState> state_;
  std::unique_ptr<exec::ThreadPool> pool_;
};

}  // namespace outboard::softgpu
