// Batches of copies: CUDA lets them run in any order, so one after the other will do. Host data is read
// when the call is made, which every access order of the interface allows.
#include <cstdint>

#include "client-lib/calls/calls_gen.h"
#include "client-lib/calls/copy_box.h"
#include "client-lib/calls/handles.h"
#include "client-lib/session/client.h"
#include "protocol/abi/copy_batches.h"

namespace outboard::client::calls {
namespace {

struct Linear {
  CUdeviceptr* to = nullptr;
  CUdeviceptr* from = nullptr;
  size_t* bytes = nullptr;
  size_t count = 0;
};

// `failed`: the copy at fault; SIZE_MAX if none of them is.
CUresult copy_all(Client& client, const Linear& copies, CUmemcpyAttributes* attributes, size_t* first,
                  size_t attribute_count, CUstream stream, size_t* failed) {
  *failed = SIZE_MAX;
  if (copies.to == nullptr || copies.from == nullptr || copies.bytes == nullptr || copies.count == 0 ||
      !abi::takes_copy_batches(stream) ||
      !abi::valid_copy_attributes(attributes, first, attribute_count, copies.count)) {
    return CUDA_ERROR_INVALID_VALUE;
  }
  for (size_t i = 0; i < copies.count; ++i) {
    const CUresult result = cuMemcpyAsync(client, copies.to[i], copies.from[i], copies.bytes[i], stream);
    if (result == CUDA_SUCCESS) continue;
    *failed = i;
    return result;
  }
  return CUDA_SUCCESS;
}

// Sides of boxes count elements where an array takes part, and bytes where none does.
CUresult element_bytes(Client& client, const CUmemcpy3DOperand& side, size_t* bytes) {
  if (side.type != CU_MEMCPY_OPERAND_TYPE_ARRAY) return CUDA_SUCCESS;
  CUDA_ARRAY3D_DESCRIPTOR descriptor{};
  const CUresult result = cuArray3DGetDescriptor_v2(client, &descriptor, side.op.array.array);
  if (result != CUDA_SUCCESS) return result;
  size_t channel = 0;
  switch (descriptor.Format) {
    case CU_AD_FORMAT_UNSIGNED_INT8:
    case CU_AD_FORMAT_SIGNED_INT8: channel = 1; break;
    case CU_AD_FORMAT_UNSIGNED_INT16:
    case CU_AD_FORMAT_SIGNED_INT16:
    case CU_AD_FORMAT_HALF: channel = 2; break;
    case CU_AD_FORMAT_UNSIGNED_INT32:
    case CU_AD_FORMAT_SIGNED_INT32:
    case CU_AD_FORMAT_FLOAT: channel = 4; break;
    default: return CUDA_ERROR_NOT_SUPPORTED;  // formats whose elements are blocks or planes
  }
  *bytes = channel * descriptor.NumChannels;
  return CUDA_SUCCESS;
}

CUresult side_of(const CUmemcpy3DOperand& given, const CUextent3D& extent, size_t element, Side* side) {
  if (given.type == CU_MEMCPY_OPERAND_TYPE_ARRAY) {
    side->type = CU_MEMORYTYPE_ARRAY;
    side->array = given.op.array.array;
    side->x = given.op.array.offset.x * element;
    side->y = given.op.array.offset.y;
    side->z = given.op.array.offset.z;
    return CUDA_SUCCESS;
  }
  if (given.type != CU_MEMCPY_OPERAND_TYPE_POINTER) return CUDA_ERROR_INVALID_VALUE;
  side->type = CU_MEMORYTYPE_UNIFIED;
  side->device = given.op.ptr.ptr;
  side->pitch = (given.op.ptr.rowLength != 0 ? given.op.ptr.rowLength : extent.width) * element;
  side->height = given.op.ptr.layerHeight != 0 ? given.op.ptr.layerHeight : extent.height;
  return CUDA_SUCCESS;
}

CUresult copy_one(Client& client, const CUDA_MEMCPY3D_BATCH_OP& given, CUstream stream) {
  size_t element = 1;
  if (const CUresult r = element_bytes(client, given.dst, &element); r != CUDA_SUCCESS) return r;
  if (const CUresult r = element_bytes(client, given.src, &element); r != CUDA_SUCCESS) return r;
  Copy copy;
  copy.box = {given.extent.width * element, given.extent.height, given.extent.depth};
  if (const CUresult r = side_of(given.dst, given.extent, element, &copy.to); r != CUDA_SUCCESS) return r;
  if (const CUresult r = side_of(given.src, given.extent, element, &copy.from); r != CUDA_SUCCESS) return r;
  return copy_box(client, copy, stream, true);
}

CUresult copy_boxes(Client& client, size_t count, const CUDA_MEMCPY3D_BATCH_OP* copies,
                    unsigned long long flags, CUstream stream, size_t* failed) {
  *failed = SIZE_MAX;
  if (count == 0 || copies == nullptr || flags != 0 || !abi::takes_copy_batches(stream))
    return CUDA_ERROR_INVALID_VALUE;
  for (size_t i = 0; i < count; ++i) {
    const CUresult result = copy_one(client, copies[i], stream);
    if (result == CUDA_SUCCESS) continue;
    *failed = i;
    return result;
  }
  return CUDA_SUCCESS;
}

}  // namespace

CUresult cuMemcpyBatchAsync(Client& client, CUdeviceptr* dsts, CUdeviceptr* srcs, size_t* sizes, size_t count,
                            CUmemcpyAttributes* attrs, size_t* attrsIdxs, size_t numAttrs, size_t* failIdx,
                            CUstream hStream) {
  size_t failed = SIZE_MAX;
  const CUresult result =
      copy_all(client, {dsts, srcs, sizes, count}, attrs, attrsIdxs, numAttrs, hStream, &failed);
  if (result != CUDA_SUCCESS && failIdx != nullptr) *failIdx = failed;
  return result;
}

CUresult cuMemcpyBatchAsync_v2(Client& client, CUdeviceptr* dsts, CUdeviceptr* srcs, size_t* sizes,
                               size_t count, CUmemcpyAttributes* attrs, size_t* attrsIdxs, size_t numAttrs,
                               CUstream hStream) {
  size_t failed = SIZE_MAX;
  return copy_all(client, {dsts, srcs, sizes, count}, attrs, attrsIdxs, numAttrs, hStream, &failed);
}

CUresult cuMemcpy3DBatchAsync(Client& client, size_t numOps, CUDA_MEMCPY3D_BATCH_OP* opList, size_t* failIdx,
                              unsigned long long flags, CUstream hStream) {
  size_t failed = SIZE_MAX;
  const CUresult result = copy_boxes(client, numOps, opList, flags, hStream, &failed);
  if (result != CUDA_SUCCESS && failIdx != nullptr) *failIdx = failed;
  return result;
}

CUresult cuMemcpy3DBatchAsync_v2(Client& client, size_t numOps, CUDA_MEMCPY3D_BATCH_OP* opList,
                                 unsigned long long flags, CUstream hStream) {
  size_t failed = SIZE_MAX;
  return copy_boxes(client, numOps, opList, flags, hStream, &failed);
}

}  // namespace outboard::client::calls
