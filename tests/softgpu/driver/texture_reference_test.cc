// Texture references of modules, and what happens to images that queued kernels read.
#include <chrono>
#include <thread>

#include "tests/softgpu/driver/texture_fixture.h"

namespace outboard::softgpu {
namespace {

using TextureReferenceTest = TextureTest;

TEST_F(TextureReferenceTest, References) {
  CUtexref reference = nullptr;
  EXPECT_EQ(cuModuleGetTexRef(&reference, module_, "canvas"), CUDA_ERROR_NOT_FOUND);
  ASSERT_EQ(cuModuleGetTexRef(&reference, module_, "image"), CUDA_SUCCESS);
  size_t bytes = 0;
  CUdeviceptr address = 0;
  EXPECT_EQ(cuModuleGetGlobal_v2(&address, &bytes, module_, "image"), CUDA_ERROR_NOT_FOUND);
  const CUarray array =
      make_array<uint8_t>(image(16, 4, CU_AD_FORMAT_UNSIGNED_INT8), [](size_t i) { return 2 * i; });
  EXPECT_EQ(cuTexRefSetArray(reference, array, 0), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(cuTexRefSetArray(reference, array, CU_TRSA_OVERRIDE_FORMAT), CUDA_SUCCESS);
  EXPECT_EQ(look("by_name", {out_})[5], 42 / 255.0f);
  EXPECT_EQ(cuTexRefSetFilterMode(reference, CU_TR_FILTER_MODE_LINEAR), CUDA_SUCCESS);
  EXPECT_NEAR(look("by_name", {out_})[5], (16 + 9) / 255.0f, 1e-6);
  EXPECT_EQ(cuTexRefSetAddressMode(reference, 0, CU_TR_ADDRESS_MODE_BORDER), CUDA_SUCCESS);
  float red[4] = {0.5f, 0, 0, 1};
  EXPECT_EQ(cuTexRefSetBorderColor(reference, red), CUDA_SUCCESS);
  EXPECT_EQ(look("by_name", {out_})[20], 0.5f);
  CUarray bound = nullptr;
  EXPECT_EQ(cuTexRefGetArray(&bound, reference), CUDA_SUCCESS);
  EXPECT_EQ(bound, array);
  CUarray_format format = CU_AD_FORMAT_FLOAT;
  int channels = 0;
  EXPECT_EQ(cuTexRefGetFormat(&format, &channels, reference), CUDA_SUCCESS);
  EXPECT_EQ(format, CU_AD_FORMAT_UNSIGNED_INT8);
  CUaddress_mode mode = CU_TR_ADDRESS_MODE_WRAP;
  EXPECT_EQ(cuTexRefGetAddressMode(&mode, reference, 0), CUDA_SUCCESS);
  EXPECT_EQ(mode, CU_TR_ADDRESS_MODE_BORDER);
  float back[4] = {};
  EXPECT_EQ(cuTexRefGetBorderColor(back, reference), CUDA_SUCCESS);
  EXPECT_EQ(back[0], 0.5f);
  EXPECT_EQ(cuModuleUnload(module_), CUDA_SUCCESS);
  module_ = nullptr;
  EXPECT_EQ(cuTexRefGetAddressMode(&mode, reference, 0), CUDA_ERROR_INVALID_HANDLE);
}

// A launch uses what was bound and alive when it was queued, whatever happens to it afterwards.
TEST_F(TextureReferenceTest, QueuedKernelsKeepTheirTextures) {
  CUtexref reference = nullptr;
  ASSERT_EQ(cuModuleGetTexRef(&reference, module_, "image"), CUDA_SUCCESS);
  const CUarray first = make_array<float>(image(16, 4, CU_AD_FORMAT_FLOAT), [](size_t) { return 1.0f; });
  const CUarray second = make_array<float>(image(16, 4, CU_AD_FORMAT_FLOAT), [](size_t) { return 2.0f; });
  const CUtexObject texture = make_texture(of_array(first), clamped());
  CUstream stream = nullptr;
  ASSERT_EQ(cuStreamCreate(&stream, CU_STREAM_NON_BLOCKING), CUDA_SUCCESS);
  uint32_t gate = 0;
  const CUdeviceptr gate_at = allocate(4);
  ASSERT_EQ(cuMemcpyHtoD_v2(gate_at, &gate, 4), CUDA_SUCCESS);
  CUdeviceptr named = allocate(128), object = allocate(128);
  ASSERT_EQ(cuTexRefSetArray(reference, first, CU_TRSA_OVERRIDE_FORMAT), CUDA_SUCCESS);
  // The stream stands still until another thread opens the gate.
  ASSERT_EQ(cuStreamWaitValue32_v2(stream, gate_at, 1, CU_STREAM_WAIT_VALUE_EQ), CUDA_SUCCESS);
  void* by_name[] = {&named};
  CUtexObject handle = texture;
  void* by_object[] = {&object, &handle};
  ASSERT_EQ(cuLaunchKernel(function("by_name"), 1, 1, 1, 32, 1, 1, 0, stream, by_name, nullptr),
            CUDA_SUCCESS);
  ASSERT_EQ(cuLaunchKernel(function("by_object"), 1, 1, 1, 32, 1, 1, 0, stream, by_object, nullptr),
            CUDA_SUCCESS);
  std::thread opener([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    cuCtxSetCurrent(context_);
    gate = 1;
    cuMemcpyHtoD_v2(gate_at, &gate, 4);
  });
  EXPECT_EQ(cuTexRefSetArray(reference, second, CU_TRSA_OVERRIDE_FORMAT), CUDA_SUCCESS);
  EXPECT_EQ(cuTexObjectDestroy(texture), CUDA_SUCCESS);
  opener.join();
  ASSERT_EQ(cuCtxSynchronize(), CUDA_SUCCESS);
  EXPECT_EQ(read(named, 1)[0], 0x3f80'0000u);
  EXPECT_EQ(read(object, 1)[0], 0x3f80'0000u);
  EXPECT_EQ(cuStreamDestroy_v2(stream), CUDA_SUCCESS);
}

TEST_F(TextureReferenceTest, ReferencesOfMemory) {
  CUtexref reference = nullptr;
  ASSERT_EQ(cuModuleGetTexRef(&reference, module_, "image"), CUDA_SUCCESS);
  EXPECT_EQ(run("by_index", {out_, reinterpret_cast<uint64_t>(reference)}), CUDA_ERROR_LAUNCH_FAILED);
  TearDown();
  SetUp();
  ASSERT_EQ(cuModuleGetTexRef(&reference, module_, "image"), CUDA_SUCCESS);
  const CUdeviceptr memory = numbers(1024);
  size_t offset = 1;
  EXPECT_EQ(cuTexRefSetFormat(reference, CU_AD_FORMAT_UNSIGNED_INT32, 1), CUDA_SUCCESS);
  EXPECT_EQ(cuTexRefSetFlags(reference, CU_TRSF_READ_AS_INTEGER), CUDA_SUCCESS);
  EXPECT_EQ(cuTexRefSetAddress_v2(nullptr, reference, memory + 8, 256), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(cuTexRefSetAddress_v2(&offset, reference, memory + 8, 256), CUDA_SUCCESS);
  EXPECT_EQ(offset, 8u);
  CUdeviceptr bound = 0;
  EXPECT_EQ(cuTexRefGetAddress_v2(&bound, reference), CUDA_SUCCESS);
  EXPECT_EQ(bound, memory);
  EXPECT_EQ(run("by_index", {out_, reinterpret_cast<uint64_t>(reference)}), CUDA_SUCCESS);
  EXPECT_EQ(read(out_, 32)[31], 32u);
  const CUDA_ARRAY_DESCRIPTOR descriptor{16, 4, CU_AD_FORMAT_SIGNED_INT32, 1};
  EXPECT_EQ(cuTexRefSetAddress2D_v3(reference, &descriptor, memory, 128), CUDA_SUCCESS);
  EXPECT_EQ(cuTexRefSetAddress2D_v3(reference, &descriptor, memory + 4, 128), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(run("by_name", {out_}), CUDA_SUCCESS);
  EXPECT_EQ(read(out_, 32)[2], 35u);  // the second row
  unsigned flags = 0;
  EXPECT_EQ(cuTexRefGetFlags(&flags, reference), CUDA_SUCCESS);
  EXPECT_EQ(flags, unsigned{CU_TRSF_READ_AS_INTEGER});
  CUtexref free_one = nullptr;
  EXPECT_EQ(cuTexRefCreate(&free_one), CUDA_SUCCESS);
  EXPECT_EQ(cuTexRefSetMipmapLevelClamp(free_one, 1, 2), CUDA_SUCCESS);
  EXPECT_EQ(cuTexRefSetMipmapLevelBias(free_one, 0.5f), CUDA_SUCCESS);
  EXPECT_EQ(cuTexRefSetMipmapFilterMode(free_one, CU_TR_FILTER_MODE_LINEAR), CUDA_SUCCESS);
  EXPECT_EQ(cuTexRefSetMaxAnisotropy(free_one, 4), CUDA_SUCCESS);
  float least = 0, most = 0, bias = 0;
  CUfilter_mode filter = CU_TR_FILTER_MODE_POINT;
  int anisotropy = 0;
  EXPECT_EQ(cuTexRefGetMipmapLevelClamp(&least, &most, free_one), CUDA_SUCCESS);
  EXPECT_EQ(cuTexRefGetMipmapLevelBias(&bias, free_one), CUDA_SUCCESS);
  EXPECT_EQ(cuTexRefGetMipmapFilterMode(&filter, free_one), CUDA_SUCCESS);
  EXPECT_EQ(cuTexRefGetMaxAnisotropy(&anisotropy, free_one), CUDA_SUCCESS);
  EXPECT_EQ(least, 1.0f);
  EXPECT_EQ(most, 2.0f);
  EXPECT_EQ(bias, 0.5f);
  EXPECT_EQ(filter, CU_TR_FILTER_MODE_LINEAR);
  EXPECT_EQ(anisotropy, 4);
  EXPECT_EQ(cuTexRefDestroy(free_one), CUDA_SUCCESS);
  EXPECT_EQ(cuTexRefDestroy(free_one), CUDA_ERROR_INVALID_HANDLE);
}

}  // namespace
}  // namespace outboard::softgpu
