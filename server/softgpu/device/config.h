// How many software devices this process has, and how large they are.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "protocol/base/result.h"

namespace outboard::softgpu {

enum class Jit : uint8_t { kAuto, kOff, kAlways };

struct DeviceConfig {
  uint32_t devices = 1;
  uint64_t memory_bytes = 0;         // per device; a multiple of kGranuleBytes
  uint32_t cores = 1;                // threads that execute blocks, and multiprocessors reported
  uint32_t launch_timeout_s = 0;     // a kernel that runs longer is stopped; 0: none is
  Jit jit = Jit::kAuto;              // whether hot kernels get machine code
  uint32_t compute_capability = 90;  // 10 * major + minor
  std::string state_folder;          // where processes share what they use; empty: not shared
  std::string host_identity;         // what the devices' UUIDs are made of
  std::vector<uint32_t> visible{0};  // which of the devices this process sees, in this order
};

// Value of an environment variable, null if unset; getenv in production.
using Environment = std::function<const char*(const char* name)>;

// Reads OUTBOARD_SOFTGPU_DEVICES (1 to 16), _MEMORY ("8GiB", "512M", bytes), _CORES (1 to 256),
// _COMPUTE_CAPABILITY ("7.5" to "99.9"), _JIT ("auto", "off", "always"), _LAUNCH_TIMEOUT (seconds) and
// _STATE (a folder, or "none"). Defaults: one device of compute capability 9.0 with half of the
// machine's memory and all cores that this process may use, machine code for hot kernels, no time-out,
// state in /dev/shm. A capability newer than any real GPU's makes libraries that carry machine code for
// every GPU they know use their PTX instead. CUDA_VISIBLE_DEVICES selects and orders the devices. A
// value that makes no sense is an error that names it, not a silent default.
Result<DeviceConfig> read_config(const Environment& environment);

// The rule of CUDA_VISIBLE_DEVICES (null: all): ordinals or UUID prefixes ("GPU-..."), separated by
// commas; the list ends before the first entry that names no device or one named already.
std::vector<uint32_t> visible_devices(const char* list, uint32_t devices, const std::string& host_identity);

// "GPU-xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx".
std::string uuid_text(const std::array<uint8_t, 16>& uuid);

// "8GiB", "8G", "512MiB", "64M", "1T", "1048576": binary units. kInvalidArgument otherwise.
Result<uint64_t> parse_bytes(const std::string& text);

// Version 4 style UUID of a device, the same in every process of this host.
std::array<uint8_t, 16> device_uuid(const std::string& host_identity, uint32_t ordinal);

}  // namespace outboard::softgpu
