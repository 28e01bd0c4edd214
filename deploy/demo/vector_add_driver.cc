// The demo where nvcc is not installed: an ordinary driver-API program that finds libcuda.so.1 with
// dlopen and brings its kernel as PTX. Nothing in it knows that its device may be remote.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <vector>

#include "deploy/demo/driver_functions.h"
#include "deploy/demo/loaded_libcuda.h"

// vector_add.ptx becomes part of this program, with the zero that ends PTX text.
asm(".section .rodata\n"
    "demo_ptx: .incbin \"" DEMO_PTX_PATH
    "\"\n"
    ".byte 0\n"
    ".previous\n");
extern "C" const char demo_ptx[];

namespace {

constexpr int kCount = 1 << 20;
constexpr unsigned kBlock = 256;
constexpr size_t kBytes = kCount * sizeof(float);

void must(const DriverFunctions& driver, int result, const char* what) {
  if (result == 0) return;
  const char* name = "unknown error";
  driver.get_error_name(result, &name);
  std::printf("FAIL: %s: %s (%d)\n", what, name, result);
  std::exit(1);
}

void introduce(const DriverFunctions& driver, int device) {
  char name[256] = "";
  size_t bytes = 0;
  must(driver, driver.device_get_name(name, sizeof name, device), "cuDeviceGetName");
  must(driver, driver.device_total_memory(&bytes, device), "cuDeviceTotalMem");
  std::printf("pid %d, device \"%s\", %zu MiB\n", static_cast<int>(getpid()), name, bytes >> 20);
  std::printf("libcuda in use: %s\n", loaded_libcuda().c_str());
}

// c = a + b on the device.
void add_on_device(const DriverFunctions& driver, const std::vector<float>& a, const std::vector<float>& b,
                   std::vector<float>& c) {
  void* module = nullptr;
  void* kernel = nullptr;
  must(driver, driver.module_load_data(&module, demo_ptx), "cuModuleLoadData");
  must(driver, driver.module_get_function(&kernel, module, "vector_add"), "cuModuleGetFunction");
  DevicePointer device[3];
  for (DevicePointer& pointer : device) must(driver, driver.memory_allocate(&pointer, kBytes), "cuMemAlloc");
  must(driver, driver.copy_to_device(device[0], a.data(), kBytes), "cuMemcpyHtoD");
  must(driver, driver.copy_to_device(device[1], b.data(), kBytes), "cuMemcpyHtoD");
  int count = kCount;
  void* parameters[] = {&device[0], &device[1], &device[2], &count};
  must(driver,
       driver.launch_kernel(kernel, (kCount + kBlock - 1) / kBlock, 1, 1, kBlock, 1, 1, 0, nullptr,
                            parameters, nullptr),
       "cuLaunchKernel");
  must(driver, driver.context_synchronize(), "cuCtxSynchronize");
  must(driver, driver.copy_to_host(c.data(), device[2], kBytes), "cuMemcpyDtoH");
  for (DevicePointer pointer : device) must(driver, driver.memory_free(pointer), "cuMemFree");
  must(driver, driver.module_unload(module), "cuModuleUnload");
}

}  // namespace

int main() {
  const DriverFunctions driver = load_driver_functions();
  int device = 0;
  void* context = nullptr;
  must(driver, driver.init(0), "cuInit");
  must(driver, driver.device_get(&device, 0), "cuDeviceGet");
  introduce(driver, device);
  must(driver, driver.primary_context_retain(&context, device), "cuDevicePrimaryCtxRetain");
  must(driver, driver.context_set_current(context), "cuCtxSetCurrent");

  std::vector<float> a(kCount), b(kCount), c(kCount);
  for (int i = 0; i < kCount; ++i) {
    a[i] = static_cast<float>(i % 1000) * 0.5f;
    b[i] = static_cast<float>(i % 777) * 0.25f;
  }
  add_on_device(driver, a, b, c);
  must(driver, driver.primary_context_release(device), "cuDevicePrimaryCtxRelease");

  int wrong = 0;
  for (int i = 0; i < kCount; ++i) wrong += c[i] == a[i] + b[i] ? 0 : 1;
  std::printf("%d sums computed by the kernel, %d wrong\n%s\n", kCount, wrong, wrong == 0 ? "PASS" : "FAIL");
  return wrong == 0 ? 0 : 1;
}
