// What ends with a context, a module or a device's reset: everything that lived in it, for good, and what
// is made afterwards works.
#include <cstring>

#include "driver.h"

namespace {

// One object of each kind that lives in a context.
struct Objects {
  CUstream stream = nullptr;
  CUevent event = nullptr;
  CUdeviceptr memory = 0;
  CUmodule module = nullptr;
  CUfunction scale = nullptr;
  CUarray array = nullptr;
  CUmipmappedArray mipmap = nullptr;

  void make(const std::string& ptx) {
    MUST(DRIVER(cuStreamCreate)(&stream, CU_STREAM_NON_BLOCKING));
    MUST(DRIVER(cuEventCreate)(&event, 0));
    MUST(DRIVER(cuMemAlloc_v2)(&memory, 4096));
    MUST(DRIVER(cuModuleLoadData)(&module, ptx.c_str()));
    scale = function_of(module, "scale");
    const CUDA_ARRAY_DESCRIPTOR flat{16, 4, CU_AD_FORMAT_FLOAT, 1};
    const CUDA_ARRAY3D_DESCRIPTOR deep{16, 4, 0, CU_AD_FORMAT_FLOAT, 1, 0};
    MUST(DRIVER(cuArrayCreate_v2)(&array, &flat));
    MUST(DRIVER(cuMipmappedArrayCreate)(&mipmap, &deep, 2));
  }

  void use() const {
    std::vector<float> values(100, 3.0f);
    unsigned count = 100;
    CUdeviceptr address = memory;
    MUST(DRIVER(cuMemcpyHtoDAsync_v2)(memory, values.data(), 400, stream));
    launch(scale, 1, 100, {&address, &count}, stream);
    MUST(DRIVER(cuEventRecord)(event, stream));
    MUST(DRIVER(cuEventSynchronize)(event));
    values = download<float>(memory, 100);
    for (unsigned i = 0; i < count; ++i) EXPECT(values[i] == 3.0f * static_cast<float>(1 << i % 4));
    CUDA_ARRAY_DESCRIPTOR found{};
    MUST(DRIVER(cuArrayGetDescriptor_v2)(&found, array));
    EXPECT(found.Width == 16 && found.Height == 4);
    CUarray level = nullptr;
    MUST(DRIVER(cuMipmappedArrayGetLevel)(&level, mipmap, 1));
  }

