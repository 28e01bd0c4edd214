// Batches of copies: one after the other in the stream, which is one of the orders that CUDA allows.
#include <cstdint>

#include "protocol/abi/copy_batches.h"
#include "server/softgpu/device/array.h"
#include "server/softgpu/driver/copy.h"
#include "server/softgpu/driver/driver.h"

using namespace outboard::softgpu;

namespace {

// Sides of boxes count elements where an array takes part, and bytes where none does.
CUresult element_bytes(const CUmemcpy3DOperand& side, size_t* bytes) {
  if (side.type != CU_MEMCPY_OPERAND_TYPE_ARRAY) return CUDA_SUCCESS;
  return with_platform([&](Platform& platform) -> CUresult {
    const auto array = find<Array>(platform, side.op.array.array);
    if (array == nullptr) return CUDA_ERROR_INVALID_HANDLE;
    *bytes = array->element_bytes();
    return CUDA_SUCCESS;
  });
}

size_t pitch_of(const CUmemcpy3DOperand& side, const CUDA_MEMCPY3D_BATCH_OP& copy, size_t element) {
  return (side.op.ptr.rowLength != 0 ? side.op.ptr.rowLength : copy.extent.width) * element;
}

size_t height_of(const CUmemcpy3DOperand& side, const CUDA_MEMCPY3D_BATCH_OP& copy) {
  return side.op.ptr.layerHeight != 0 ? side.op.ptr.layerHeight : copy.extent.height;
}

bool valid(const CUmemcpy3DOperand& side) {
  return side.type == CU_MEMCPY_OPERAND_TYPE_ARRAY || side.type == CU_MEMCPY_OPERAND_TYPE_POINTER;
}

CUresult copy_one(const CUDA_MEMCPY3D_BATCH_OP& copy, CUstream stream) {
  if (!valid(copy.src) || !valid(copy.dst)) return CUDA_ERROR_INVALID_VALUE;
  size_t element = 1;
  if (const CUresult result = element_bytes(copy.dst, &element); result != CUDA_SUCCESS) return result;
  if (const CUresult result = element_bytes(copy.src, &element); result != CUDA_SUCCESS) return result;
  CUDA_MEMCPY3D box{};
  if (copy.src.type == CU_MEMCPY_OPERAND_TYPE_ARRAY) {
    box.srcMemoryType = CU_MEMORYTYPE_ARRAY;
    box.srcArray = copy.src.op.array.array;
    box.srcXInBytes = copy.src.op.array.offset.x * element;
    box.srcY = copy.src.op.array.offset.y;
    box.srcZ = copy.src.op.array.offset.z;
  } else {
    box.srcMemoryType = CU_MEMORYTYPE_UNIFIED;
    box.srcDevice = copy.src.op.ptr.ptr;
    box.srcPitch = pitch_of(copy.src, copy, element);
    box.srcHeight = height_of(copy.src, copy);
  }
  if (copy.dst.type == CU_MEMCPY_OPERAND_TYPE_ARRAY) {
    box.dstMemoryType = CU_MEMORYTYPE_ARRAY;
    box.dstArray = copy.dst.op.array.array;
    box.dstXInBytes = copy.dst.op.array.offset.x * element;
    box.dstY = copy.dst.op.array.offset.y;
    box.dstZ = copy.dst.op.array.offset.z;
  } else {
    box.dstMemoryType = CU_MEMORYTYPE_UNIFIED;
    box.dstDevice = copy.dst.op.ptr.ptr;
    box.dstPitch = pitch_of(copy.dst, copy, element);
    box.dstHeight = height_of(copy.dst, copy);
  }
  box.WidthInBytes = copy.extent.width * element;
  box.Height = copy.extent.height;
  box.Depth = copy.extent.depth;
  return copy_box(box, {stream, CU_STREAM_LEGACY, false});
}

}  // namespace

extern "C" {

CUresult cuMemcpyBatchAsync(CUdeviceptr* to, CUdeviceptr* from, size_t* bytes, size_t count,
                            CUmemcpyAttributes* attributes, size_t* first, size_t attribute_count,
                            size_t* failed, CUstream stream) {
  // Of an error in the arguments no copy is the cause.
  if (failed != nullptr) *failed = SIZE_MAX;
  if (to == nullptr || from == nullptr || bytes == nullptr || count == 0 ||
      !outboard::abi::takes_copy_batches(stream) ||
      !outboard::abi::valid_copy_attributes(attributes, first, attribute_count, count)) {
    return CUDA_ERROR_INVALID_VALUE;
  }
  for (size_t i = 0; i < count; ++i) {
    const CUresult result =
        copy_linear(to[i], Side::kAny, from[i], Side::kAny, bytes[i], {stream, CU_STREAM_LEGACY, false});
    if (result == CUDA_SUCCESS) continue;
    if (failed != nullptr) *failed = i;
    return result;
  }
  return CUDA_SUCCESS;
}

CUresult cuMemcpyBatchAsync_v2(CUdeviceptr* to, CUdeviceptr* from, size_t* bytes, size_t count,
                               CUmemcpyAttributes* attributes, size_t* first, size_t attribute_count,
                               CUstream stream) {
  return cuMemcpyBatchAsync(to, from, bytes, count, attributes, first, attribute_count, nullptr, stream);
}

CUresult cuMemcpy3DBatchAsync(size_t count, CUDA_MEMCPY3D_BATCH_OP* copies, size_t* failed,
                              unsigned long long flags, CUstream stream) {
  if (failed != nullptr) *failed = SIZE_MAX;
  if (count == 0 || copies == nullptr || flags != 0 || !outboard::abi::takes_copy_batches(stream))
    return CUDA_ERROR_INVALID_VALUE;
  for (size_t i = 0; i < count; ++i) {
    const CUresult result = copy_one(copies[i], stream);
    if (result == CUDA_SUCCESS) continue;
    if (failed != nullptr) *failed = i;
    return result;
  }
  return CUDA_SUCCESS;
}

CUresult cuMemcpy3DBatchAsync_v2(size_t count, CUDA_MEMCPY3D_BATCH_OP* copies, unsigned long long flags,
                                 CUstream stream) {
  return cuMemcpy3DBatchAsync(count, copies, nullptr, flags, stream);
}

}  // extern "C"
