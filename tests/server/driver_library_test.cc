#include "server/device/driver_library.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

namespace outboard::server {
namespace {

CUresult initialise(unsigned) { return CUDA_SUCCESS; }
CUresult no_device_init(unsigned) { return CUDA_ERROR_NO_DEVICE; }
CUresult one_device(int* count) { return *count = 1, CUDA_SUCCESS; }
CUresult zero_devices(int* count) { return *count = 0, CUDA_SUCCESS; }

// A library is a map from symbols to functions.
using Library = std::map<std::string, void*>;

template <typename F>
void* address(F* function) {
  return reinterpret_cast<void*>(function);
}

const Library kWorking{{"cuInit", address(initialise)}, {"cuDeviceGetCount", address(one_device)}};
const Library kWithoutGpu{{"cuInit", address(no_device_init)}, {"cuDeviceGetCount", address(zero_devices)}};
const Library kEmpty{{"cuInit", address(initialise)}, {"cuDeviceGetCount", address(zero_devices)}};

Library with(Library library, const char* marker) {
  library[marker] = address(initialise);
  return library;
}

// A system whose libraries lie in a map.
LibraryLoader loader(std::map<std::string, Library>& installed) {
  return LibraryLoader{.open = [&installed](const std::string& path, std::string& error) -> void* {
                         const auto it = installed.find(path);
                         if (it == installed.end()) error = "cannot open shared object file";
                         return it == installed.end() ? nullptr : &it->second;
                       },
                       .symbol = [](void* library, const char* symbol) -> void* {
                         const auto& symbols = *static_cast<const Library*>(library);
                         const auto it = symbols.find(symbol);
                         return it == symbols.end() ? nullptr : it->second;
                       }};
}

const std::vector<std::string> kSoftwarePaths{"/a/libcuda.so.1", "/b/libcuda.so.1"};

TEST(DriverFinder, AutoTakesTheSystemsDriverIfItWorks) {
  std::map<std::string, Library> installed{{"libcuda.so.1", kWorking}, {"/a/libcuda.so.1", kWorking}};
  const auto driver = DriverFinder(loader(installed), kSoftwarePaths).find("auto");
  ASSERT_TRUE(driver) << driver.error().message;
  EXPECT_EQ(driver->path(), "libcuda.so.1");
  EXPECT_FALSE(driver->is_software_device());
  EXPECT_TRUE(driver->api().has("cuInit"));
  EXPECT_EQ(driver->api().cuCtxSetCurrent(nullptr), CUDA_ERROR_NOT_SUPPORTED);
}

TEST(DriverFinder, AutoFallsBackToTheSoftwareDeviceAndSaysWhy) {
  struct Case {
    Library nvidia;
    const char* why;
  };
  for (const Case& c : {Case{kWithoutGpu, "cuInit returned CUresult 100"}, Case{kEmpty, "has no device"},
                        Case{with(kWorking, "outboard_client_version"), "Outboard's own client library"}}) {
    std::map<std::string, Library> installed{{"libcuda.so.1", c.nvidia},
                                             {"/b/libcuda.so.1", with(kWorking, "outboard_softgpu_version")}};
    const auto driver = DriverFinder(loader(installed), kSoftwarePaths).find("auto");
    ASSERT_TRUE(driver) << driver.error().message;
    EXPECT_EQ(driver->path(), "/b/libcuda.so.1");
    EXPECT_TRUE(driver->is_software_device());
    EXPECT_NE(driver->reason().find(c.why), std::string::npos) << driver->reason();
  }
}

TEST(DriverFinder, NothingWorkingNamesEverythingThatWasTried) {
  std::map<std::string, Library> installed;
  const auto driver = DriverFinder(loader(installed), kSoftwarePaths).find("auto");
  ASSERT_FALSE(driver);
  for (const char* tried : {"libcuda.so.1", "/a/libcuda.so.1", "/b/libcuda.so.1"}) {
    EXPECT_NE(driver.error().message.find(tried), std::string::npos) << driver.error().message;
  }
}

TEST(DriverFinder, ANamedDriverIsUsedOrRefusedButNeverReplaced) {
  std::map<std::string, Library> installed{{"/opt/libcuda.so", kWorking}, {"/a/libcuda.so.1", kWorking}};
  const DriverFinder finder(loader(installed), kSoftwarePaths);
  EXPECT_EQ(finder.find("/opt/libcuda.so")->path(), "/opt/libcuda.so");
  EXPECT_EQ(finder.find("softgpu")->path(), "/a/libcuda.so.1");
  const auto missing = finder.find("/nowhere/libcuda.so");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().kind, ErrorKind::kNotFound);
}

}  // namespace
}  // namespace outboard::server
