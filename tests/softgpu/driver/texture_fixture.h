// Kernels that read and write images, and arrays with content.
#pragma once

#include <cmath>
#include <cstring>
#include <functional>

#include "tests/softgpu/driver/driver_fixture.h"

namespace outboard::softgpu {

// Every kernel writes one number for each of 32 lanes: lane i reads at x = i, y = 1.
inline constexpr const char* kTexturePtx = R"(
.version 8.0
.target sm_80
.address_size 64
.visible .global .texref image;
.visible .global .surfref canvas;
.visible .entry by_object(.param .u64 out, .param .u64 texture)
{
  .reg .b32 %r<4>; .reg .f32 %f<8>; .reg .b64 %a<4>;
  ld.param.u64 %a0, [out]; ld.param.u64 %a3, [texture];
  mov.u32 %r0, %tid.x; mul.wide.u32 %a1, %r0, 4; add.u64 %a2, %a0, %a1;
  cvt.rn.f32.u32 %f4, %r0; mov.f32 %f5, 0f3f800000;
  tex.2d.v4.f32.f32 {%f0, %f1, %f2, %f3}, [%a3, {%f4, %f5}];
  st.global.f32 [%a2], %f0; ret;
}
.visible .entry by_index(.param .u64 out, .param .u64 texture)
{
  .reg .b32 %r<8>; .reg .b64 %a<4>;
  ld.param.u64 %a0, [out]; ld.param.u64 %a3, [texture];
  mov.u32 %r0, %tid.x; mul.wide.u32 %a1, %r0, 4; add.u64 %a2, %a0, %a1;
  tex.1d.v4.u32.s32 {%r1, %r2, %r3, %r4}, [%a3, {%r0}];
  st.global.u32 [%a2], %r1; ret;
}
.visible .entry integers_by_object(.param .u64 out, .param .u64 texture)
{
  .reg .b32 %r<8>; .reg .f32 %f<8>; .reg .b64 %a<4>;
  ld.param.u64 %a0, [out]; ld.param.u64 %a3, [texture];
  mov.u32 %r0, %tid.x; mul.wide.u32 %a1, %r0, 4; add.u64 %a2, %a0, %a1;
  cvt.rn.f32.u32 %f4, %r0; mov.f32 %f5, 0f3f800000;
  tex.2d.v4.u32.f32 {%r1, %r2, %r3, %r4}, [%a3, {%f4, %f5}];
  st.global.u32 [%a2], %r1; ret;
}
.visible .entry by_layer(.param .u64 out, .param .u64 texture)
{
  .reg .b32 %r<8>; .reg .b64 %a<4>;
  ld.param.u64 %a0, [out]; ld.param.u64 %a3, [texture];
  mov.u32 %r0, %tid.x; mul.wide.u32 %a1, %r0, 4; add.u64 %a2, %a0, %a1;
  mov.u32 %r5, 0; shr.u32 %r6, %r0, 3; and.b32 %r7, %r0, 7;
  tex.a2d.v4.u32.s32 {%r1, %r2, %r3, %r4}, [%a3, {%r6, %r7, %r5, %r5}];
  st.global.u32 [%a2], %r1; ret;
}
.visible .entry by_level(.param .u64 out, .param .u64 texture)
{
  .reg .b32 %r<8>; .reg .f32 %f<8>; .reg .b64 %a<4>;
  ld.param.u64 %a0, [out]; ld.param.u64 %a3, [texture];
  mov.u32 %r0, %tid.x; mul.wide.u32 %a1, %r0, 4; add.u64 %a2, %a0, %a1;
  cvt.rn.f32.u32 %f4, %r0; mov.f32 %f5, 0f3f000000;
  tex.level.2d.v4.f32.f32 {%f0, %f1, %f2, %f3}, [%a3, {%f5, %f5}], %f4;
  st.global.f32 [%a2], %f0; ret;
}
.visible .entry by_name(.param .u64 out)
{
  .reg .b32 %r<4>; .reg .f32 %f<8>; .reg .b64 %a<4>;
  ld.param.u64 %a0, [out];
  mov.u32 %r0, %tid.x; mul.wide.u32 %a1, %r0, 4; add.u64 %a2, %a0, %a1;
  cvt.rn.f32.u32 %f4, %r0; mov.f32 %f5, 0f3f800000;
  tex.2d.v4.f32.f32 {%f0, %f1, %f2, %f3}, [image, {%f4, %f5}];
  st.global.f32 [%a2], %f0; ret;
}
.visible .entry paint(.param .u64 surface)
{
  .reg .b32 %r<4>; .reg .b64 %a<4>;
  ld.param.u64 %a0, [surface];
  mov.u32 %r0, %tid.x; shl.b32 %r1, %r0, 2; mov.u32 %r2, 1; add.u32 %r3, %r0, 100;
  sust.b.2d.b32.zero [%a0, {%r1, %r2}], %r3; ret;
}
.visible .entry paint_by_name()
{
  .reg .b32 %r<4>;
  mov.u32 %r0, %tid.x; shl.b32 %r1, %r0, 2; mov.u32 %r2, 0; add.u32 %r3, %r0, 500;
  sust.b.2d.b32.zero [canvas, {%r1, %r2}], %r3; ret;
}
)";

