// The linker: texts that need one another, from memory and from files, in each container; its logs; what it
// refuses. And fat binaries as modules.
#include <unistd.h>

#include <cstring>
#include <filesystem>

#include "driver.h"

namespace {

constexpr const char* kCaller = R"(
.version 8.0
.target sm_70
.address_size 64
.extern .func (.param .b32 result) shifted(.param .b32 value);
.extern .global .align 4 .u32 offset;
// out[i] = shifted(i) + offset
.visible .entry run(.param .u64 out)
{
  .reg .b32 %r<4>; .reg .b64 %a<3>;
  mov.u32 %r0, %tid.x;
  { .param .b32 value; .param .b32 result;
    st.param.b32 [value], %r0;
    call (result), shifted, (value);
    ld.param.b32 %r1, [result]; }
  ld.global.u32 %r2, [offset];
  add.u32 %r1, %r1, %r2;
  ld.param.u64 %a0, [out];
  mul.wide.u32 %a1, %r0, 4;
  add.u64 %a0, %a0, %a1;
  st.global.u32 [%a0], %r1;
  ret;
}
)";

constexpr const char* kCallee = R"(
.version 8.0
.target sm_70
.address_size 64
.visible .global .align 4 .u32 offset = 1000;
.visible .func (.param .b32 result) shifted(.param .b32 value)
{
  .reg .b32 %r0;
  ld.param.b32 %r0, [value];
  shl.b32 %r0, %r0, 3;
  st.param.b32 [result], %r0;
  ret;
}
)";

template <typename T>
void put(std::vector<std::byte>& to, size_t at, T value) {
  std::memcpy(&to[at], &value, sizeof value);
}

