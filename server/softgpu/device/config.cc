#include "server/softgpu/device/config.h"

#include <sched.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <fstream>

#include "server/softgpu/device/limits.h"

namespace outboard::softgpu {
namespace {

constexpr uint32_t kSmallestCapability = 75;  // the oldest that CUDA 13's libraries accept
constexpr uint32_t kLargestCapability = 999;

tl::unexpected<Error> refuse(const char* name, const std::string& value, const std::string& expected) {
  return fail(ErrorKind::kInvalidArgument,
              std::string(name) + " is \"" + value + "\"; expected " + expected + ".");
}

Result<uint64_t> read_count(const Environment& environment, const char* name, uint64_t fallback,
                            uint64_t limit) {
  const char* text = environment(name);
  if (text == nullptr || *text == '\0') return fallback;
  const std::string value = text;
  uint64_t count = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), count);
  if (error != std::errc() || end != value.data() + value.size() || count < 1 || count > limit) {
    return refuse(name, value, "a number from 1 to " + std::to_string(limit));
  }
  return count;
}

// "12.0" as 120.
Result<uint32_t> read_capability(const Environment& environment, uint32_t fallback) {
  constexpr const char* kName = "OUTBOARD_SOFTGPU_COMPUTE_CAPABILITY";
  const char* text = environment(kName);
  if (text == nullptr || *text == '\0') return fallback;
  const std::string value = text;
  const char* const end = value.data() + value.size();
  uint32_t major = 0;
  const auto parsed = std::from_chars(value.data(), end, major);
  const bool minor_follows = parsed.ec == std::errc() && end - parsed.ptr == 2 && *parsed.ptr == '.';
  const uint32_t minor = minor_follows ? static_cast<uint32_t>(parsed.ptr[1] - '0') : 10;
  if (minor > 9 || major > kLargestCapability / 10 || 10 * major + minor < kSmallestCapability)
    return refuse(kName, value, "a version from 7.5 to 99.9, such as 9.0");
  return 10 * major + minor;
}

uint64_t usable_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof(set), &set) != 0) return 1;
  return std::clamp<uint64_t>(CPU_COUNT(&set), 1, kMaxCores);
}

uint64_t default_memory_bytes() {
  struct sysinfo info = {};
  if (sysinfo(&info) != 0) return uint64_t{1} << 30;
  const uint64_t half = uint64_t{info.totalram} * info.mem_unit / 2;
  // A round number of 256 MiB, so that the value is the same from boot to boot.
  const uint64_t unit = uint64_t{256} << 20;
  return std::clamp(half / unit * unit, kSmallestMemoryBytes, kLargestMemoryBytes);
}

std::string read_host_identity() {
  for (const char* path :
       {"/etc/machine-id", "/var/lib/dbus/machine-id", "/proc/sys/kernel/random/boot_id"}) {
    std::ifstream file(path);
    std::string line;
    if (file && std::getline(file, line) && !line.empty()) return line;
  }
  char name[256] = {};
  gethostname(name, sizeof(name) - 1);
  return name;
}

// FNV-1a with a seed: an identity has to be stable and spread out, not secret.
uint64_t hash_text(const std::string& text, uint64_t seed) {
  uint64_t hash = 0xcbf29ce484222325ull ^ (seed * 0x9e3779b97f4a7c15ull);
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ull;
  hash ^= hash >> 32;
  hash *= 0xd6e8feb86659fd93ull;
  return hash ^ (hash >> 32);
}

}  // namespace

Result<uint64_t> parse_bytes(const std::string& text) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc())
    return fail(ErrorKind::kInvalidArgument, "\"" + text + "\" is not a size such as 8GiB.");
  std::string unit(end, text.data() + text.size());
  std::transform(unit.begin(), unit.end(), unit.begin(), [](unsigned char c) { return std::toupper(c); });
  if (!unit.empty() && unit.back() == 'B') unit.pop_back();
  if (!unit.empty() && unit.size() > 1 && unit.back() == 'I') unit.pop_back();
  static constexpr std::string_view kUnits = "KMGT";
  unsigned shift = 0;
  if (!unit.empty()) {
    const size_t at = unit.size() == 1 ? kUnits.find(unit[0]) : std::string_view::npos;
    if (at == std::string_view::npos)
      return fail(ErrorKind::kInvalidArgument, "\"" + text + "\" is not a size such as 8GiB.");
    shift = static_cast<unsigned>(10 * (at + 1));
  }
  if (shift != 0 && number >> (64 - shift) != 0)
    return fail(ErrorKind::kInvalidArgument, "The size \"" + text + "\" is too large.");
  return number << shift;
}

