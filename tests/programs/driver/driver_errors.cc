// Images, names and handles that are wrong, through the driver API: each must give the error that a
// program can act on, and leave the context usable.
#include <algorithm>
#include <cstring>

#include "driver.h"

namespace {

void check_syntax_error(const std::string& good) {
  const std::string bad = good.substr(0, good.find("add.f32")) + "add.f32 %f3, %f1 %f2;\n ret;\n}\n";
  char info[4096] = "", errors[4096] = "";
  CUjit_option options[] = {CU_JIT_INFO_LOG_BUFFER, CU_JIT_INFO_LOG_BUFFER_SIZE_BYTES,
                            CU_JIT_ERROR_LOG_BUFFER, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES};
  void* values[] = {info, reinterpret_cast<void*>(sizeof info), errors,
                    reinterpret_cast<void*>(sizeof errors)};
  CUmodule module = nullptr;
  EXPECT_ERROR(CUDA_ERROR_INVALID_PTX, DRIVER(cuModuleLoadDataEx)(&module, bad.c_str(), 4, options, values));
  std::printf("error log: %s\n", errors);
  const size_t line = 1 + static_cast<size_t>(std::count(
                              bad.begin(), bad.begin() + static_cast<long>(bad.rfind("add.f32")), '\n'));
  EXPECT(std::strstr(errors, std::to_string(line).c_str()) != nullptr);
  EXPECT(std::strlen(errors) > 10);
  EXPECT_ERROR(CUDA_ERROR_INVALID_PTX, DRIVER(cuModuleLoadData)(&module, bad.c_str()));

  // A log buffer that is too small is filled and terminated, not overrun.
  char tiny[16];
  std::memset(tiny, '#', sizeof tiny);
  values[2] = tiny;
  values[3] = reinterpret_cast<void*>(size_t{8});
  EXPECT_ERROR(CUDA_ERROR_INVALID_PTX, DRIVER(cuModuleLoadDataEx)(&module, bad.c_str(), 4, options, values));
  EXPECT(std::memchr(tiny, 0, 8) != nullptr);
  EXPECT(tiny[8] == '#' && tiny[15] == '#');
}

struct FatbinHeader {
  uint32_t magic;
  uint16_t version, header_bytes;
  uint64_t payload_bytes;
};

struct FatbinWrapper {
  uint32_t magic, version;
  const void* data;
  const void* more;
};

void check_corrupt_images() {
  CUmodule module = nullptr;
  alignas(8) char image[256];

  std::memset(image, 0x5a, sizeof image);
  image[sizeof image - 1] = 0;
  CUresult result = DRIVER(cuModuleLoadData)(&module, image);
  EXPECT(result == CUDA_ERROR_INVALID_IMAGE || result == CUDA_ERROR_INVALID_PTX);

  // A fatbin whose only entry claims to be longer than the fatbin.
  std::memset(image, 0, sizeof image);
  const FatbinHeader header = {0xBA55ED50, 1, 16, 128};
  std::memcpy(image, &header, sizeof header);
  const uint16_t kind = 1, flags = 0x0101;
  const uint32_t entry_header_bytes = 64;
  const uint64_t padded = uint64_t{1} << 40;
  std::memcpy(image + 16, &kind, 2);
  std::memcpy(image + 18, &flags, 2);
  std::memcpy(image + 20, &entry_header_bytes, 4);
  std::memcpy(image + 24, &padded, 8);
  const FatbinWrapper wrapper = {0x466243b1, 1, image, nullptr};
  result = DRIVER(cuModuleLoadData)(&module, &wrapper);
  std::printf("fatbin with a false size: %s\n", error_name_of(result));
  EXPECT(result != CUDA_SUCCESS);

  // A compressed entry whose payload is not what it says.
  const uint64_t payload = 64, expanded = 1000, zstd_flags = 0x8011;
  const uint32_t compressed = 64, sm = 75;
  std::memcpy(image + 24, &payload, 8);
  std::memcpy(image + 32, &compressed, 4);
  std::memcpy(image + 44, &sm, 4);
  std::memcpy(image + 56, &zstd_flags, 8);
  std::memcpy(image + 72, &expanded, 8);
  std::memset(image + 80, 0x77, 64);
  result = DRIVER(cuModuleLoadData)(&module, &wrapper);
  std::printf("fatbin with a false payload: %s\n", error_name_of(result));
  EXPECT(result != CUDA_SUCCESS);

  // An empty fatbin, and one for nothing we have.
  const FatbinHeader empty = {0xBA55ED50, 1, 16, 0};
  std::memcpy(image, &empty, sizeof empty);
  result = DRIVER(cuModuleLoadData)(&module, &wrapper);
  std::printf("empty fatbin: %s\n", error_name_of(result));
  EXPECT(result == CUDA_ERROR_NO_BINARY_FOR_GPU || result == CUDA_ERROR_INVALID_IMAGE);

  // ELF magic followed by nonsense.
  std::memset(image, 0xff, sizeof image);
  std::memcpy(image,
              "\x7f"
              "ELF\x02\x01\x01",
              7);
  result = DRIVER(cuModuleLoadData)(&module, image);
  std::printf("false ELF: %s\n", error_name_of(result));
  EXPECT(result != CUDA_SUCCESS);
  EXPECT_ERROR(CUDA_ERROR_INVALID_VALUE, DRIVER(cuModuleLoadData)(&module, nullptr));
}

void check_wrong_names_and_handles(CUmodule module) {
  CUfunction function = nullptr;
  EXPECT_ERROR(CUDA_ERROR_NOT_FOUND, DRIVER(cuModuleGetFunction)(&function, module, "no_such_kernel"));
  EXPECT_ERROR(CUDA_ERROR_NOT_FOUND, DRIVER(cuModuleGetFunction)(&function, module, ""));
  CUdeviceptr address = 0;
  size_t bytes = 0;
  EXPECT_ERROR(CUDA_ERROR_NOT_FOUND,
               DRIVER(cuModuleGetGlobal_v2)(&address, &bytes, module, "no_such_variable"));
  MUST(DRIVER(cuModuleGetFunction)(&function, module, "scale"));
  unsigned count = 0;
  void* arguments[] = {&address, &count};
  const auto launch_with = [&](unsigned grid, unsigned block, unsigned shared) {
    return DRIVER(cuLaunchKernel)(function, grid, 1, 1, block, 1, 1, shared, nullptr, arguments, nullptr);
  };
  EXPECT_ERROR(CUDA_ERROR_INVALID_VALUE, launch_with(0, 32, 0));
  EXPECT_ERROR(CUDA_ERROR_INVALID_VALUE, launch_with(1, 2000, 0));
  EXPECT_ERROR(CUDA_ERROR_INVALID_VALUE, launch_with(1, 32, 1 << 20));
  EXPECT_ERROR(CUDA_ERROR_INVALID_VALUE, DRIVER(cuMemFree_v2)(0x1234));
  EXPECT_ERROR(CUDA_ERROR_INVALID_VALUE, DRIVER(cuMemAlloc_v2)(&address, 0));
  EXPECT_ERROR(CUDA_ERROR_OUT_OF_MEMORY, DRIVER(cuMemAlloc_v2)(&address, size_t{1} << 46));
  EXPECT_ERROR(CUDA_ERROR_INVALID_VALUE, DRIVER(cuMemsetD8_v2)(0x1234, 0, 16));
  CUdevice device = 0;
  EXPECT_ERROR(CUDA_ERROR_INVALID_DEVICE, DRIVER(cuDeviceGet)(&device, 12345));
  std::printf("names and handles done\n");
}

}  // namespace

