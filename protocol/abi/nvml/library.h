// The state behind the exported NVML functions: reference count of nvmlInit, the source, the
// devices that handles point to.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include "protocol/abi/nvml/nvml_abi.h"
#include "protocol/abi/nvml/source.h"

namespace outboard::nvml {

// What an nvmlDevice_t points to. Devices are never freed, so that a handle kept over
// nvmlShutdown is refused instead of followed into freed memory.
struct Device {
  size_t index = 0;
  DeviceFacts facts;
};

class Library {
 public:
  Return init();
  Return shutdown();

  // The source while initialised, else null. Shared, so that a concurrent shutdown is harmless.
  std::shared_ptr<Source> source();

  Return device_count(unsigned* count);
  Return device_by_index(unsigned index, Device** out);
  Return device_by_uuid(const char* text, Device** out);
  Return device_by_bus_id(const char* text, Device** out);
  // True if `device` was handed out by us and the library is initialised.
  bool known(const Device* device);

 private:
  template <typename Match>
  Return find(Device** out, Match&& match);

  std::mutex mutex_;
  unsigned references_ = 0;
  std::shared_ptr<Source> source_;
  std::vector<std::unique_ptr<Device>> devices_;
};

// The process's one Library; made at first use and never destroyed, since programs call NVML from
// exit handlers. The C interface has no user pointer, so there has to be one.
Library& library();

Return to_return(ErrorKind kind);
const char* return_text(Return value);  // static storage

// "GPU-xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx"
std::string uuid_text(const std::array<uint8_t, 16>& uuid);
// "00000000:3B:00.0", or with four domain digits for `legacy`.
std::string bus_id_text(const DeviceFacts& facts, bool legacy);

// nvmlDeviceArchitecture_t of a compute capability.
unsigned architecture(int major, int minor);
// Of a process that uses a device, or of this machine; empty if there is none.
std::string process_name(Source& source, unsigned pid);

// Copies with its NUL if it fits into `length` characters, else kInsufficientSize.
Return copy_text(const std::string& text, char* into, unsigned length);

}  // namespace outboard::nvml
