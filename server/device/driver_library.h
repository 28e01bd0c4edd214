// Finds a libcuda.so.1 that works and loads it.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "protocol/base/result.h"
#include "server/device/driver_api_gen.h"

namespace outboard::server {

// A driver loaded with dlopen. Never unloaded: drivers start threads and register exit handlers.
class DriverLibrary {
 public:
  const DriverApi& api() const { return *api_; }
  // What was given to dlopen; another process of this machine can be told to load the same.
  const std::string& path() const { return path_; }
  // A full sentence for people: which driver it is and why it was taken.
  const std::string& reason() const { return reason_; }
  bool is_software_device() const { return software_; }

 private:
  friend class DriverFinder;
  std::unique_ptr<DriverApi> api_;
  std::string path_;
  std::string reason_;
  bool software_ = false;
};

// The system underneath, injected so that the choice can be tested without any driver.
struct LibraryLoader {
  // Returns null and sets `error` when the library cannot be loaded.
  std::function<void*(const std::string& path, std::string& error)> open;
  std::function<void*(void* library, const char* symbol)> symbol;
  static LibraryLoader system();  // dlopen(RTLD_NOW | RTLD_LOCAL), dlsym
};

class DriverFinder {
 public:
  // `software_paths`: where the software device may lie, best first.
  DriverFinder(LibraryLoader loader, std::vector<std::string> software_paths);

  // "auto": NVIDIA's driver if it initialises and has a device, else the software device.
  // "softgpu": the software device. Anything else is a path for dlopen.
  // The driver that is returned has been initialised (cuInit) and has at least one device.
  Result<DriverLibrary> find(const std::string& request) const;

 private:
  Result<DriverLibrary> load(const std::string& path) const;
  Result<DriverLibrary> load_software() const;
  LibraryLoader loader_;
  std::vector<std::string> software_paths_;
};

// Where the build and the installed tree keep the software device, seen from a program in bin/:
// ../lib/softgpu/libcuda.so.1 and ../lib/outboard/softgpu/libcuda.so.1.
std::vector<std::string> software_device_paths(const std::string& program_folder);
// The folder of the running program (/proc/self/exe); empty if the system does not say.
std::string own_program_folder();

}  // namespace outboard::server
