// Texture and surface references: names that a module declares and the program binds images to.
#include <cmath>

#include "driver.h"

namespace {

constexpr const char* kPtx = R"(
.version 8.0
.target sm_80
.address_size 64
.visible .global .texref picture;
.visible .global .surfref canvas;
.visible .entry copy(.param .u32 shift)
{
  .reg .b32 %r<8>; .reg .f32 %f<8>;
  ld.param.u32 %r6, [shift];
  mov.u32 %r0, %tid.x; mov.u32 %r1, %ctaid.x;
  add.u32 %r5, %r0, %r6;
  cvt.rn.f32.u32 %f4, %r5; cvt.rn.f32.u32 %f5, %r1;
  tex.2d.v4.f32.f32 {%f0, %f1, %f2, %f3}, [picture, {%f4, %f5}];
  shl.b32 %r3, %r0, 2;
  mov.b32 %r4, %f0;
  sust.b.2d.b32.trap [canvas, {%r3, %r1}], %r4;
  ret;
}
)";
constexpr uint32_t kWidth = 32, kHeight = 8;

CUarray make_array(CUarray_format format, unsigned flags) {
  const CUDA_ARRAY3D_DESCRIPTOR descriptor{kWidth, kHeight, 0, format, 1, flags};
  CUarray array = nullptr;
  MUST(DRIVER(cuArray3DCreate_v2)(&array, &descriptor));
  return array;
}

void copy(CUarray array, void* host, size_t row_bytes, bool to_array) {
  CUDA_MEMCPY2D box{};
  (to_array ? box.srcMemoryType : box.dstMemoryType) = CU_MEMORYTYPE_HOST;
  (to_array ? box.dstMemoryType : box.srcMemoryType) = CU_MEMORYTYPE_ARRAY;
  (to_array ? box.dstArray : box.srcArray) = array;
  box.srcHost = to_array ? host : nullptr;
  box.dstHost = to_array ? nullptr : host;
  box.WidthInBytes = row_bytes;
  box.Height = kHeight;
  MUST(DRIVER(cuMemcpy2D_v2)(&box));
}

std::vector<float> run(CUmodule module, CUarray to, uint32_t shift) {
  launch(function_of(module, "copy"), kHeight, kWidth, {&shift});
  MUST(DRIVER(cuCtxSynchronize)());
  std::vector<float> values(kWidth * kHeight);
  copy(to, values.data(), kWidth * sizeof(float), false);
  return values;
}

}  // namespace

int main() {
  open_device();
  CUmodule module = nullptr;
  MUST(DRIVER(cuModuleLoadData)(&module, kPtx));
  CUtexref picture = nullptr;
  CUsurfref canvas = nullptr;
  MUST(DRIVER(cuModuleGetTexRef)(&picture, module, "picture"));
  MUST(DRIVER(cuModuleGetSurfRef)(&canvas, module, "canvas"));
  EXPECT_ERROR(CUDA_ERROR_NOT_FOUND, DRIVER(cuModuleGetTexRef)(&picture, module, "canvas"));
  EXPECT_ERROR(CUDA_ERROR_NOT_FOUND, DRIVER(cuModuleGetSurfRef)(&canvas, module, "nothing"));
  const CUarray from = make_array(CU_AD_FORMAT_UNSIGNED_INT8, 0);
  const CUarray to = make_array(CU_AD_FORMAT_FLOAT, CUDA_ARRAY3D_SURFACE_LDST);
  std::vector<uint8_t> bytes(kWidth * kHeight);
  for (size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<uint8_t>(i * 7);
  copy(from, bytes.data(), kWidth, true);

  // Bytes become fractions of 1.
  MUST(DRIVER(cuTexRefSetArray)(picture, from, CU_TRSA_OVERRIDE_FORMAT));
  MUST(DRIVER(cuTexRefSetAddressMode)(picture, 0, CU_TR_ADDRESS_MODE_CLAMP));
  MUST(DRIVER(cuTexRefSetAddressMode)(picture, 1, CU_TR_ADDRESS_MODE_CLAMP));
  MUST(DRIVER(cuSurfRefSetArray)(canvas, to, 0));
  const std::vector<float> points = run(module, to, 3);
  for (uint32_t y = 0; y < kHeight; ++y) {
    for (uint32_t x = 0; x < kWidth; ++x) {
      const uint32_t column = x + 3 < kWidth ? x + 3 : kWidth - 1;
      EXPECT(points[y * kWidth + x] == static_cast<float>(bytes[y * kWidth + column]) / 255.0f);
    }
  }

  // Between texels.
  MUST(DRIVER(cuTexRefSetFilterMode)(picture, CU_TR_FILTER_MODE_LINEAR));
  const std::vector<float> filtered = run(module, to, 1);
  const auto fraction = [&](uint32_t x, uint32_t y) { return bytes[y * kWidth + x] / 255.0; };
  EXPECT(std::fabs(filtered[kWidth * 2 + 4] -
                   (fraction(4, 1) + fraction(5, 1) + fraction(4, 2) + fraction(5, 2)) / 4) < 1e-6);

  // Device memory in place of the array.
  std::vector<float> numbers(64 * kHeight);
  for (size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<float>(i) * 0.5f;
  const CUDA_ARRAY_DESCRIPTOR descriptor{kWidth, kHeight, CU_AD_FORMAT_FLOAT, 1};
  MUST(DRIVER(cuTexRefSetAddress2D_v3)(picture, &descriptor, upload(numbers), 64 * sizeof(float)));
  MUST(DRIVER(cuTexRefSetFilterMode)(picture, CU_TR_FILTER_MODE_POINT));
  const std::vector<float> rows = run(module, to, 0);
  for (uint32_t i = 0; i < rows.size(); ++i) EXPECT(rows[i] == numbers[i / kWidth * 64 + i % kWidth]);

  CUarray bound = nullptr;
  MUST(DRIVER(cuSurfRefGetArray)(&bound, canvas));
  EXPECT(bound == to);
  CUfilter_mode mode = CU_TR_FILTER_MODE_LINEAR;
  MUST(DRIVER(cuTexRefGetFilterMode)(&mode, picture));
  EXPECT(mode == CU_TR_FILTER_MODE_POINT);
  EXPECT_ERROR(CUDA_ERROR_INVALID_VALUE, DRIVER(cuTexRefGetArray)(&bound, picture));
  EXPECT_ERROR(CUDA_ERROR_INVALID_VALUE, DRIVER(cuTexRefSetArray)(picture, from, 0));
  MUST(DRIVER(cuModuleUnload)(module));
  std::printf("sums %.4f %.4f %.4f\n", points[40], filtered[70], rows[100]);
  return verdict("driver_textures");
}