  // In a context that is alive, where none of this lives any more.
  void check_gone() const {
    CUDA_ARRAY_DESCRIPTOR found{};
    CUarray level = nullptr;
    CUfunction function = nullptr;
    EXPECT_ERROR(CUDA_ERROR_INVALID_HANDLE, DRIVER(cuStreamQuery)(stream));
    EXPECT_ERROR(CUDA_ERROR_INVALID_HANDLE, DRIVER(cuEventQuery)(event));
    EXPECT_ERROR(CUDA_ERROR_INVALID_HANDLE, DRIVER(cuModuleGetFunction)(&function, module, "scale"));
    EXPECT_ERROR(CUDA_ERROR_INVALID_HANDLE, DRIVER(cuArrayGetDescriptor_v2)(&found, array));
    EXPECT_ERROR(CUDA_ERROR_INVALID_HANDLE, DRIVER(cuMipmappedArrayGetLevel)(&level, mipmap, 0));
    EXPECT_ERROR(CUDA_ERROR_INVALID_VALUE, DRIVER(cuMemFree_v2)(memory));
  }
};

// Contexts that come and go with all that is in them, again and again.
void check_contexts(CUdevice device, const std::string& ptx) {
  CUcontext primary = nullptr;
  MUST(DRIVER(cuCtxGetCurrent)(&primary));
  Objects before;
  before.make(ptx);
  for (int round = 0; round < 5; ++round) {
    CUcontext context = nullptr;
    Objects objects;
    MUST(DRIVER(cuCtxCreate_v2)(&context, 0, device));
    objects.make(ptx);
    objects.use();
    MUST(DRIVER(cuCtxDestroy_v2)(context));
    MUST(DRIVER(cuCtxSetCurrent)(primary));
    objects.check_gone();
    before.use();
  }
  std::printf("contexts done\n");
}

void check_reset(CUdevice device, const std::string& ptx) {
  CUcontext primary = nullptr;
  MUST(DRIVER(cuCtxGetCurrent)(&primary));
  for (int round = 0; round < 3; ++round) {
    Objects objects;
    objects.make(ptx);
    objects.use();
    if (round == 1) {
      MUST(DRIVER(cuDevicePrimaryCtxReset)(device));
    } else {
      MUST(DRIVER(cuDevicePrimaryCtxReset_v2)(device));
    }
    CUcontext retained = nullptr;
    MUST(DRIVER(cuDevicePrimaryCtxRetain)(&retained, device));
    EXPECT(retained == primary);
    MUST(DRIVER(cuCtxSetCurrent)(retained));
    objects.check_gone();
  }
  // An error that ended the context ends with the reset.
  CUmodule module = nullptr;
  MUST(DRIVER(cuModuleLoadData)(&module, ptx.c_str()));
  launch(function_of(module, "crash"), 1, 1, {});
  EXPECT_ERROR(CUDA_ERROR_ILLEGAL_ADDRESS, DRIVER(cuCtxSynchronize)());
  EXPECT_ERROR(CUDA_ERROR_ILLEGAL_ADDRESS, DRIVER(cuCtxSynchronize)());
  MUST(DRIVER(cuDevicePrimaryCtxReset_v2)(device));
  MUST(DRIVER(cuDevicePrimaryCtxRetain)(&primary, device));
  MUST(DRIVER(cuCtxSetCurrent)(primary));
  Objects objects;
  objects.make(ptx);
  objects.use();
  EXPECT_ERROR(CUDA_ERROR_INVALID_DEVICE, DRIVER(cuDevicePrimaryCtxReset_v2)(1000));
  std::printf("reset done\n");
}

// Code that is loaded, used and unloaded in turn.
void check_modules(const std::string& ptx) {
  for (int round = 0; round < 50; ++round) {
    CUmodule module = nullptr;
    CUlibrary library = nullptr;
    CUkernel kernel = nullptr;
    CUfunction function = nullptr, of_kernel = nullptr;
    CUdeviceptr variable = 0;
    size_t bytes = 0;
    MUST(DRIVER(cuModuleLoadData)(&module, ptx.c_str()));
    function = function_of(module, "scale");
    MUST(DRIVER(cuModuleGetGlobal_v2)(&variable, &bytes, module, "launches"));
    MUST(DRIVER(cuLibraryLoadData)(&library, ptx.c_str(), nullptr, nullptr, 0, nullptr, nullptr, 0));
    MUST(DRIVER(cuLibraryGetKernel)(&kernel, library, "scale"));
    MUST(DRIVER(cuKernelGetFunction)(&of_kernel, kernel));
    std::vector<float> values(8, 1.0f);
    CUdeviceptr memory = upload(values);
    unsigned count = 8;
    launch(function, 1, 8, {&memory, &count});
    launch(of_kernel, 1, 8, {&memory, &count});
    launch(reinterpret_cast<CUfunction>(kernel), 1, 8, {&memory, &count});
    values = download<float>(memory, 8);
    for (unsigned i = 0; i < count; ++i) EXPECT(values[i] == static_cast<float>(1 << 3 * (i % 4)));
    MUST(DRIVER(cuMemFree_v2)(memory));
    MUST(DRIVER(cuLibraryUnload)(library));
    MUST(DRIVER(cuModuleUnload)(module));
    const char* name = nullptr;
    EXPECT_ERROR(CUDA_ERROR_INVALID_HANDLE, DRIVER(cuFuncGetName)(&name, function));
    EXPECT_ERROR(CUDA_ERROR_INVALID_HANDLE, DRIVER(cuFuncGetName)(&name, of_kernel));
    EXPECT_ERROR(CUDA_ERROR_INVALID_HANDLE, DRIVER(cuKernelGetName)(&name, kernel));
    EXPECT_ERROR(CUDA_ERROR_INVALID_VALUE, DRIVER(cuMemsetD8_v2)(variable, 0, bytes));
  }
  std::printf("modules done\n");
}

}  // namespace

int main() {
  const std::string ptx = read_text(OUTBOARD_TEST_PTX);
  const CUdevice device = open_device();
  check_modules(ptx);
  check_contexts(device, ptx);
  check_reset(device, ptx);
  return verdict("driver_teardown");
}
