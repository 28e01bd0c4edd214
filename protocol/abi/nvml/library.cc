#include "protocol/abi/nvml/library.h"

#include <strings.h>
#include <cstdio>
#include <cstring>
#include <fstream>

namespace outboard::nvml {

Return Library::init() {
  std::lock_guard lock(mutex_);
  if (references_ > 0) {
    ++references_;
    return Return::kSuccess;
  }
  auto opened = open_source();
  if (!opened) return to_return(opened.error().kind);
  source_ = std::move(*opened);
  const auto& facts = source_->devices();
  // Handles stay valid over shutdown and init as long as the device is the same one.
  while (devices_.size() < facts.size()) devices_.push_back(std::make_unique<Device>());
  for (size_t i = 0; i < facts.size(); ++i) *devices_[i] = Device{i, facts[i]};
  references_ = 1;
  return Return::kSuccess;
}

Return Library::shutdown() {
  std::lock_guard lock(mutex_);
  if (references_ == 0) return Return::kUninitialized;
  if (--references_ == 0) source_.reset();
  return Return::kSuccess;
}

std::shared_ptr<Source> Library::source() {
  std::lock_guard lock(mutex_);
  return source_;
}

Return Library::device_count(unsigned* count) {
  auto source = this->source();
  if (!source) return Return::kUninitialized;
  if (!count) return Return::kInvalidArgument;
  *count = static_cast<unsigned>(source->devices().size());
  return Return::kSuccess;
}

template <typename Match>
Return Library::find(Device** out, Match&& match) {
  std::lock_guard lock(mutex_);
  if (!source_) return Return::kUninitialized;
  if (!out) return Return::kInvalidArgument;
  const size_t count = source_->devices().size();
  for (size_t i = 0; i < count; ++i) {
    if (!match(*devices_[i])) continue;
    *out = devices_[i].get();
    return Return::kSuccess;
  }
  return Return::kNotFound;
}

Return Library::device_by_index(unsigned index, Device** out) {
  const Return found = find(out, [index](const Device& d) { return d.index == index; });
  return found == Return::kNotFound ? Return::kInvalidArgument : found;
}

Return Library::device_by_uuid(const char* text, Device** out) {
  if (!text) return source() ? Return::kInvalidArgument : Return::kUninitialized;
  return find(out, [text](const Device& d) { return uuid_text(d.facts.uuid) == text; });
}

Return Library::device_by_bus_id(const char* text, Device** out) {
  if (!text) return source() ? Return::kInvalidArgument : Return::kUninitialized;
  return find(out, [text](const Device& d) {
    return strcasecmp(bus_id_text(d.facts, false).c_str(), text) == 0 ||
           strcasecmp(bus_id_text(d.facts, true).c_str(), text) == 0 ||
           // The short form without a domain.
           strcasecmp(bus_id_text(d.facts, true).c_str() + 5, text) == 0;
  });
}

bool Library::known(const Device* device) {
  std::lock_guard lock(mutex_);
  if (!source_) return false;
  for (size_t i = 0; i < source_->devices().size(); ++i)
    if (devices_[i].get() == device) return true;
  return false;
}

Library& library() {
  static Library* const instance = new Library;
  return *instance;
}

Return to_return(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kDisconnected: return Return::kGpuIsLost;
    case ErrorKind::kOverloaded: return Return::kTimeout;
    case ErrorKind::kUnsupported: return Return::kNotSupported;
    case ErrorKind::kInvalidArgument: return Return::kInvalidArgument;
    case ErrorKind::kNotFound: return Return::kDriverNotLoaded;
    case ErrorKind::kPermissionDenied: return Return::kNoPermission;
    default: return Return::kUnknown;
  }
}

const char* return_text(Return value) {
  switch (value) {
    case Return::kSuccess: return "Success";
    case Return::kUninitialized: return "Uninitialized";
    case Return::kInvalidArgument: return "Invalid Argument";
    case Return::kNotSupported: return "Not Supported";
    case Return::kNoPermission: return "Insufficient Permissions";
    case Return::kAlreadyInitialized: return "Already Initialized";
    case Return::kNotFound: return "Not Found";
    case Return::kInsufficientSize: return "Insufficient Size";
    case Return::kInsufficientPower: return "Insufficient External Power";
    case Return::kDriverNotLoaded: return "Driver Not Loaded";
    case Return::kTimeout: return "Timeout";
    case Return::kIrqIssue: return "Interrupt Request Issue";
    case Return::kLibraryNotFound: return "NVML Shared Library Not Found";
    case Return::kFunctionNotFound: return "Function Not Found";
    case Return::kCorruptedInforom: return "Corrupted infoROM";
    case Return::kGpuIsLost: return "GPU is lost";
    case Return::kResetRequired: return "GPU requires restart";
    case Return::kOperatingSystem: return "Operating System Error";
    case Return::kLibraryVersionMismatch: return "Driver/library version mismatch";
    case Return::kInUse: return "In use by another client";
    case Return::kMemory: return "Insufficient Memory";
    case Return::kNoData: return "No data";
    case Return::kVgpuEccNotSupported: return "vGPU ECC Not Supported";
    case Return::kInsufficientResources: return "Insufficient Resources";
    case Return::kFrequencyNotSupported: return "Requested clock frequency not supported";
    case Return::kArgumentVersionMismatch: return "Argument version mismatch";
    case Return::kDeprecated: return "Deprecated";
    case Return::kUnknown: return "Unknown Error";
  }
  return "Unknown Error";
}

std::string uuid_text(const std::array<uint8_t, 16>& uuid) {
  std::string text = "GPU-";
  for (size_t i = 0; i < uuid.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
    char two[3];
    std::snprintf(two, sizeof two, "%02x", uuid[i]);
    text += two;
  }
  return text;
}

std::string bus_id_text(const DeviceFacts& facts, bool legacy) {
  char text[kBusIdBytes];
  std::snprintf(text, sizeof text, legacy ? "%04X:%02X:%02X.0" : "%08X:%02X:%02X.0",
                facts.pci_domain & (legacy ? 0xFFFFu : ~0u), facts.pci_bus & 0xFF, facts.pci_device & 0xFF);
  return text;
}

unsigned architecture(int major, int minor) {
  switch (major) {
    case 3: return 2;                  // Kepler
    case 5: return 3;                  // Maxwell
    case 6: return 4;                  // Pascal
    case 7: return minor < 5 ? 5 : 6;  // Volta, Turing
    case 8: return minor < 9 ? 7 : 8;  // Ampere, Ada
    case 9: return 9;                  // Hopper
    case 10:
    case 11:
    case 12: return 10;           // Blackwell
    default: return 0xFFFF'FFFF;  // unknown
  }
}

std::string process_name(Source& source, unsigned pid) {
  for (size_t device = 0; device < source.devices().size(); ++device) {
    const auto processes = source.processes(device);
    if (!processes) continue;
    for (const ProcessUse& process : *processes) {
      if (process.pid == pid && !process.name.empty()) return process.name;
    }
  }
  // Programs of this machine are known to it.
  std::ifstream arguments("/proc/" + std::to_string(pid) + "/cmdline");
  std::string program;
  std::getline(arguments, program, '\0');
  return program;
}

Return copy_text(const std::string& text, char* into, unsigned length) {
  if (!into) return Return::kInvalidArgument;
  if (text.size() + 1 > length) return Return::kInsufficientSize;
  std::memcpy(into, text.c_str(), text.size() + 1);
  return Return::kSuccess;
}

}  // namespace outboard::nvml
