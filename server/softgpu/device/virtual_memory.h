// Reserving addresses and mapping physical memory behind them.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>

#include "protocol/abi/cuda_abi_gen.h"
#include "server/softgpu/device/object.h"
#include "server/softgpu/device/shareable.h"

namespace outboard::softgpu {

class AllocationTable;
class Device;

// cuMemCreate: memory of a device without an address. It is a file in memory, so that it can appear
// at several addresses and keeps its content while it has none.
class PhysicalMemory : public Object {
 public:
  static constexpr ObjectKind kKind = ObjectKind::kPhysicalMemory;

  // `bytes` is a multiple of kGranuleBytes. CUDA_ERROR_OUT_OF_MEMORY when the device has no room. Memory
  // with requestedHandleTypes is a file as shareable.h describes it.
  static CUresult create(Device& device, uint64_t bytes, const CUmemAllocationProp& properties,
                         std::shared_ptr<PhysicalMemory>* memory);
  // What another process made, or this one; takes the file. It is counted with who made it.
  static std::shared_ptr<PhysicalMemory> import(Device& device, int file, const ShareableRecord& record);
  ~PhysicalMemory() override;

  // Handles out: cuMemCreate and every cuMemRetainAllocationHandle count one.
  std::atomic<unsigned> references{1};

  int file() const { return file_; }
  uint64_t bytes() const { return bytes_; }
  Device& device() const { return device_; }
  const CUmemAllocationProp& properties() const { return properties_; }

  PhysicalMemory(Device& device, uint64_t bytes, const CUmemAllocationProp& properties, int file,
                 bool counted)
      : device_(device), bytes_(bytes), properties_(properties), file_(file), counted_(counted) {}

 private:
  Device& device_;
  const uint64_t bytes_;
  const CUmemAllocationProp properties_;
  const int file_;
  const bool counted_;  // in what this process uses of the device
};

// The reserved ranges of a process and what is mapped in them. Any thread.
class VirtualMemory {
 public:
  explicit VirtualMemory(AllocationTable& table) : table_(table) {}
  ~VirtualMemory();
  VirtualMemory(const VirtualMemory&) = delete;
  VirtualMemory& operator=(const VirtualMemory&) = delete;

  // At `wanted` if that range is free (0: anywhere), else elsewhere, as CUDA does.
  CUresult reserve(uint64_t bytes, uint64_t align, uint64_t wanted, uint64_t* address);
  // The whole reservation; nothing may be mapped in it.
  CUresult release(uint64_t address, uint64_t bytes);
  CUresult map(uint64_t address, uint64_t bytes, uint64_t offset, std::shared_ptr<PhysicalMemory> memory);
  // Exactly what was mapped, one or several adjacent mappings.
  CUresult unmap(uint64_t address, uint64_t bytes);
  CUresult set_access(uint64_t address, uint64_t bytes, CUmemAccess_flags access);
  // Access of whatever is mapped there.
  CUresult get_access(uint64_t address, CUmemAccess_flags* access) const;
  // The memory that is mapped at `address`; null if none is.
  std::shared_ptr<PhysicalMemory> memory_at(uint64_t address) const;

 private:
  struct Mapping {
    uint64_t bytes = 0;
    std::shared_ptr<PhysicalMemory> memory;
    CUmemAccess_flags access = CU_MEM_ACCESS_FLAGS_PROT_NONE;
  };
  using Mappings = std::map<uint64_t, Mapping>;

  bool reserved_locked(uint64_t address, uint64_t bytes) const;
  // The mappings that make up exactly [address, address + bytes), or nothing.
  std::optional<std::pair<Mappings::iterator, Mappings::iterator>> exact_locked(uint64_t address,
                                                                                uint64_t bytes);
  Mappings::const_iterator holder_locked(uint64_t address) const;

  AllocationTable& table_;
  mutable std::mutex mutex_;
  std::map<uint64_t, uint64_t> reservations_;  // address -> bytes
  Mappings mappings_;
};

}  // namespace outboard::softgpu
