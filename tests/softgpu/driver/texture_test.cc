// Textures and surfaces as programs make them: from arrays, mipmaps and linear memory. What fetches
// compute is tested in tests/softgpu/forms.
#include "tests/softgpu/driver/texture_fixture.h"

namespace outboard::softgpu {
namespace {

TEST_F(TextureTest, ObjectOfAnArray) {
  const CUarray array = make_array<float>(image(16, 4, CU_AD_FORMAT_FLOAT), identity);
  const CUDA_RESOURCE_DESC resource = of_array(array);
  CUDA_TEXTURE_DESC description = clamped(0, CU_TR_FILTER_MODE_LINEAR);
  description.maxAnisotropy = 3;
  const CUtexObject texture = make_texture(resource, description);
  const std::vector<float> values = look("by_object", {out_, texture});
  for (int i = 0; i < 32; ++i) {
    // Between rows 0 and 1 in equal parts, and between columns i - 1 and i.
    const float column = i == 0 ? 0 : i >= 16 ? 15 : static_cast<float>(i) - 0.5f;
    EXPECT_EQ(values[static_cast<size_t>(i)], column + 8) << i;
  }
  CUDA_RESOURCE_DESC resource_back{};
  CUDA_TEXTURE_DESC texture_back{};
  CUDA_RESOURCE_VIEW_DESC view_back{};
  EXPECT_EQ(cuTexObjectGetResourceDesc(&resource_back, texture), CUDA_SUCCESS);
  EXPECT_EQ(resource_back.res.array.hArray, array);
  EXPECT_EQ(cuTexObjectGetTextureDesc(&texture_back, texture), CUDA_SUCCESS);
  EXPECT_EQ(texture_back.maxAnisotropy, 3u);
  EXPECT_EQ(texture_back.filterMode, CU_TR_FILTER_MODE_LINEAR);
  EXPECT_EQ(cuTexObjectGetResourceViewDesc(&view_back, texture), CUDA_ERROR_INVALID_VALUE);
  // The texture keeps the array's memory.
  EXPECT_EQ(cuArrayDestroy(array), CUDA_SUCCESS);
  EXPECT_EQ(look("by_object", {out_, texture})[15], 22.5f);
  EXPECT_EQ(cuTexObjectDestroy(texture), CUDA_SUCCESS);
  EXPECT_EQ(cuTexObjectDestroy(texture), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(cuTexObjectGetTextureDesc(&texture_back, texture), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(run("by_object", {out_, texture}), CUDA_ERROR_LAUNCH_FAILED);
}

// As ffmpeg's thumbnail_cuda makes them: linear filtering of what is read as integers means nothing.
TEST_F(TextureTest, IntegersAreNotFiltered) {
  const CUarray array =
      make_array<uint8_t>(image(16, 4, CU_AD_FORMAT_UNSIGNED_INT8), [](size_t i) { return 3 * i; });
  const CUtexObject texture =
      make_texture(of_array(array), clamped(CU_TRSF_READ_AS_INTEGER, CU_TR_FILTER_MODE_LINEAR));
  EXPECT_EQ(run("integers_by_object", {out_, texture}), CUDA_SUCCESS);
  const std::vector<uint32_t> values = read(out_, 32);
  for (uint32_t i = 0; i < 32; ++i) EXPECT_EQ(values[i], 3 * (16 + std::min(i, 15u))) << i;
  CUDA_TEXTURE_DESC back{};
  EXPECT_EQ(cuTexObjectGetTextureDesc(&back, texture), CUDA_SUCCESS);
  EXPECT_EQ(back.filterMode, CU_TR_FILTER_MODE_LINEAR);
}

TEST_F(TextureTest, NormalisedIntegersAndViews) {
  const CUarray array =
      make_array<uint8_t>(image(16, 4, CU_AD_FORMAT_UNSIGNED_INT8, 4), [](size_t i) { return i; });
  const CUtexObject texture = make_texture(of_array(array), clamped());
  EXPECT_EQ(look("by_object", {out_, texture})[3], (64 + 12) / 255.0f);
  // The same bytes as one word each.
  CUDA_RESOURCE_VIEW_DESC view{};
  view.format = CU_RES_VIEW_FORMAT_UINT_1X32;
  view.width = 16;
  view.height = 4;
  const CUtexObject words = make_texture(of_array(array), clamped(), &view);
  EXPECT_EQ(run("by_index", {out_, words}), CUDA_SUCCESS);
  EXPECT_EQ(read(out_, 2)[1], 0x07060504u);
  CUDA_RESOURCE_VIEW_DESC back{};
  EXPECT_EQ(cuTexObjectGetResourceViewDesc(&back, words), CUDA_SUCCESS);
  EXPECT_EQ(back.format, CU_RES_VIEW_FORMAT_UINT_1X32);
  view.format = CU_RES_VIEW_FORMAT_UINT_1X16;
  make_texture(of_array(array), clamped(), &view, CUDA_ERROR_INVALID_VALUE);
  view.format = CU_RES_VIEW_FORMAT_UNSIGNED_BC1;
  make_texture(of_array(array), clamped(), &view, CUDA_ERROR_NOT_SUPPORTED);
  view = {};
  view.width = 8;
  make_texture(of_array(array), clamped(), &view, CUDA_ERROR_INVALID_VALUE);
}

TEST_F(TextureTest, LayersAndTheirViews) {
  const CUarray array = make_array<uint32_t>(
      image(8, 2, CU_AD_FORMAT_UNSIGNED_INT32, 1, 4, CUDA_ARRAY3D_LAYERED), [](size_t i) { return i; });
  const CUtexObject texture = make_texture(of_array(array), clamped());
  EXPECT_EQ(run("by_layer", {out_, texture}), CUDA_SUCCESS);
  EXPECT_EQ(read(out_, 32)[27], 16u * 3 + 3);
  CUDA_RESOURCE_VIEW_DESC view{};
  view.firstLayer = 1;
  view.lastLayer = 2;
  const CUtexObject part = make_texture(of_array(array), clamped(), &view);
  EXPECT_EQ(run("by_layer", {out_, part}), CUDA_SUCCESS);
  EXPECT_EQ(read(out_, 32)[3], 16u + 3);
  EXPECT_EQ(read(out_, 32)[27], 32u + 3);  // layers end at the view's last
  view.lastLayer = 4;
  make_texture(of_array(array), clamped(), &view, CUDA_ERROR_INVALID_VALUE);
}

TEST_F(TextureTest, Mipmaps) {
  CUmipmappedArray mipmap = nullptr;
  const CUDA_ARRAY3D_DESCRIPTOR descriptor = image(8, 8, CU_AD_FORMAT_FLOAT);
  ASSERT_EQ(cuMipmappedArrayCreate(&mipmap, &descriptor, 3), CUDA_SUCCESS);
  CUDA_ARRAY_MEMORY_REQUIREMENTS requirements{};
  EXPECT_EQ(cuMipmappedArrayGetMemoryRequirements(&requirements, mipmap, 0), CUDA_SUCCESS);
  EXPECT_EQ(requirements.size, 32u * (8 + 4 + 2));  // rows have at least 32 bytes
  for (unsigned level = 0; level < 3; ++level) {
    CUarray array = nullptr;
    ASSERT_EQ(cuMipmappedArrayGetLevel(&array, mipmap, level), CUDA_SUCCESS);
    fill<float>(array, image(8 >> level, 8 >> level, CU_AD_FORMAT_FLOAT),
                [&](size_t) { return 10.0f * static_cast<float>(level + 1); });
  }
  CUDA_RESOURCE_DESC resource{};
  resource.resType = CU_RESOURCE_TYPE_MIPMAPPED_ARRAY;
  resource.res.mipmap.hMipmappedArray = mipmap;
  CUDA_TEXTURE_DESC texture = clamped(CU_TRSF_NORMALIZED_COORDINATES, CU_TR_FILTER_MODE_LINEAR);
  texture.mipmapFilterMode = CU_TR_FILTER_MODE_LINEAR;
  texture.mipmapLevelBias = -0.25f;
  texture.maxMipmapLevelClamp = 1.5f;
  const std::vector<float> values = look("by_level", {out_, make_texture(resource, texture)});
  EXPECT_EQ(values[0], 10.0f);
  EXPECT_EQ(values[1], 17.5f);  // level 0.75
  EXPECT_EQ(values[2], 25.0f);  // level 1.5: the limit
  EXPECT_EQ(values[9], 25.0f);
  CUDA_RESOURCE_VIEW_DESC view{};
  view.firstMipmapLevel = view.lastMipmapLevel = 2;
  EXPECT_EQ(look("by_level", {out_, make_texture(resource, texture, &view)})[0], 30.0f);
  view.lastMipmapLevel = 3;
  make_texture(resource, texture, &view, CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(cuMipmappedArrayDestroy(mipmap), CUDA_SUCCESS);
  make_texture(resource, texture, nullptr, CUDA_ERROR_INVALID_HANDLE);
}

TEST_F(TextureTest, LinearMemoryAndPitch) {
  const CUdeviceptr memory = numbers(1024);
  CUDA_RESOURCE_DESC linear{};
  linear.resType = CU_RESOURCE_TYPE_LINEAR;
  linear.res.linear.devPtr = memory;
  linear.res.linear.format = CU_AD_FORMAT_UNSIGNED_INT32;
  linear.res.linear.numChannels = 1;
  linear.res.linear.sizeInBytes = 20 * 4;
  const CUtexObject row = make_texture(linear, clamped());
  EXPECT_EQ(run("by_index", {out_, row}), CUDA_SUCCESS);
  EXPECT_EQ(read(out_, 32)[19], 20u);
  EXPECT_EQ(read(out_, 32)[20], 0u);
  CUDA_RESOURCE_DESC pitch{};
  pitch.resType = CU_RESOURCE_TYPE_PITCH2D;
  pitch.res.pitch2D.devPtr = memory;
  pitch.res.pitch2D.format = CU_AD_FORMAT_UNSIGNED_INT16;
  pitch.res.pitch2D.numChannels = 2;
  pitch.res.pitch2D.width = 10;
  pitch.res.pitch2D.height = 4;
  pitch.res.pitch2D.pitchInBytes = 64;
  const CUtexObject rows = make_texture(pitch, clamped());
  EXPECT_EQ(look("by_object", {out_, rows})[3], 20 / 65535.0f);
  // What cannot be is said at once.
  linear.res.linear.devPtr = memory + 4;
  make_texture(linear, clamped(), nullptr, CUDA_ERROR_INVALID_VALUE);
  linear.res.linear.devPtr = 512;
  make_texture(linear, clamped(), nullptr, CUDA_ERROR_INVALID_VALUE);
  // Claiming more than there is is allowed: the texture ends where its allocation does.
  const CUdeviceptr tail = numbers(128 + 10);
  linear.res.linear.devPtr = tail + 512;
  linear.res.linear.sizeInBytes = size_t{1} << 24;
  EXPECT_EQ(run("by_index", {out_, make_texture(linear, clamped())}), CUDA_SUCCESS);
  EXPECT_EQ(read(out_, 32)[9], 128u + 10);
  pitch.res.pitch2D.pitchInBytes = 32;
  make_texture(pitch, clamped(), nullptr, CUDA_ERROR_INVALID_VALUE);
  pitch.res.pitch2D.pitchInBytes = 65;
  make_texture(pitch, clamped(), nullptr, CUDA_ERROR_INVALID_VALUE);
  // Memory that is freed while a texture refers to it is an error, not a crash.
  EXPECT_EQ(cuMemFree_v2(memory), CUDA_SUCCESS);
  EXPECT_EQ(run("by_index", {out_, row}), CUDA_ERROR_ILLEGAL_ADDRESS);
}

TEST_F(TextureTest, WhatCannotBeMade) {
  const CUarray integers =
      make_array<uint32_t>(image(8, 2, CU_AD_FORMAT_UNSIGNED_INT32), [](size_t i) { return i; });
  make_texture(of_array(integers), clamped(0x100), nullptr, CUDA_ERROR_INVALID_VALUE);
  make_texture(of_array(nullptr), clamped(), nullptr, CUDA_ERROR_INVALID_HANDLE);
  CUDA_TEXTURE_DESC odd = clamped();
  odd.addressMode[1] = static_cast<CUaddress_mode>(4);
  make_texture(of_array(integers), odd, nullptr, CUDA_ERROR_INVALID_VALUE);
  CUtexObject texture = 0;
  EXPECT_EQ(cuTexObjectCreate(&texture, nullptr, &odd, nullptr), CUDA_ERROR_INVALID_VALUE);
  const auto create = [](const CUDA_ARRAY3D_DESCRIPTOR& descriptor) {
    CUarray array = nullptr;
    return cuArray3DCreate_v2(&array, &descriptor);
  };
  const auto format = CU_AD_FORMAT_FLOAT;
  EXPECT_EQ(create(image(8, 8, format, 1, 6, CUDA_ARRAY3D_CUBEMAP)), CUDA_SUCCESS);
  EXPECT_EQ(create(image(8, 8, format, 1, 12, CUDA_ARRAY3D_CUBEMAP | CUDA_ARRAY3D_LAYERED)), CUDA_SUCCESS);
  EXPECT_EQ(create(image(8, 4, format, 1, 6, CUDA_ARRAY3D_CUBEMAP)), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(create(image(8, 8, format, 1, 12, CUDA_ARRAY3D_CUBEMAP)), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(create(image(8, 8, format, 1, 0, CUDA_ARRAY3D_LAYERED)), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(create(image(8, 0, format, 1, 2)), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(create(image(8, 8, format, 3)), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(create(image(131073, 0, format)), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(create(image(1, 65537, format)), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(create(image(1, 1, format, 1, 16385)), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(create(image(1, 1, format, 1, 2049, CUDA_ARRAY3D_LAYERED)), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(create(image(1, 1, format, 1, 2048, CUDA_ARRAY3D_LAYERED)), CUDA_SUCCESS);
  EXPECT_EQ(create(image(8, 8, format, 1, 0, CUDA_ARRAY3D_SPARSE)), CUDA_ERROR_NOT_SUPPORTED);
  EXPECT_EQ(create(image(8, 8, CU_AD_FORMAT_NV12)), CUDA_ERROR_NOT_SUPPORTED);
  CUDA_ARRAY_SPARSE_PROPERTIES sparse{};
  EXPECT_EQ(cuArrayGetSparseProperties(&sparse, integers), CUDA_ERROR_INVALID_VALUE);
}

std::vector<uint32_t> row_of(CUarray array, size_t y, size_t width) {
  std::vector<uint32_t> values(width);
  CUDA_MEMCPY2D copy{};
  copy.srcMemoryType = CU_MEMORYTYPE_ARRAY;
  copy.srcArray = array;
  copy.srcY = y;
  copy.dstMemoryType = CU_MEMORYTYPE_HOST;
  copy.dstHost = values.data();
  copy.WidthInBytes = width * 4;
  copy.Height = 1;
  EXPECT_EQ(cuMemcpy2D_v2(&copy), CUDA_SUCCESS);
  return values;
}

TEST_F(TextureTest, Surfaces) {
  const auto descriptor = image(16, 2, CU_AD_FORMAT_UNSIGNED_INT32, 1, 0, CUDA_ARRAY3D_SURFACE_LDST);
  const CUarray array = make_array<uint32_t>(descriptor, [](size_t) { return 7; });
  const CUDA_RESOURCE_DESC resource = of_array(array);
  CUsurfObject surface = 0;
  ASSERT_EQ(cuSurfObjectCreate(&surface, &resource), CUDA_SUCCESS);
  EXPECT_EQ(run("paint", {surface}), CUDA_SUCCESS);
  EXPECT_EQ(row_of(array, 0, 16)[15], 7u);
  EXPECT_EQ(row_of(array, 1, 16)[15], 115u);
  CUDA_RESOURCE_DESC back{};
  EXPECT_EQ(cuSurfObjectGetResourceDesc(&back, surface), CUDA_SUCCESS);
  EXPECT_EQ(back.res.array.hArray, array);
  // By reference.
  CUsurfref canvas = nullptr;
  EXPECT_EQ(cuModuleGetSurfRef(&canvas, module_, "image"), CUDA_ERROR_NOT_FOUND);
  ASSERT_EQ(cuModuleGetSurfRef(&canvas, module_, "canvas"), CUDA_SUCCESS);
  CUarray bound = nullptr;
  EXPECT_EQ(cuSurfRefGetArray(&bound, canvas), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(cuSurfRefSetArray(canvas, array, 0), CUDA_SUCCESS);
  EXPECT_EQ(cuSurfRefGetArray(&bound, canvas), CUDA_SUCCESS);
  EXPECT_EQ(bound, array);
  EXPECT_EQ(run("paint_by_name", {}), CUDA_SUCCESS);
  EXPECT_EQ(row_of(array, 0, 16)[3], 503u);
  // Arrays that were not made for it.
  const CUarray plain =
      make_array<uint32_t>(image(8, 2, CU_AD_FORMAT_UNSIGNED_INT32), [](size_t i) { return i; });
  const CUDA_RESOURCE_DESC unfit = of_array(plain);
  EXPECT_EQ(cuSurfObjectCreate(&surface, &unfit), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(cuSurfRefSetArray(canvas, plain, 0), CUDA_ERROR_INVALID_VALUE);
  EXPECT_EQ(cuSurfObjectDestroy(surface), CUDA_SUCCESS);
  EXPECT_EQ(cuSurfObjectDestroy(surface), CUDA_ERROR_INVALID_VALUE);
}

}  // namespace
}  // namespace outboard::softgpu