class TextureTest : public DriverTest {
 protected:
  void SetUp() override {
    DriverTest::SetUp();
    ASSERT_EQ(cuModuleLoadData(&module_, kTexturePtx), CUDA_SUCCESS);
    out_ = allocate(32 * 4);
  }

  CUresult run(const char* name, std::vector<uint64_t> arguments) {
    std::vector<void*> params;
    for (uint64_t& argument : arguments) params.push_back(&argument);
    const CUresult launched =
        cuLaunchKernel(function(name), 1, 1, 1, 32, 1, 1, 0, nullptr, params.data(), nullptr);
    return launched == CUDA_SUCCESS ? cuCtxSynchronize() : launched;
  }
  // What a kernel that reads the texture wrote, as floats.
  std::vector<float> look(const char* name, std::vector<uint64_t> arguments) {
    EXPECT_EQ(run(name, std::move(arguments)), CUDA_SUCCESS);
    const std::vector<uint32_t> bits = read(out_, 32);
    std::vector<float> values(32);
    std::memcpy(values.data(), bits.data(), 128);
    return values;
  }

  // width * height * depth words, filled with value(i) in order.
  template <typename T>
  CUarray make_array(const CUDA_ARRAY3D_DESCRIPTOR& descriptor, const std::function<T(size_t)>& value) {
    CUarray array = nullptr;
    EXPECT_EQ(cuArray3DCreate_v2(&array, &descriptor), CUDA_SUCCESS);
    fill<T>(array, descriptor, value);
    return array;
  }
  template <typename T>
  void fill(CUarray array, const CUDA_ARRAY3D_DESCRIPTOR& d, const std::function<T(size_t)>& value) {
    const size_t row = d.Width * d.NumChannels, height = d.Height ? d.Height : 1,
                 depth = d.Depth ? d.Depth : 1;
    std::vector<T> values(row * height * depth);
    for (size_t i = 0; i < values.size(); ++i) values[i] = value(i);
    CUDA_MEMCPY3D copy{};
    copy.srcMemoryType = CU_MEMORYTYPE_HOST;
    copy.srcHost = values.data();
    copy.srcPitch = row * sizeof(T);
    copy.srcHeight = height;
    copy.dstMemoryType = CU_MEMORYTYPE_ARRAY;
    copy.dstArray = array;
    copy.WidthInBytes = row * sizeof(T);
    copy.Height = height;
    copy.Depth = depth;
    EXPECT_EQ(cuMemcpy3D_v2(&copy), CUDA_SUCCESS);
  }

  static CUDA_RESOURCE_DESC of_array(CUarray array) {
    CUDA_RESOURCE_DESC resource{};
    resource.resType = CU_RESOURCE_TYPE_ARRAY;
    resource.res.array.hArray = array;
    return resource;
  }
  static CUDA_TEXTURE_DESC clamped(unsigned flags = 0, CUfilter_mode filter = CU_TR_FILTER_MODE_POINT) {
    CUDA_TEXTURE_DESC texture{};
    for (CUaddress_mode& mode : texture.addressMode) mode = CU_TR_ADDRESS_MODE_CLAMP;
    texture.filterMode = filter;
    texture.flags = flags;
    return texture;
  }
  CUtexObject make_texture(const CUDA_RESOURCE_DESC& resource, const CUDA_TEXTURE_DESC& texture,
                           const CUDA_RESOURCE_VIEW_DESC* view = nullptr, CUresult expected = CUDA_SUCCESS) {
    CUtexObject object = 0;
    EXPECT_EQ(cuTexObjectCreate(&object, &resource, &texture, view), expected);
    return object;
  }

  CUdeviceptr out_ = 0;
};

inline CUDA_ARRAY3D_DESCRIPTOR image(size_t width, size_t height, CUarray_format format,
                                     unsigned channels = 1, size_t depth = 0, unsigned flags = 0) {
  return {width, height, depth, format, channels, flags};
}

inline float identity(size_t i) { return static_cast<float>(i); }

}  // namespace outboard::softgpu
