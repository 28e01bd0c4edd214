// Forms of CUDA before 3.2, which old programs were linked with: those that name no device address work as
// their successors do.
#include <cstring>

#include "driver.h"

namespace {

constexpr unsigned kWidth = 24, kHeight = 5, kRowBytes = kWidth * 4;

std::vector<uint32_t> numbers(size_t count, uint32_t first) {
  std::vector<uint32_t> values(count);
  for (size_t i = 0; i < count; ++i) values[i] = first + static_cast<uint32_t>(i) * 11;
  return values;
}

void check_memory() {
  unsigned free_bytes = 0, total_bytes = 0;
  size_t free_now = 0, total_now = 0;
  MUST(DRIVER(cuMemGetInfo)(&free_bytes, &total_bytes));
  MUST(DRIVER(cuMemGetInfo_v2)(&free_now, &total_now));
  EXPECT(total_bytes == (total_now > UINT32_MAX ? UINT32_MAX : total_now));
  EXPECT(free_bytes <= total_bytes);
  EXPECT_ERROR(CUDA_ERROR_INVALID_VALUE, DRIVER(cuMemGetInfo)(nullptr, &total_bytes));
  void* pinned = nullptr;
  MUST(DRIVER(cuMemAllocHost)(&pinned, 1000));
  std::memset(pinned, 3, 1000);
  MUST(DRIVER(cuMemFreeHost)(pinned));
}

void check_arrays() {
  const CUDA_ARRAY_DESCRIPTOR_v1 flat{kWidth, kHeight, CU_AD_FORMAT_UNSIGNED_INT32, 1};
  const CUDA_ARRAY3D_DESCRIPTOR_v1 deep{8, 4, 3, CU_AD_FORMAT_UNSIGNED_INT16, 2, 0};
  CUarray array = nullptr, other = nullptr, box = nullptr;
  MUST(DRIVER(cuArrayCreate)(&array, &flat));
  MUST(DRIVER(cuArrayCreate)(&other, &flat));
  MUST(DRIVER(cuArray3DCreate)(&box, &deep));
  CUDA_ARRAY_DESCRIPTOR_v1 found{};
  CUDA_ARRAY3D_DESCRIPTOR_v1 found_deep{};
  MUST(DRIVER(cuArrayGetDescriptor)(&found, array));
  EXPECT(found.Width == kWidth && found.Height == kHeight && found.Format == CU_AD_FORMAT_UNSIGNED_INT32);
  MUST(DRIVER(cuArray3DGetDescriptor)(&found_deep, box));
  EXPECT(found_deep.Width == 8 && found_deep.Height == 4 && found_deep.Depth == 3 &&
         found_deep.NumChannels == 2);
  EXPECT_ERROR(CUDA_ERROR_INVALID_VALUE, DRIVER(cuArrayCreate)(&array, nullptr));
  EXPECT_ERROR(CUDA_ERROR_INVALID_VALUE, DRIVER(cuArrayGetDescriptor)(nullptr, array));

  // By rows: to an array, on to another, and back.
  CUstream stream = nullptr;
  MUST(DRIVER(cuStreamCreate)(&stream, CU_STREAM_NON_BLOCKING));
  const auto values = numbers(kWidth * kHeight, 5);
  std::vector<uint32_t> got(kWidth * kHeight);
  CUDA_MEMCPY2D_v1 rows{};
  rows.srcMemoryType = CU_MEMORYTYPE_HOST;
  rows.srcHost = values.data();
  rows.srcPitch = kRowBytes;
  rows.dstMemoryType = CU_MEMORYTYPE_ARRAY;
  rows.dstArray = array;
  rows.WidthInBytes = kRowBytes;
  rows.Height = kHeight;
  MUST(DRIVER(cuMemcpy2D)(&rows));
  CUDA_MEMCPY2D_v1 back{};
  back.srcMemoryType = CU_MEMORYTYPE_ARRAY;
  back.srcArray = array;
  back.dstMemoryType = CU_MEMORYTYPE_HOST;
  back.dstHost = got.data();
  back.dstPitch = kRowBytes;
  back.WidthInBytes = kRowBytes;
  back.Height = kHeight;
  MUST(DRIVER(cuMemcpy2DUnaligned)(&back));
  EXPECT(got == values);
  got.assign(got.size(), 0);
  MUST(DRIVER(cuMemcpy2DAsync)(&back, stream));
  MUST(DRIVER(cuStreamSynchronize)(stream));
  EXPECT(got == values);
  EXPECT_ERROR(CUDA_ERROR_INVALID_VALUE, DRIVER(cuMemcpy2D)(nullptr));

  // In lines within a row.
  const auto line = numbers(8, 1000);
  MUST(DRIVER(cuMemcpyHtoA)(other, 0, line.data(), 32));
  MUST(DRIVER(cuMemcpyHtoAAsync)(other, 32, line.data(), 16, stream));
  MUST(DRIVER(cuStreamSynchronize)(stream));
  MUST(DRIVER(cuMemcpyAtoA)(array, 4, other, 0, 48));
  std::vector<uint32_t> row(13);
  MUST(DRIVER(cuMemcpyAtoH)(row.data(), array, 0, 52));
  EXPECT(row[0] == values[0] && row[1] == line[0] && row[8] == line[7] && row[9] == line[0] &&
         row[12] == line[3]);
  std::vector<uint32_t> again(13);
  MUST(DRIVER(cuMemcpyAtoHAsync)(again.data(), array, 0, 52, stream));
  MUST(DRIVER(cuStreamSynchronize)(stream));
  EXPECT(again == row);

  // And boxes.
  const auto cube = numbers(8 * 4 * 3, 9);
  std::vector<uint32_t> out(cube.size());
  CUDA_MEMCPY3D_v1 in_box{};
  in_box.srcMemoryType = CU_MEMORYTYPE_HOST;
  in_box.srcHost = cube.data();
  in_box.srcPitch = 32;
  in_box.srcHeight = 4;
  in_box.dstMemoryType = CU_MEMORYTYPE_ARRAY;
  in_box.dstArray = box;
  in_box.WidthInBytes = 32;
  in_box.Height = 4;
  in_box.Depth = 3;
  CUDA_MEMCPY3D_v1 out_box{};
  out_box.srcMemoryType = CU_MEMORYTYPE_ARRAY;
  out_box.srcArray = box;
  out_box.srcZ = 1;
  out_box.dstMemoryType = CU_MEMORYTYPE_HOST;
  out_box.dstHost = out.data();
  out_box.dstPitch = 32;
  out_box.dstHeight = 4;
  out_box.WidthInBytes = 32;
  out_box.Height = 4;
  out_box.Depth = 2;
  MUST(DRIVER(cuMemcpy3D)(&in_box));
  MUST(DRIVER(cuMemcpy3DAsync)(&out_box, stream));
  MUST(DRIVER(cuStreamSynchronize)(stream));
  for (size_t i = 0; i < out.size(); ++i) EXPECT(out[i] == (i < 64 ? cube[i + 32] : 0));
  for (CUarray one : {array, other, box}) MUST(DRIVER(cuArrayDestroy)(one));
  MUST(DRIVER(cuStreamDestroy_v2)(stream));
}

}  // namespace

int main() {
  open_device();
  check_memory();
  check_arrays();
  return verdict("driver_superseded");
}
