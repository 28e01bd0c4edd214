// Contexts and devices as the client sees them.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "protocol/abi/cuda_abi_gen.h"
#include "protocol/wire/handle.h"

namespace outboard::client {

struct ContextInfo {
  wire::Handle handle;
  uint32_t device = 0;  // server ordinal
  bool primary = false;
  // The context whose objects and memory are made in this one: itself, or of a green one the primary.
  wire::Handle owner;
  uint64_t id = 0;  // cuCtxGetId: unique in the session
  std::atomic<uint32_t> flags{0};
  // Primary contexts: how often retained; inactive while 0. Others: 1 until destroyed.
  std::atomic<uint32_t> retains{0};
  std::atomic<uint32_t> attaches{1};
};

}  // namespace outboard::client
