// What the exported NVML functions have in common.
#pragma once

#include "protocol/abi/nvml/library.h"

#define NVML_API extern "C" __attribute__((visibility("default")))

namespace outboard::nvml {

// Runs `body(device)` for a device of ours; says why not for anything else.
template <typename Body>
Return with_device(Device* device, Body&& body) {
  if (!library().source()) return Return::kUninitialized;
  if (!library().known(device)) return Return::kInvalidArgument;
  return body(*device);
}

// The same for functions that ask the source: `body(device, source)`.
template <typename Body>
Return with_source(Device* device, Body&& body) {
  return with_device(device, [&](const Device& known) {
    const auto source = library().source();
    return source ? body(known, *source) : Return::kUninitialized;
  });
}

template <typename T>
Return give(T* out, T value) {
  if (!out) return Return::kInvalidArgument;
  *out = value;
  return Return::kSuccess;
}

}  // namespace outboard::nvml