Result<DeviceConfig> read_config(const Environment& environment) {
  DeviceConfig config;
  const auto devices = read_count(environment, "OUTBOARD_SOFTGPU_DEVICES", 1, kMaxDevices);
  if (!devices) return fail(devices);
  config.devices = static_cast<uint32_t>(*devices);
  const auto cores = read_count(environment, "OUTBOARD_SOFTGPU_CORES", usable_cores(), kMaxCores);
  if (!cores) return fail(cores);
  config.cores = static_cast<uint32_t>(*cores);

  const auto capability = read_capability(environment, config.compute_capability);
  if (!capability) return fail(capability);
  config.compute_capability = *capability;

  config.memory_bytes = default_memory_bytes();
  const char* memory = environment("OUTBOARD_SOFTGPU_MEMORY");
  if (memory != nullptr && *memory != '\0') {
    const auto bytes = parse_bytes(memory);
    if (!bytes || *bytes < kSmallestMemoryBytes || *bytes > kLargestMemoryBytes) {
      return refuse("OUTBOARD_SOFTGPU_MEMORY", memory, "a size from 64MiB to 256GiB, such as 8GiB");
    }
    config.memory_bytes = *bytes / kGranuleBytes * kGranuleBytes;
  }

  const auto timeout =
      read_count(environment, "OUTBOARD_SOFTGPU_LAUNCH_TIMEOUT", 0, kMaxLaunchTimeoutSeconds);
  if (!timeout) return fail(timeout);
  config.launch_timeout_s = static_cast<uint32_t>(*timeout);

  const char* jit = environment("OUTBOARD_SOFTGPU_JIT");
  const std::string_view wanted = jit != nullptr && *jit != '\0' ? jit : "auto";
  if (wanted != "auto" && wanted != "off" && wanted != "always")
    return refuse("OUTBOARD_SOFTGPU_JIT", jit, "auto, off or always");
  config.jit = wanted == "auto" ? Jit::kAuto : wanted == "off" ? Jit::kOff : Jit::kAlways;

  const char* state = environment("OUTBOARD_SOFTGPU_STATE");
  config.state_folder = state != nullptr && *state != '\0' ? state : "/dev/shm";
  if (config.state_folder == "none") config.state_folder.clear();
  config.host_identity = read_host_identity();
  config.visible = visible_devices(environment("CUDA_VISIBLE_DEVICES"), config.devices, config.host_identity);
  return config;
}

std::string uuid_text(const std::array<uint8_t, 16>& uuid) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text = "GPU-";
  for (size_t i = 0; i < uuid.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text.push_back('-');
    text.push_back(kDigits[uuid[i] >> 4]);
    text.push_back(kDigits[uuid[i] & 15]);
  }
  return text;
}

std::vector<uint32_t> visible_devices(const char* list, uint32_t devices, const std::string& host_identity) {
  std::vector<uint32_t> visible;
  if (list == nullptr) {
    for (uint32_t i = 0; i < devices; ++i) visible.push_back(i);
    return visible;
  }
  const std::string text = list;
  for (size_t at = 0; at < text.size();) {
    const size_t comma = std::min(text.find(',', at), text.size());
    std::string name = text.substr(at, comma - at);
    at = comma + 1;
    name.erase(0, name.find_first_not_of(" \t"));
    name.erase(name.find_last_not_of(" \t") + 1);
    uint32_t chosen = devices;
    if (name.rfind("GPU-", 0) == 0) {
      for (uint32_t i = 0; i < devices; ++i) {
        if (uuid_text(device_uuid(host_identity, i)).rfind(name, 0) == 0) chosen = i;
      }
    } else {
      uint32_t number = devices;
      const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
      if (error == std::errc() && end == name.data() + name.size()) chosen = number;
    }
    if (chosen >= devices || std::find(visible.begin(), visible.end(), chosen) != visible.end()) break;
    visible.push_back(chosen);
  }
  return visible;
}

std::array<uint8_t, 16> device_uuid(const std::string& host_identity, uint32_t ordinal) {
  std::array<uint8_t, 16> uuid{};
  for (unsigned half = 0; half < 2; ++half) {
    const uint64_t hash = hash_text("outboard software device " + host_identity, ordinal * 2 + half + 1);
    for (unsigned i = 0; i < 8; ++i) uuid[half * 8 + i] = static_cast<uint8_t>(hash >> (8 * i));
  }
  uuid[6] = static_cast<uint8_t>((uuid[6] & 0x0f) | 0x40);
  uuid[8] = static_cast<uint8_t>((uuid[8] & 0x3f) | 0x80);
  return uuid;
}

}  // namespace outboard::softgpu
