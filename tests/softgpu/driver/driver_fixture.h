// The current thread has the primary context of device 0; each test starts with a fresh one.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <vector>

#include "protocol/abi/cuda_abi_gen.h"

namespace outboard::softgpu {

// scale: p[i] *= factor for i < n. crash: writes to an address nobody allocated.
inline constexpr const char* kPtx = R"(
.version 8.0
.target sm_80
.address_size 64
.visible .global .align 4 .u32 counter = 11;
.const .align 4 .b32 table[4] = {1, 2, 3, 4};
.visible .entry scale(.param .u64 p, .param .u32 factor, .param .u32 n)
{
  .reg .pred %q;
  .reg .b32 %r<8>;
  .reg .b64 %a<4>;
  ld.param.u64 %a0, [p];
  ld.param.u32 %r0, [factor];
  ld.param.u32 %r1, [n];
  mov.u32 %r2, %ctaid.x;
  mov.u32 %r3, %ntid.x;
  mov.u32 %r4, %tid.x;
  mad.lo.s32 %r5, %r2, %r3, %r4;
  setp.ge.u32 %q, %r5, %r1;
  @%q bra DONE;
  mul.wide.u32 %a1, %r5, 4;
  add.s64 %a2, %a0, %a1;
  ld.global.u32 %r6, [%a2];
  mul.lo.s32 %r7, %r6, %r0;
  st.global.u32 [%a2], %r7;
DONE:
  ret;
}
.visible .entry crash(.param .u64 p)
{
  .reg .b64 %a0;
  .reg .b32 %r0;
  ld.param.u64 %a0, [p];
  mov.u32 %r0, 1;
  st.global.u32 [%a0], %r0;
  ret;
}
)";

class DriverTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    setenv("OUTBOARD_SOFTGPU_MEMORY", "256MiB", 1);
    setenv("OUTBOARD_SOFTGPU_DEVICES", "2", 1);
    setenv("OUTBOARD_SOFTGPU_CORES", "2", 1);
    setenv("OUTBOARD_SOFTGPU_STATE", "none", 1);
    setenv("OUTBOARD_SOFTGPU_QUIET", "1", 1);
    ASSERT_EQ(cuInit(0), CUDA_SUCCESS);
  }
  void SetUp() override {
    ASSERT_EQ(cuDevicePrimaryCtxRetain(&context_, 0), CUDA_SUCCESS);
    ASSERT_EQ(cuCtxSetCurrent(context_), CUDA_SUCCESS);
  }
  void TearDown() override {
    cuDevicePrimaryCtxRelease_v2(0);
    cuCtxSetCurrent(nullptr);
  }

  CUfunction function(const char* name) {
    if (module_ == nullptr) {
      EXPECT_EQ(cuModuleLoadData(&module_, kPtx), CUDA_SUCCESS);
    }
    CUfunction found = nullptr;
    EXPECT_EQ(cuModuleGetFunction(&found, module_, name), CUDA_SUCCESS);
    return found;
  }

  CUdeviceptr allocate(size_t bytes) {
    CUdeviceptr address = 0;
    EXPECT_EQ(cuMemAlloc_v2(&address, bytes), CUDA_SUCCESS);
    return address;
  }

  // count words of 1, 2, 3...
  CUdeviceptr numbers(size_t count) {
    std::vector<uint32_t> values(count);
    for (size_t i = 0; i < count; ++i) values[i] = static_cast<uint32_t>(i + 1);
    const CUdeviceptr address = allocate(count * 4);
    EXPECT_EQ(cuMemcpyHtoD_v2(address, values.data(), count * 4), CUDA_SUCCESS);
    return address;
  }

  std::vector<uint32_t> read(CUdeviceptr address, size_t count) {
    std::vector<uint32_t> values(count);
    EXPECT_EQ(cuMemcpyDtoH_v2(values.data(), address, count * 4), CUDA_SUCCESS);
    return values;
  }

  CUresult scale(CUdeviceptr address, uint32_t factor, uint32_t count, CUstream stream = nullptr) {
    void* params[] = {&address, &factor, &count};
    return cuLaunchKernel(function("scale"), (count + 63) / 64, 1, 1, 64, 1, 1, 0, stream, params, nullptr);
  }

  CUcontext context_ = nullptr;
  CUmodule module_ = nullptr;
};

}  // namespace outboard::softgpu
