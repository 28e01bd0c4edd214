#include "tests/softgpu/driver/driver_fixture.h"

namespace outboard::softgpu {
namespace {

using LaunchTest = DriverTest;

TEST_F(LaunchTest, ParametersByPointersAndByBuffer) {
  const CUdeviceptr address = numbers(100);
  EXPECT_EQ(scale(address, 2, 100), CUDA_SUCCESS);
  struct {
    CUdeviceptr p;
    uint32_t factor, n;
  } packed{address, 5, 100};
  size_t bytes = sizeof(packed);
  void* extra[] = {CU_LAUNCH_PARAM_BUFFER_POINTER, &packed, CU_LAUNCH_PARAM_BUFFER_SIZE, &bytes,
                   CU_LAUNCH_PARAM_END};
  EXPECT_EQ(cuLaunchKernel(function("scale"), 2, 1, 1, 64, 1, 1, 0, nullptr, nullptr, extra), CUDA_SUCCESS);
  bytes = 8;
  EXPECT_EQ(cuLaunchKernel(function("scale"), 2, 1, 1, 64, 1, 1, 0, nullptr, nullptr, extra),
            CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(read(address, 100)[99], 1000u);
}

TEST_F(LaunchTest, ShapesAreChecked) {
  CUdeviceptr address = numbers(1);
  uint32_t one = 1;
  void* params[] = {&address, &one, &one};
  const CUfunction f = function("scale");
  const auto launch = [&](unsigned grid, unsigned block, unsigned shared) {
    return cuLaunchKernel(f, grid, 1, 1, block, 1, 1, shared, nullptr, params, nullptr);
  };
  EXPECT_EQ(launch(0, 1, 0), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(launch(1, 0, 0), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(launch(1, 1025, 0), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(launch(1, 1, 48 * 1024 + 1), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(cuFuncSetAttribute(f, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, 227 * 1024), CUDA_SUCCESS);
  EXPECT_EQ(cuFuncSetAttribute(f, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, 228 * 1024),
            CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(launch(1, 1, 48 * 1024 + 1), CUDA_SUCCESS);
  EXPECT_EQ(cuLaunchKernel(nullptr, 1, 1, 1, 1, 1, 1, 0, nullptr, params, nullptr),
            CUDA_ERROR_INVALID_HANDLE);
  EXPECT_EQ(cuCtxSynchronize(), CUDA_SUCCESS);
}

TEST_F(LaunchTest, ExtendedLaunchRefusesClusters) {
  CUdeviceptr address = numbers(64);
  uint32_t factor = 3;
  uint32_t count = 64;
  void* params[] = {&address, &factor, &count};
  CUlaunchAttribute attribute{};
  attribute.id = CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION;
  attribute.value.clusterDim = {1, 1, 1};
  CUlaunchConfig config{};
  config.gridDimX = config.gridDimY = config.gridDimZ = 1;
  config.blockDimX = 64;
  config.blockDimY = config.blockDimZ = 1;
  config.attrs = &attribute;
  config.numAttrs = 1;
  EXPECT_EQ(cuLaunchKernelEx(&config, function("scale"), params, nullptr), CUDA_SUCCESS);
  attribute.value.clusterDim = {2, 1, 1};
  EXPECT_EQ(cuLaunchKernelEx(&config, function("scale"), params, nullptr), CUDA_ERROR_NOT_SUPPORTED);
  EXPECT_EQ(read(address, 64)[1], 6u);
}

TEST_F(LaunchTest, OccupancyAndCooperativeLimit) {
  int blocks = 0;
  const CUfunction f = function("scale");
  EXPECT_EQ(cuOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, f, 1024, 0), CUDA_SUCCESS);
  EXPECT_EQ(blocks, 2);
  EXPECT_EQ(cuOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, f, 32, 0), CUDA_SUCCESS);
  EXPECT_EQ(blocks, 32);
  CUdeviceptr address = numbers(1);
  uint32_t one = 1;
  void* params[] = {&address, &one, &one};
  // Two multiprocessors with two blocks each.
  EXPECT_EQ(cuLaunchCooperativeKernel(f, 4, 1, 1, 1024, 1, 1, 0, nullptr, params), CUDA_SUCCESS);
  EXPECT_EQ(cuLaunchCooperativeKernel(f, 5, 1, 1, 1024, 1, 1, 0, nullptr, params),
            CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE);
  EXPECT_EQ(cuCtxSynchronize(), CUDA_SUCCESS);
}

// Programs divide a multiprocessor's registers by a block's: a block that can be launched must fit, or
// they compute a grid of none (libgomp does).
TEST_F(LaunchTest, RegistersOfABlockFitInAMultiprocessor) {
  for (const unsigned threads : {1024u, 1000u, 608u, 256u, 64u}) {
    std::string text =
        ".version 8.0\n.target sm_80\n.address_size 64\n.visible .entry many(.param .u64 p) .maxntid " +
        std::to_string(threads) + "\n{ .reg .b64 %a; .reg .b32 %r<300>; ld.param.u64 %a, [p];\n";
    for (int i = 0; i < 300; ++i) text += "ld.volatile.global.u32 %r" + std::to_string(i) + ", [%a];\n";
    for (int i = 0; i < 300; ++i) text += "st.volatile.global.u32 [%a], %r" + std::to_string(i) + ";\n";
    text += "ret; }\n";
    CUmodule module = nullptr;
    CUfunction f = nullptr;
    ASSERT_EQ(cuModuleLoadData(&module, text.c_str()), CUDA_SUCCESS);
    ASSERT_EQ(cuModuleGetFunction(&f, module, "many"), CUDA_SUCCESS);
    int most = 0, registers = 0, of_multiprocessor = 0, blocks = 0;
    EXPECT_EQ(cuFuncGetAttribute(&most, CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK, f), CUDA_SUCCESS);
    EXPECT_EQ(most, static_cast<int>(threads));
    EXPECT_EQ(cuFuncGetAttribute(&registers, CU_FUNC_ATTRIBUTE_NUM_REGS, f), CUDA_SUCCESS);
    EXPECT_EQ(
        cuDeviceGetAttribute(&of_multiprocessor, CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_MULTIPROCESSOR, 0),
        CUDA_SUCCESS);
    EXPECT_GE(registers, 64);
    EXPECT_LE(registers, 255);
    EXPECT_GE(of_multiprocessor / (registers * most), 1) << registers;
    EXPECT_EQ(cuOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, f, most, 0), CUDA_SUCCESS);
    EXPECT_GE(blocks, 1) << registers;
    EXPECT_EQ(cuModuleUnload(module), CUDA_SUCCESS);
  }
}

}  // namespace
}  // namespace outboard::softgpu
