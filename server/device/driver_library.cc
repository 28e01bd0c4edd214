#include "server/device/driver_library.h"

#include <dlfcn.h>
#include <unistd.h>

#include <climits>

namespace outboard::server {
namespace {

constexpr const char* kNvidiaLibrary = "libcuda.so.1";
// Our own libcuda.so.1 libraries say what they are by exporting one of these.
constexpr const char* kClientMarker = "outboard_client_version";
constexpr const char* kSoftwareMarker = "outboard_softgpu_version";

std::string result_name(const DriverApi& api, CUresult result) {
  const char* name = nullptr;
  if (api.cuGetErrorName(result, &name) == CUDA_SUCCESS && name != nullptr) return name;
  return "CUresult " + std::to_string(static_cast<int>(result));
}

}  // namespace

LibraryLoader LibraryLoader::system() {
  return LibraryLoader{
      .open =
          [](const std::string& path, std::string& error) {
            void* library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
            if (library == nullptr) {
              const char* text = ::dlerror();
              error = text != nullptr ? text : "no reason given";
            }
            return library;
          },
      .symbol = [](void* library, const char* symbol) { return ::dlsym(library, symbol); },
  };
}

DriverFinder::DriverFinder(LibraryLoader loader, std::vector<std::string> software_paths)
    : loader_(std::move(loader)), software_paths_(std::move(software_paths)) {}

Result<DriverLibrary> DriverFinder::load(const std::string& path) const {
  std::string error;
  void* library = loader_.open(path, error);
  if (library == nullptr) {
    return fail(ErrorKind::kNotFound, "The driver " + path + " cannot be loaded: " + error + ".");
  }
  if (loader_.symbol(library, kClientMarker) != nullptr) {
    return fail(ErrorKind::kInvalidArgument,
                "The library " + path +
                    " is Outboard's own client library, which has no device of its own; check "
                    "LD_LIBRARY_PATH of the server, or name a driver with --driver PATH.");
  }
  DriverLibrary driver;
  driver.path_ = path;
  driver.software_ = loader_.symbol(library, kSoftwareMarker) != nullptr;
  driver.api_ = std::make_unique<DriverApi>();
  driver.api_->load([&](const char* symbol) { return loader_.symbol(library, symbol); });
  const CUresult initialised = driver.api_->cuInit(0);
  if (initialised != CUDA_SUCCESS) {
    return fail(ErrorKind::kUnsupported, "The driver " + path + " does not initialise: cuInit returned " +
                                             result_name(*driver.api_, initialised) + ".");
  }
  int devices = 0;
  const CUresult counted = driver.api_->cuDeviceGetCount(&devices);
  if (counted != CUDA_SUCCESS || devices < 1) {
    return fail(ErrorKind::kUnsupported, "The driver " + path + " has no device.");
  }
  return driver;
}

Result<DriverLibrary> DriverFinder::load_software() const {
  std::string reasons;
  for (const std::string& path : software_paths_) {
    auto driver = load(path);
    if (driver) return driver;
    reasons += " " + driver.error().message;
  }
  return fail(ErrorKind::kNotFound, "The software device was not found." + reasons);
}

Result<DriverLibrary> DriverFinder::find(const std::string& request) const {
  if (request == "softgpu") {
    auto driver = load_software();
    if (driver) driver->reason_ = "The software device " + driver->path_ + " is used, as asked.";
    return driver;
  }
  if (request != "auto") {
    auto driver = load(request);
    if (driver) driver->reason_ = "The driver " + driver->path_ + " is used, as asked.";
    return driver;
  }
  auto nvidia = load(kNvidiaLibrary);
  if (nvidia) {
    nvidia->reason_ =
        nvidia->software_
            ? "The software device is used: it is what the dynamic linker finds as libcuda.so.1."
            : "The system's driver libcuda.so.1 is used: it initialises and has a device.";
    return nvidia;
  }
  auto software = load_software();
  if (software) {
    software->reason_ = "The software device " + software->path_ + " is used. " + nvidia.error().message;
    return software;
  }
  return fail(ErrorKind::kNotFound,
              "No driver works. " + nvidia.error().message + " " + software.error().message);
}

std::vector<std::string> software_device_paths(const std::string& program_folder) {
  if (program_folder.empty()) return {};
  return {program_folder + "/../lib/softgpu/libcuda.so.1",
          program_folder + "/../lib/outboard/softgpu/libcuda.so.1"};
}

std::string own_program_folder() {
  char path[PATH_MAX];
  const ssize_t length = ::readlink("/proc/self/exe", path, sizeof path);
  if (length <= 0 || static_cast<size_t>(length) >= sizeof path) return {};
  const std::string program(path, static_cast<size_t>(length));
  return program.substr(0, program.rfind('/'));
}

}  // namespace outboard::server
