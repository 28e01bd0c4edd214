#include <cstring>

#include "protocol/abi/proc_table_gen.h"
#include "tests/softgpu/driver/driver_fixture.h"

namespace outboard::softgpu {
namespace {

using ProcTest = DriverTest;

TEST_F(ProcTest, VersionsAndPerThreadVariants) {
  void* plain = nullptr;
  void* per_thread = nullptr;
  CUdriverProcAddressQueryResult status{};
  EXPECT_EQ(cuGetProcAddress_v2("cuMemcpyHtoD", &plain, 13000, 0, &status), CUDA_SUCCESS);
  EXPECT_EQ(plain, reinterpret_cast<void*>(&cuMemcpyHtoD_v2));
  EXPECT_EQ(cuGetProcAddress_v2("cuMemcpyHtoD", &per_thread, 13000,
                                CU_GET_PROC_ADDRESS_PER_THREAD_DEFAULT_STREAM, &status),
            CUDA_SUCCESS);
  EXPECT_EQ(per_thread, reinterpret_cast<void*>(&cuMemcpyHtoD_v2_ptds));
  EXPECT_EQ(cuGetProcAddress_v2("cuNothing", &plain, 13000, 0, &status), CUDA_ERROR_NOT_FOUND);
  EXPECT_EQ(status, CU_GET_PROC_ADDRESS_SYMBOL_NOT_FOUND);
}

TEST_F(ProcTest, ErrorsHaveNames) {
  const char* name = nullptr;
  EXPECT_EQ(cuGetErrorName(CUDA_ERROR_OUT_OF_MEMORY, &name), CUDA_SUCCESS);
  EXPECT_STREQ(name, "CUDA_ERROR_OUT_OF_MEMORY");
  EXPECT_EQ(cuGetErrorName(static_cast<CUresult>(12345), &name), CUDA_ERROR_INVALID_VALUE);
}

TEST_F(ProcTest, ContextLocalStorageTable) {
  const CUuuid id{{'\xc6', '\x93', '\x33', '\x6e', '\x11', '\x21', '\xdf', '\x11', '\xa8', '\xc3', '\x68',
                   '\xf3', '\x55', '\xd8', '\x95', '\x93'}};
  const void* table = nullptr;
  ASSERT_EQ(cuGetExportTable(&table, &id), CUDA_SUCCESS);
  EXPECT_NE(table, nullptr);
}

}  // namespace
}  // namespace outboard::softgpu
