// Stream-ordered pools and the session's account. A pool takes memory from the device in pieces of its own
// choice, and keeps what is freed as long as it likes; so what is charged is what the driver says that the
// pool holds.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>

#include "protocol/base/result.h"
#include "server/device/driver_api_gen.h"
#include "server/quota/memory_ledger.h"
#include "server/quota/pool_use.h"

namespace outboard::server {

// Any thread.
class PoolMemory {
 public:
  PoolMemory(const DriverApi& driver, MemoryLedger& ledger) : driver_(driver), ledger_(ledger) {}

  void add(CUmemoryPool pool, uint32_t device);
  // From a pool that was added, or one of the devices' own.
  CUresult allocate(CUmemoryPool pool, uint32_t devices, uint64_t bytes, CUstream stream,
                    CUdeviceptr* address);
  // The memory is freed, or will be when its stream gets there. No matter if it is of no pool.
  void freed(CUdeviceptr address);
  // Its exports, which nobody can import any more.
  std::vector<std::string> destroyed(CUmemoryPool pool);
  void exported(CUmemoryPool pool, const std::string& key);

  // Device memory for whatever it is; when the lease is short, pools give back what they only keep.
  Result<MemoryLedger::Reservation> reserve(uint32_t device, uint64_t bytes);
  // Asks the driver what the pools hold now.
  void measure();
  // The same, after a wait: only if more may be held than is used.
  void refresh();

 private:
  Result<MemoryLedger::Reservation> reserve_locked(uint32_t device, uint64_t bytes);
  // What the pool holds; `unused`: the part of it that the next allocation may use.
  uint64_t held_locked(uint64_t pool, uint64_t* unused) const;
  bool measure_locked(uint64_t pool);
  void measure_device_locked(uint32_t device);
  void measure_all_locked();
  void trim_locked(uint32_t device);
  uint32_t device_of(CUmemoryPool pool, uint32_t devices) const;

  const DriverApi& driver_;
  MemoryLedger& ledger_;
  std::mutex mutex_;
  PoolUse use_;
  bool stale_ = false;
};

}  // namespace outboard::server
