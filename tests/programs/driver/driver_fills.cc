// Every form of fill: what it writes, what it leaves alone, what it refuses.
#include <cstring>
#include <functional>

#include "driver.h"

namespace {

constexpr size_t kPitch = 48, kRows = 9, kBytes = kPitch * kRows;
constexpr uint8_t kBefore = 0xee;

CUstream g_stream = nullptr;
CUdeviceptr g_memory = 0;

// A fill of `height` rows of `width` elements at an offset; one row for the forms that have one.
struct Form {
  const char* name;
  size_t element_bytes;
  bool rows;
  CUresult (*run)(CUdeviceptr to, size_t pitch, uint32_t value, size_t width, size_t height);
};

#define ROW(function, element)                                                    \
  {#function, sizeof(element), false,                                             \
   [](CUdeviceptr to, size_t, uint32_t value, size_t width, size_t) {             \
     return DRIVER(function)(to, static_cast<element>(value), width);             \
   }},                                                                            \
  {                                                                               \
    #function "_ptds", sizeof(element), false,                                    \
        [](CUdeviceptr to, size_t, uint32_t value, size_t width, size_t) {        \
          return DRIVER(function##_ptds)(to, static_cast<element>(value), width); \
        }                                                                         \
  }
#define ROW_ASYNC(function, element)                                                                     \
  {#function, sizeof(element), false, [](CUdeviceptr to, size_t, uint32_t value, size_t width, size_t) { \
     return DRIVER(function)(to, static_cast<element>(value), width, g_stream);                          \
   }}
#define ROWS(function, element)                                                      \
  {#function, sizeof(element), true,                                                 \
   [](CUdeviceptr to, size_t pitch, uint32_t value, size_t width, size_t height) {   \
     return DRIVER(function)(to, pitch, static_cast<element>(value), width, height); \
   }}
#define ROWS_ASYNC(function, element)                                                          \
  {#function, sizeof(element), true,                                                           \
   [](CUdeviceptr to, size_t pitch, uint32_t value, size_t width, size_t height) {             \
     return DRIVER(function)(to, pitch, static_cast<element>(value), width, height, g_stream); \
   }}

constexpr Form kForms[] = {
    ROW(cuMemsetD8_v2, uint8_t),
    ROW(cuMemsetD16_v2, uint16_t),
    ROW(cuMemsetD32_v2, uint32_t),
    ROW_ASYNC(cuMemsetD8Async, uint8_t),
    ROW_ASYNC(cuMemsetD16Async, uint16_t),
    ROW_ASYNC(cuMemsetD32Async, uint32_t),
    ROWS(cuMemsetD2D8_v2, uint8_t),
    ROWS(cuMemsetD2D16_v2, uint16_t),
    ROWS(cuMemsetD2D32_v2, uint32_t),
    ROWS_ASYNC(cuMemsetD2D8Async, uint8_t),
    ROWS_ASYNC(cuMemsetD2D16Async, uint16_t),
    ROWS_ASYNC(cuMemsetD2D32Async, uint32_t),
};

std::vector<uint8_t> memory_now() {
  MUST(DRIVER(cuCtxSynchronize)());
  return download<uint8_t>(g_memory, kBytes);
}

void reset() {
  const std::vector<uint8_t> before(kBytes, kBefore);
  MUST(DRIVER(cuMemcpyHtoD_v2)(g_memory, before.data(), kBytes));
}

void check_one(const Form& form, size_t first, uint32_t value, size_t width, size_t height) {
  reset();
  MUST(form.run(g_memory + first, kPitch, value, width, height));
  std::vector<uint8_t> expected(kBytes, kBefore);
  for (size_t y = 0; y < (form.rows ? height : 1); ++y) {
    for (size_t x = 0; x < width; ++x)
      std::memcpy(&expected[first + y * kPitch + x * form.element_bytes], &value, form.element_bytes);
  }
  if (memory_now() != expected && ++g_failures <= 20) {
    std::printf("%s of %zu x %zu at %zu does not write what it should\n", form.name, width, height, first);
  }
}

void check_form(const Form& form) {
  const size_t element = form.element_bytes;
  for (uint32_t value : {0u, 0x8000'0001u, 0xffff'ffffu, 0x0102'0304u}) {
    check_one(form, 0, value, 1, 1);
    check_one(form, element, value, kPitch / element - 2, form.rows ? 5 : 1);
    check_one(form, 3 * element, value, 7, form.rows ? kRows - 1 : 1);
    check_one(form, 0, value, kPitch / element, form.rows ? kRows : 1);
  }
  // Nothing to fill is no error.
  check_one(form, 8, 1, 0, 3);
  if (form.rows) check_one(form, 8, 1, 3, 0);

  reset();
  if (element > 1)
    EXPECT_ERROR(CUDA_ERROR_INVALID_VALUE, form.run(g_memory + 1, kPitch, 1, 4, 2));  // not aligned
  if (form.rows)
    EXPECT_ERROR(CUDA_ERROR_INVALID_VALUE, form.run(g_memory, 8, 1, 16 / element, 2));  // rows would overlap
  EXPECT_ERROR(CUDA_ERROR_INVALID_VALUE, form.run(0, kPitch, 1, 4, 2));
  EXPECT_ERROR(CUDA_ERROR_INVALID_VALUE, form.run(g_memory, kPitch, 1, (size_t{1} << 40) / element, 1));
  EXPECT(memory_now() == std::vector<uint8_t>(kBytes, kBefore));
  std::printf("%s done\n", form.name);
}

// A fill stands in its stream's order, before and after kernels and copies.
void check_order() {
  CUevent done = nullptr;
  MUST(DRIVER(cuEventCreate)(&done, CU_EVENT_DISABLE_TIMING));
  std::vector<uint16_t> result(64);
  for (int i = 0; i < 50; ++i) {
    MUST(DRIVER(cuMemsetD16Async)(g_memory, static_cast<uint16_t>(i), 64, g_stream));
    MUST(DRIVER(cuMemsetD2D8Async)(g_memory, 32, static_cast<uint8_t>(200 + i), 2, 4, g_stream));
    MUST(DRIVER(cuMemcpyDtoHAsync_v2)(result.data(), g_memory, 128, g_stream));
    MUST(DRIVER(cuEventRecord)(done, g_stream));
    MUST(DRIVER(cuEventSynchronize)(done));
    const auto byte = static_cast<uint16_t>(200 + i);
    for (size_t j = 0; j < result.size(); ++j) EXPECT(result[j] == (j % 16 == 0 ? byte << 8 | byte : i));
  }
  MUST(DRIVER(cuEventDestroy_v2)(done));
}

}  // namespace

int main() {
  open_device();
  MUST(DRIVER(cuStreamCreate)(&g_stream, CU_STREAM_NON_BLOCKING));
  MUST(DRIVER(cuMemAlloc_v2)(&g_memory, kBytes));
  for (const Form& form : kForms) check_form(form);
  check_order();
  MUST(DRIVER(cuMemFree_v2)(g_memory));
  MUST(DRIVER(cuStreamDestroy_v2)(g_stream));
  return verdict("driver_fills");
}
