// What generated calls that take device memory do with the session's account: the promise before the
// driver is asked, and how much each object takes.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>

#include "protocol/abi/cuda_abi_gen.h"
#include "server/quota/memory_ledger.h"
#include "server/worker/worker.h"

namespace outboard::server {

// Bytes promised to the call that is running; given back unless it commits.
class Charge {
 public:
  // On the device of the current context.
  Charge(const Worker& worker, uint64_t bytes);
  // On this device; nothing: the memory is not a device's, and nothing is charged.
  Charge(const Worker& worker, uint64_t bytes, std::optional<uint32_t> device);

  bool granted() const { return granted_; }
  // Arrays and the variables of modules go with their context.
  void commit(AllocationKey key);

 private:
  bool granted_ = false;
  uint64_t context_owner_ = 0;
  MemoryLedger::Reservation reservation_;
};

// Sets aside what a context's limit means in memory, if `call` succeeds.
CUresult charge_limit(Worker& worker, CUlimit limit, uint64_t value, const std::function<CUresult()>& call);

// Without the padding that drivers add, which no call tells.
uint64_t array_bytes(const CUDA_ARRAY_DESCRIPTOR& descriptor);
uint64_t array_bytes(const CUDA_ARRAY3D_DESCRIPTOR& descriptor);
uint64_t mipmap_bytes(const CUDA_ARRAY3D_DESCRIPTOR& descriptor, uint32_t levels);

std::optional<uint32_t> device_of(const CUmemLocation& location);

}  // namespace outboard::server