int main(int argc, char** argv) {
  const std::string ptx = read_text(argc > 1 ? argv[1] : OUTBOARD_TEST_PTX);
  CUdeviceptr address = 0;
  EXPECT_ERROR(CUDA_ERROR_NOT_INITIALIZED, DRIVER(cuMemAlloc_v2)(&address, 100));
  MUST(DRIVER(cuInit)(0));
  EXPECT_ERROR(CUDA_ERROR_INVALID_CONTEXT, DRIVER(cuMemAlloc_v2)(&address, 100));
  open_device();
  check_syntax_error(ptx);
  check_corrupt_images();
  CUmodule module = nullptr;
  MUST(DRIVER(cuModuleLoadData)(&module, ptx.c_str()));
  check_wrong_names_and_handles(module);

  // The context still works.
  unsigned count = 4;
  CUdeviceptr data = upload(std::vector<float>(count, 1.0f));
  launch(function_of(module, "scale"), 1, 32, {&data, &count});
  EXPECT(download<float>(data, count) == (std::vector<float>{1, 2, 4, 8}));
  MUST(DRIVER(cuModuleUnload)(module));
  EXPECT_ERROR(CUDA_ERROR_INVALID_HANDLE, DRIVER(cuModuleUnload)(module));
  return verdict("driver_errors");
}