// A fat binary with one uncompressed PTX text.
std::vector<std::byte> fat_binary(const std::string& ptx) {
  constexpr size_t kHeader = 16, kEntry = 64;
  const size_t payload = (ptx.size() + 1 + 7) / 8 * 8;
  std::vector<std::byte> image(kHeader + kEntry + payload);
  put(image, 0, uint32_t{0xba55'ed50});
  put(image, 4, uint16_t{1});
  put(image, 6, uint16_t{kHeader});
  put(image, 8, uint64_t{kEntry + payload});
  put(image, kHeader, uint16_t{1});  // PTX
  put(image, kHeader + 2, uint16_t{0x101});
  put(image, kHeader + 4, uint32_t{kEntry});
  put(image, kHeader + 8, uint64_t{payload});
  put(image, kHeader + 28, uint32_t{70});
  put(image, kHeader + 40, uint64_t{0x11});
  std::memcpy(&image[kHeader + kEntry], ptx.data(), ptx.size());
  return image;
}

// Runs `run` of an image and compares with what it must write.
void check_image(const void* image) {
  CUmodule module = nullptr;
  MUST(DRIVER(cuModuleLoadData)(&module, image));
  const CUdeviceptr out = upload(std::vector<uint32_t>(32, 0));
  launch(function_of(module, "run"), 1, 32, {const_cast<CUdeviceptr*>(&out)});
  const auto got = download<uint32_t>(out, 32);
  for (uint32_t i = 0; i < 32; ++i) EXPECT(got[i] == (i << 3) + 1000);
  CUdeviceptr offset = 0;
  size_t bytes = 0;
  MUST(DRIVER(cuModuleGetGlobal_v2)(&offset, &bytes, module, "offset"));
  EXPECT(bytes == 4);
  MUST(DRIVER(cuMemFree_v2)(out));
  MUST(DRIVER(cuModuleUnload)(module));
}

CUlinkState new_link() {
  CUlinkState link = nullptr;
  MUST(DRIVER(cuLinkCreate_v2)(0, nullptr, nullptr, &link));
  return link;
}

CUresult add_text(CUlinkState link, const char* text) {
  return DRIVER(cuLinkAddData_v2)(link, CU_JIT_INPUT_PTX, const_cast<char*>(text), std::strlen(text) + 1,
                                  "a text", 0, nullptr, nullptr);
}

void complete_and_check(CUlinkState link) {
  void* image = nullptr;
  size_t bytes = 0;
  MUST(DRIVER(cuLinkComplete)(link, &image, &bytes));
  EXPECT(image != nullptr && bytes > 0);
  check_image(image);
  // The image goes with the link; its size is not everybody's business.
  void* again = nullptr;
  MUST(DRIVER(cuLinkComplete)(link, &again, nullptr));
  EXPECT(again != nullptr);
  MUST(DRIVER(cuLinkDestroy)(link));
}

void check_sources() {
  CUlinkState link = new_link();
  MUST(add_text(link, kCaller));
  MUST(add_text(link, kCallee));
  complete_and_check(link);

  // The forms of CUDA 5.5 and a file.
  const std::filesystem::path path =
      std::filesystem::temp_directory_path() / ("outboard-link-" + std::to_string(getpid()) + ".ptx");
  std::ofstream(path) << kCallee;
  link = nullptr;
  MUST(DRIVER(cuLinkCreate)(0, nullptr, nullptr, &link));
  MUST(DRIVER(cuLinkAddFile_v2)(link, CU_JIT_INPUT_PTX, path.c_str(), 0, nullptr, nullptr));
  MUST(DRIVER(cuLinkAddData)(link, CU_JIT_INPUT_PTX, const_cast<char*>(kCaller), std::strlen(kCaller) + 1,
                             nullptr, 0, nullptr, nullptr));
  complete_and_check(link);
  link = new_link();
  MUST(DRIVER(cuLinkAddFile)(link, CU_JIT_INPUT_PTX, path.c_str(), 0, nullptr, nullptr));
  std::filesystem::remove(path);
  std::vector<std::byte> fat = fat_binary(kCaller);
  MUST(DRIVER(cuLinkAddData_v2)(link, CU_JIT_INPUT_FATBINARY, fat.data(), fat.size(), "fat", 0, nullptr,
                                nullptr));
  complete_and_check(link);
  EXPECT_ERROR(CUDA_ERROR_FILE_NOT_FOUND, DRIVER(cuLinkAddFile_v2)(link = new_link(), CU_JIT_INPUT_PTX,
                                                                   path.c_str(), 0, nullptr, nullptr));
  MUST(DRIVER(cuLinkDestroy)(link));
  std::printf("sources done\n");
}

void check_refusals() {
  const CUlinkState link = new_link();
  void* image = nullptr;
  size_t bytes = 0;
  EXPECT_ERROR(CUDA_ERROR_INVALID_VALUE, DRIVER(cuLinkCreate_v2)(0, nullptr, nullptr, nullptr));
  EXPECT_ERROR(CUDA_ERROR_INVALID_VALUE,
               DRIVER(cuLinkAddData_v2)(link, CU_JIT_INPUT_PTX, nullptr, 8, "", 0, nullptr, nullptr));
  EXPECT_ERROR(CUDA_ERROR_INVALID_VALUE,
               DRIVER(cuLinkAddFile_v2)(link, CU_JIT_INPUT_PTX, nullptr, 0, nullptr, nullptr));
  EXPECT_ERROR(CUDA_ERROR_INVALID_VALUE, DRIVER(cuLinkComplete)(link, nullptr, &bytes));
  EXPECT_ERROR(CUDA_ERROR_INVALID_PTX, add_text(link, "no text of a kernel"));
  // A function that nobody defines.
  MUST(add_text(link, kCaller));
  EXPECT(DRIVER(cuLinkComplete)(link, &image, &bytes) != CUDA_SUCCESS);
  MUST(DRIVER(cuLinkDestroy)(link));
  EXPECT_ERROR(CUDA_ERROR_INVALID_HANDLE, DRIVER(cuLinkDestroy)(link));
  EXPECT_ERROR(CUDA_ERROR_INVALID_HANDLE, add_text(link, kCaller));
  EXPECT_ERROR(CUDA_ERROR_INVALID_HANDLE, DRIVER(cuLinkComplete)(link, &image, &bytes));
  std::printf("refusals done\n");
}

// What is wrong is said in the log that the program gave with the link.
void check_logs() {
  char errors[2048] = "";
  CUjit_option options[] = {CU_JIT_ERROR_LOG_BUFFER, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES};
  void* values[] = {errors, reinterpret_cast<void*>(uintptr_t{sizeof errors})};
  CUlinkState link = nullptr;
  MUST(DRIVER(cuLinkCreate_v2)(2, options, values, &link));
  MUST(add_text(link, kCaller));
  void* image = nullptr;
  size_t bytes = 0;
  EXPECT(DRIVER(cuLinkComplete)(link, &image, &bytes) != CUDA_SUCCESS);
  EXPECT(std::strstr(errors, "shifted") != nullptr || std::strstr(errors, "offset") != nullptr);
  EXPECT(reinterpret_cast<uintptr_t>(values[1]) <= sizeof errors);
  MUST(DRIVER(cuLinkDestroy)(link));
  std::printf("logs done\n");
}

void check_fat_binaries() {
  const std::string both = std::string(kCallee) + (std::strstr(kCaller, "// out[i]"));
  std::vector<std::byte> fat = fat_binary(both);
  check_image(fat.data());
  CUmodule module = nullptr;
  MUST(DRIVER(cuModuleLoadFatBinary)(&module, fat.data()));
  CUfunction function = nullptr;
  MUST(DRIVER(cuModuleGetFunction)(&function, module, "run"));
  EXPECT_ERROR(CUDA_ERROR_NOT_FOUND, DRIVER(cuModuleGetFunction)(&function, module, "shifted"));
  MUST(DRIVER(cuModuleUnload)(module));
  EXPECT_ERROR(CUDA_ERROR_INVALID_HANDLE, DRIVER(cuModuleUnload)(module));
  // As compilers leave it in a program: behind a wrapper.
  struct {
    uint32_t magic = 0x4662'43b1, version = 1;
    const void* data = nullptr;
    const void* list = nullptr;
  } wrapper;
  wrapper.data = fat.data();
  MUST(DRIVER(cuModuleLoadFatBinary)(&module, &wrapper));
  MUST(DRIVER(cuModuleUnload)(module));
  EXPECT_ERROR(CUDA_ERROR_INVALID_VALUE, DRIVER(cuModuleLoadFatBinary)(&module, nullptr));
  EXPECT_ERROR(CUDA_ERROR_INVALID_VALUE, DRIVER(cuModuleLoadFatBinary)(nullptr, fat.data()));
  // A machine's code alone, of no device that is here.
  put(fat, 16, uint16_t{2});
  EXPECT(DRIVER(cuModuleLoadFatBinary)(&module, fat.data()) != CUDA_SUCCESS);
  std::printf("fat binaries done\n");
}

}  // namespace

int main() {
  open_device();
  check_sources();
  check_refusals();
  check_logs();
  check_fat_binaries();
  return verdict("driver_links");
}
