#include <cstring>
#include <string>

#include "tests/softgpu/driver/driver_fixture.h"
#include "tests/softgpu/image/host_objects.h"

namespace outboard::softgpu {
namespace {

using ModuleTest = DriverTest;

TEST_F(ModuleTest, FunctionsGlobalsAndParameters) {
  const CUfunction f = function("scale");
  size_t offset = 0, bytes = 0;
  EXPECT_EQ(cuFuncGetParamInfo(f, 2, &offset, &bytes), CUDA_SUCCESS);
  EXPECT_EQ(offset, 12u);
  EXPECT_EQ(bytes, 4u);
  EXPECT_EQ(cuFuncGetParamInfo(f, 3, &offset, &bytes), CUDA_ERROR_INVALID_VALUE);
  unsigned count = 0;
  EXPECT_EQ(cuModuleGetFunctionCount(&count, module_), CUDA_SUCCESS);
  EXPECT_EQ(count, 2u);
  const char* name = nullptr;
  EXPECT_EQ(cuFuncGetName(&name, f), CUDA_SUCCESS);
  EXPECT_STREQ(name, "scale");
  CUdeviceptr address = 0;
  EXPECT_EQ(cuModuleGetGlobal_v2(&address, &bytes, module_, "counter"), CUDA_SUCCESS);
  EXPECT_EQ(bytes, 4u);
  EXPECT_EQ(read(address, 1)[0], 11u);
  EXPECT_EQ(cuModuleGetGlobal_v2(&address, &bytes, module_, "nothing"), CUDA_ERROR_NOT_FOUND);
  CUfunction missing = nullptr;
  EXPECT_EQ(cuModuleGetFunction(&missing, module_, "nothing"), CUDA_ERROR_NOT_FOUND);
  EXPECT_EQ(cuModuleUnload(module_), CUDA_SUCCESS);
  EXPECT_EQ(cuFuncGetName(&name, f), CUDA_ERROR_INVALID_HANDLE);
}

TEST_F(ModuleTest, SyntaxErrorsReachTheLog) {
  char log[512] = "untouched";
  CUjit_option options[] = {CU_JIT_ERROR_LOG_BUFFER, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES};
  void* values[] = {log, reinterpret_cast<void*>(sizeof(log))};
  CUmodule module = nullptr;
  const std::string text =
      ".version 8.0\n.target sm_80\n.address_size 64\n.visible .entry k()\n{\n  add.s32 %r1 %r2;\n  "
      "ret;\n}\n";
  EXPECT_EQ(cuModuleLoadDataEx(&module, text.c_str(), 2, options, values), CUDA_ERROR_INVALID_PTX);
  EXPECT_NE(std::string(log).find("6:"), std::string::npos) << log;  // the line
  EXPECT_EQ(reinterpret_cast<size_t>(values[1]), std::strlen(log));
  // A buffer too small is filled and terminated.
  char small[8];
  void* small_values[] = {small, reinterpret_cast<void*>(sizeof(small))};
  EXPECT_EQ(cuModuleLoadDataEx(&module, text.c_str(), 2, options, small_values), CUDA_ERROR_INVALID_PTX);
  EXPECT_EQ(std::strlen(small), 7u);
}

TEST_F(ModuleTest, DamagedImagesAreErrors) {
  CUmodule module = nullptr;
  EXPECT_EQ(cuModuleLoadData(&module, nullptr), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(cuModuleLoadData(&module, "\x01\x02\x03"), CUDA_ERROR_INVALID_IMAGE);
  const uint32_t wrapper[] = {0x466243b1, 99, 0, 0, 0, 0};
  EXPECT_EQ(cuModuleLoadData(&module, wrapper), CUDA_ERROR_NO_BINARY_FOR_GPU);
  EXPECT_EQ(cuModuleLoad(&module, "/nonexistent.ptx"), CUDA_ERROR_FILE_NOT_FOUND);
}

TEST_F(ModuleTest, LibrariesAndKernels) {
  CUlibrary library = nullptr;
  ASSERT_EQ(cuLibraryLoadData(&library, kPtx, nullptr, nullptr, 0, nullptr, nullptr, 0), CUDA_SUCCESS);
  CUkernel kernel = nullptr;
  ASSERT_EQ(cuLibraryGetKernel(&kernel, library, "scale"), CUDA_SUCCESS);
  EXPECT_EQ(cuLibraryGetKernel(&kernel, library, "nothing"), CUDA_ERROR_NOT_FOUND);
  CUdeviceptr address = numbers(64);
  uint32_t factor = 2;
  uint32_t count = 64;
  void* params[] = {&address, &factor, &count};
  // A kernel can be launched as it is, and as the function that it is in this context.
  CUfunction f = nullptr;
  EXPECT_EQ(cuKernelGetFunction(&f, kernel), CUDA_SUCCESS);
  EXPECT_EQ(
      cuLaunchKernel(reinterpret_cast<CUfunction>(kernel), 1, 1, 1, 64, 1, 1, 0, nullptr, params, nullptr),
      CUDA_SUCCESS);
  EXPECT_EQ(cuLaunchKernel(f, 1, 1, 1, 64, 1, 1, 0, nullptr, params, nullptr), CUDA_SUCCESS);
  EXPECT_EQ(read(address, 64)[2], 12u);
  EXPECT_EQ(cuKernelSetAttribute(CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, 100000, kernel, 0),
            CUDA_SUCCESS);
  int value = 0;
  EXPECT_EQ(cuFuncGetAttribute(&value, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, f), CUDA_SUCCESS);
  EXPECT_EQ(value, 100000);
  EXPECT_EQ(cuKernelGetAttribute(&value, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, kernel, 1),
            CUDA_SUCCESS);
  EXPECT_EQ(value, 48 * 1024);
  EXPECT_EQ(cuLibraryUnload(library), CUDA_SUCCESS);
  EXPECT_EQ(
      cuLaunchKernel(reinterpret_cast<CUfunction>(kernel), 1, 1, 1, 64, 1, 1, 0, nullptr, params, nullptr),
      CUDA_ERROR_INVALID_HANDLE);
}

TEST_F(ModuleTest, ALibraryOutlivesAReset) {
  CUlibrary library = nullptr;
  ASSERT_EQ(cuLibraryLoadData(&library, kPtx, nullptr, nullptr, 0, nullptr, nullptr, 0), CUDA_SUCCESS);
  CUkernel kernel = nullptr;
  ASSERT_EQ(cuLibraryGetKernel(&kernel, library, "scale"), CUDA_SUCCESS);
  for (int round = 0; round < 2; ++round) {
    CUdeviceptr address = numbers(64);
    uint32_t factor = 2;
    uint32_t count = 64;
    void* params[] = {&address, &factor, &count};
    EXPECT_EQ(
        cuLaunchKernel(reinterpret_cast<CUfunction>(kernel), 1, 1, 1, 64, 1, 1, 0, nullptr, params, nullptr),
        CUDA_SUCCESS);
    EXPECT_EQ(read(address, 64)[2], 6u);
    EXPECT_EQ(cuDevicePrimaryCtxReset_v2(0), CUDA_SUCCESS);
  }
  EXPECT_EQ(cuLibraryUnload(library), CUDA_SUCCESS);
}

TEST_F(ModuleTest, LinkedTextsLoad) {
  CUlinkState link = nullptr;
  ASSERT_EQ(cuLinkCreate_v2(0, nullptr, nullptr, &link), CUDA_SUCCESS);
  std::string text = kPtx;
  EXPECT_EQ(
      cuLinkAddData_v2(link, CU_JIT_INPUT_PTX, text.data(), text.size() + 1, "unit", 0, nullptr, nullptr),
      CUDA_SUCCESS);
  void* cubin = nullptr;
  size_t bytes = 0;
  ASSERT_EQ(cuLinkComplete(link, &cubin, &bytes), CUDA_SUCCESS);
  EXPECT_GT(bytes, text.size());
  EXPECT_EQ(cuModuleLoadData(&module_, cubin), CUDA_SUCCESS);
  EXPECT_EQ(cuLinkDestroy(link), CUDA_SUCCESS);
  const CUdeviceptr address = numbers(64);
  EXPECT_EQ(scale(address, 3, 64), CUDA_SUCCESS);
  EXPECT_EQ(read(address, 64)[0], 3u);
}

// A library may hold more than the program needs, also what cannot run here.
TEST_F(ModuleTest, LibrariesOfHostObjectsAreLinked) {
  const std::string head = ".version 8.0\n.target sm_80\n.address_size 64\n";
  const std::string library =
      head +
      ".extern .func nobody();\n"
      ".visible .func unused() { call nobody, (); ret; }\n"
      ".visible .func (.param .b32 r) twice(.param .b32 x) {\n"
      "  .reg .b32 %a; ld.param.b32 %a, [x]; shl.b32 %a, %a, 1; st.param.b32 [r], %a; ret; }\n";
  std::string program = head +
                        ".extern .func (.param .b32 r) twice(.param .b32 x);\n"
                        ".visible .entry doubled(.param .u64 p) {\n"
                        "  .reg .b64 %p; .reg .b32 %v; ld.param.u64 %p, [p]; ld.global.b32 %v, [%p];\n"
                        "  { .param .b32 x; .param .b32 r; st.param.b32 [x], %v; call (r), twice, (x);\n"
                        "    ld.param.b32 %v, [r]; }\n"
                        "  st.global.b32 [%p], %v; ret; }\n";
  const auto fatbin = image::container({image::entry(1, 80, library)});
  std::vector<std::byte> archive = image::archive({image::object("__nv_relfatbin", fatbin)});
  std::vector<std::byte> object = image::object(".nv_fatbin", fatbin);
  for (auto* data : {&archive, &object}) {
    const auto type = data == &archive ? CU_JIT_INPUT_LIBRARY : CU_JIT_INPUT_OBJECT;
    CUlinkState link = nullptr;
    ASSERT_EQ(cuLinkCreate_v2(0, nullptr, nullptr, &link), CUDA_SUCCESS);
    EXPECT_EQ(
        cuLinkAddData_v2(link, CU_JIT_INPUT_PTX, program.data(), program.size() + 1, "", 0, nullptr, nullptr),
        CUDA_SUCCESS);
    EXPECT_EQ(cuLinkAddData_v2(link, type, data->data(), data->size(), "", 0, nullptr, nullptr),
              CUDA_SUCCESS);
    void* cubin = nullptr;
    size_t bytes = 0;
    ASSERT_EQ(cuLinkComplete(link, &cubin, &bytes), CUDA_SUCCESS);
    ASSERT_EQ(cuModuleLoadData(&module_, cubin), CUDA_SUCCESS);
    EXPECT_EQ(cuLinkDestroy(link), CUDA_SUCCESS);
    CUdeviceptr address = numbers(2);
    void* params[] = {&address};
    EXPECT_EQ(cuLaunchKernel(function("doubled"), 1, 1, 1, 1, 1, 1, 0, nullptr, params, nullptr),
              CUDA_SUCCESS);
    EXPECT_EQ(read(address, 2), (std::vector<uint32_t>{2, 2}));
    EXPECT_EQ(cuModuleUnload(module_), CUDA_SUCCESS);
    module_ = nullptr;
  }
  CUlinkState link = nullptr;
  ASSERT_EQ(cuLinkCreate_v2(0, nullptr, nullptr, &link), CUDA_SUCCESS);
  auto empty = image::archive({});
  EXPECT_EQ(cuLinkAddData_v2(link, CU_JIT_INPUT_LIBRARY, empty.data(), empty.size(), "", 0, nullptr, nullptr),
            CUDA_ERROR_NO_BINARY_FOR_GPU);
  EXPECT_EQ(cuLinkAddData_v2(link, CU_JIT_INPUT_NVVM, empty.data(), empty.size(), "", 0, nullptr, nullptr),
            CUDA_ERROR_NOT_SUPPORTED);
  EXPECT_EQ(cuLinkDestroy(link), CUDA_SUCCESS);
}

// Each failure is told in full, although the size that was written back for the one before is shorter.
TEST_F(ModuleTest, LinkErrorsReachTheLogEachTime) {
  char log[512] = "";
  CUjit_option options[] = {CU_JIT_ERROR_LOG_BUFFER, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES};
  void* values[] = {log, reinterpret_cast<void*>(sizeof(log))};
  CUlinkState link = nullptr;
  ASSERT_EQ(cuLinkCreate_v2(2, options, values, &link), CUDA_SUCCESS);
  char garbage[] = "\x01\x02\x03";
  EXPECT_NE(cuLinkAddData_v2(link, CU_JIT_INPUT_FATBINARY, garbage, sizeof(garbage), "", 0, nullptr, nullptr),
            CUDA_SUCCESS);
  EXPECT_GT(std::strlen(log), 0u);
  EXPECT_EQ(reinterpret_cast<size_t>(values[1]), std::strlen(log));
  std::string text = ".version 8.0\n.target sm_80\n.address_size 64\n.entry k()\n{\n";
  for (int i = 0; i < 8; ++i) text += "add.s32 %r1 %r2;\n";
  text += "}\n";
  EXPECT_EQ(cuLinkAddData_v2(link, CU_JIT_INPUT_PTX, text.data(), text.size() + 1, "", 0, nullptr, nullptr),
            CUDA_ERROR_INVALID_PTX);
  EXPECT_NE(std::string(log).find("ptx 13:"), std::string::npos) << log;  // the last line with an error
  EXPECT_EQ(reinterpret_cast<size_t>(values[1]), std::strlen(log));
  EXPECT_EQ(cuLinkDestroy(link), CUDA_SUCCESS);
}

}  // namespace
}  // namespace outboard::softgpu
