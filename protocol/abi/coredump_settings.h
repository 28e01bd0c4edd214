// The settings of core dumps of the device, as cuCoredumpGet/SetAttribute see them, for drivers that
// write none: everything can be read and named, only the switches that would make a dump are refused.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>

#include "protocol/abi/cuda_abi_gen.h"

namespace outboard::abi {

// Those of a process and of its contexts. Any thread.
class CoredumpSettings {
 public:
  // The process's settings; those of contexts are named by the context's handle, and are the
  // process's until they are set.
  static constexpr uint64_t kGlobal = 0;

  // *size: what there is room for, then what there is. A null value asks for the size alone.
  CUresult get(uint64_t scope, CUcoredumpSettings setting, void* value, size_t* size) const;
  // For switching dumps on CUDA_ERROR_NOT_PERMITTED, CUDA's answer where something takes precedence
  // over the program.
  CUresult set(uint64_t scope, CUcoredumpSettings setting, const void* value, size_t* size);

 private:
  struct Values {
    std::optional<uint32_t> flags;  // CUCoredumpGenerationFlags
    std::optional<std::string> file;
    std::optional<std::string> pipe;
  };
  uint32_t flags(uint64_t scope) const;
  std::string text(uint64_t scope, CUcoredumpSettings setting) const;
  const Values& values(uint64_t scope) const;

  mutable std::mutex mutex_;
  std::map<uint64_t, Values> values_;
};

}  // namespace outboard::abi
