// Fills.
#include "server/softgpu/driver/copy.h"
#include "server/softgpu/driver/driver.h"

using namespace outboard::softgpu;

namespace {

const CopyOrder kLegacy{nullptr, CU_STREAM_LEGACY, true};
const CopyOrder kPerThread{nullptr, CU_STREAM_PER_THREAD, true};
CopyOrder queued(CUstream stream) { return {stream, CU_STREAM_LEGACY, false}; }

MemsetOperation row(CUdeviceptr address, uint32_t value, uint32_t element_bytes, size_t count) {
  return {address, 0, value, element_bytes, count, 1};
}

}  // namespace

extern "C" {

CUresult cuMemsetD8_v2(CUdeviceptr to, unsigned char value, size_t count) {
  return fill(row(to, value, 1, count), kLegacy);
}
CUresult cuMemsetD8_v2_ptds(CUdeviceptr to, unsigned char value, size_t count) {
  return fill(row(to, value, 1, count), kPerThread);
}
CUresult cuMemsetD8Async(CUdeviceptr to, unsigned char value, size_t count, CUstream stream) {
  return fill(row(to, value, 1, count), queued(stream));
}
CUresult cuMemsetD2D8_v2(CUdeviceptr to, size_t pitch, unsigned char value, size_t width, size_t height) {
  return fill({to, pitch, value, 1, width, height}, kLegacy);
}
CUresult cuMemsetD2D8_v2_ptds(CUdeviceptr to, size_t pitch, unsigned char value, size_t width,
                              size_t height) {
  return fill({to, pitch, value, 1, width, height}, kPerThread);
}
CUresult cuMemsetD2D8Async(CUdeviceptr to, size_t pitch, unsigned char value, size_t width, size_t height,
                           CUstream stream) {
  return fill({to, pitch, value, 1, width, height}, queued(stream));
}

CUresult cuMemsetD16_v2(CUdeviceptr to, unsigned short value, size_t count) {
  return fill(row(to, value, 2, count), kLegacy);
}
CUresult cuMemsetD16_v2_ptds(CUdeviceptr to, unsigned short value, size_t count) {
  return fill(row(to, value, 2, count), kPerThread);
}
CUresult cuMemsetD16Async(CUdeviceptr to, unsigned short value, size_t count, CUstream stream) {
  return fill(row(to, value, 2, count), queued(stream));
}
CUresult cuMemsetD2D16_v2(CUdeviceptr to, size_t pitch, unsigned short value, size_t width, size_t height) {
  return fill({to, pitch, value, 2, width, height}, kLegacy);
}
CUresult cuMemsetD2D16_v2_ptds(CUdeviceptr to, size_t pitch, unsigned short value, size_t width,
                               size_t height) {
  return fill({to, pitch, value, 2, width, height}, kPerThread);
}
CUresult cuMemsetD2D16Async(CUdeviceptr to, size_t pitch, unsigned short value, size_t width, size_t height,
                            CUstream stream) {
  return fill({to, pitch, value, 2, width, height}, queued(stream));
}

CUresult cuMemsetD32_v2(CUdeviceptr to, unsigned int value, size_t count) {
  return fill(row(to, value, 4, count), kLegacy);
}
CUresult cuMemsetD32_v2_ptds(CUdeviceptr to, unsigned int value, size_t count) {
  return fill(row(to, value, 4, count), kPerThread);
}
CUresult cuMemsetD32Async(CUdeviceptr to, unsigned int value, size_t count, CUstream stream) {
  return fill(row(to, value, 4, count), queued(stream));
}
CUresult cuMemsetD2D32_v2(CUdeviceptr to, size_t pitch, unsigned int value, size_t width, size_t height) {
  return fill({to, pitch, value, 4, width, height}, kLegacy);
}
CUresult cuMemsetD2D32_v2_ptds(CUdeviceptr to, size_t pitch, unsigned int value, size_t width,
                               size_t height) {
  return fill({to, pitch, value, 4, width, height}, kPerThread);
}
CUresult cuMemsetD2D32Async(CUdeviceptr to, size_t pitch, unsigned int value, size_t width, size_t height,
                            CUstream stream) {
  return fill({to, pitch, value, 4, width, height}, queued(stream));
}

}  // extern "C"
