// One side of a copy, from how it travels to the driver's structures.
#pragma once

#include "protocol/abi/cuda_abi_gen.h"
#include "protocol/wire/records_gen.h"
#include "server/worker/worker.h"

namespace outboard::server {

// `Copy` is CUDA_MEMCPY3D or CUDA_MEMCPY3D_PEER. False when the session has no such array.
template <typename Copy>
bool set_destination(const Worker& worker, const wire::CopyEnd& end, Copy& copy) {
  copy.dstXInBytes = end.x_bytes;
  copy.dstY = end.y;
  copy.dstZ = end.z;
  copy.dstLOD = end.level;
  copy.dstPitch = end.pitch_bytes;
  copy.dstHeight = end.height;
  if (end.array.is_null()) {
    copy.dstMemoryType = CU_MEMORYTYPE_DEVICE;
    copy.dstDevice = end.address;
    return true;
  }
  const auto array = worker.native_as<CUarray>(wire::HandleKind::kArray, end.array);
  if (!array) return false;
  copy.dstMemoryType = CU_MEMORYTYPE_ARRAY;
  copy.dstArray = *array;
  return true;
}

template <typename Copy>
bool set_source(const Worker& worker, const wire::CopyEnd& end, Copy& copy) {
  copy.srcXInBytes = end.x_bytes;
  copy.srcY = end.y;
  copy.srcZ = end.z;
  copy.srcLOD = end.level;
  copy.srcPitch = end.pitch_bytes;
  copy.srcHeight = end.height;
  if (end.array.is_null()) {
    copy.srcMemoryType = CU_MEMORYTYPE_DEVICE;
    copy.srcDevice = end.address;
    return true;
  }
  const auto array = worker.native_as<CUarray>(wire::HandleKind::kArray, end.array);
  if (!array) return false;
  copy.srcMemoryType = CU_MEMORYTYPE_ARRAY;
  copy.srcArray = *array;
  return true;
}

}  // namespace outboard::server
