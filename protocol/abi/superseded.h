// Structures of CUDA before 3.2, which hold sizes in 32 bits, and today's.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "protocol/abi/cuda_abi_gen.h"

namespace outboard::abi {

// What does not fit reads as the largest number, as memory of more than 4 GiB did then.
inline unsigned narrow(size_t value) { return static_cast<unsigned>(std::min<size_t>(value, UINT32_MAX)); }

// Device addresses of 32 bits are passed on as well: no memory lies there, and the copy says so.
template <typename To, typename From>
void widen_sides(const From& from, To* to) {
  to->srcXInBytes = from.srcXInBytes;
  to->srcY = from.srcY;
  to->srcMemoryType = from.srcMemoryType;
  to->srcHost = from.srcHost;
  to->srcDevice = from.srcDevice;
  to->srcArray = from.srcArray;
  to->srcPitch = from.srcPitch;
  to->dstXInBytes = from.dstXInBytes;
  to->dstY = from.dstY;
  to->dstMemoryType = from.dstMemoryType;
  to->dstHost = from.dstHost;
  to->dstDevice = from.dstDevice;
  to->dstArray = from.dstArray;
  to->dstPitch = from.dstPitch;
  to->WidthInBytes = from.WidthInBytes;
  to->Height = from.Height;
}

inline CUDA_MEMCPY2D widen(const CUDA_MEMCPY2D_v1& from) {
  CUDA_MEMCPY2D to{};
  widen_sides(from, &to);
  return to;
}

inline CUDA_MEMCPY3D widen(const CUDA_MEMCPY3D_v1& from) {
  CUDA_MEMCPY3D to{};
  widen_sides(from, &to);
  to.srcZ = from.srcZ;
  to.srcLOD = from.srcLOD;
  to.srcHeight = from.srcHeight;
  to.dstZ = from.dstZ;
  to.dstLOD = from.dstLOD;
  to.dstHeight = from.dstHeight;
  to.Depth = from.Depth;
  return to;
}

inline CUDA_ARRAY_DESCRIPTOR widen(const CUDA_ARRAY_DESCRIPTOR_v1& from) {
  return {from.Width, from.Height, from.Format, from.NumChannels};
}

inline CUDA_ARRAY3D_DESCRIPTOR widen(const CUDA_ARRAY3D_DESCRIPTOR_v1& from) {
  return {from.Width, from.Height, from.Depth, from.Format, from.NumChannels, from.Flags};
}

inline CUDA_ARRAY_DESCRIPTOR_v1 narrow(const CUDA_ARRAY_DESCRIPTOR& from) {
  return {narrow(from.Width), narrow(from.Height), from.Format, from.NumChannels};
}

inline CUDA_ARRAY3D_DESCRIPTOR_v1 narrow(const CUDA_ARRAY3D_DESCRIPTOR& from) {
  return {narrow(from.Width), narrow(from.Height), narrow(from.Depth),
          from.Format,        from.NumChannels,    from.Flags};
}

}  // namespace outboard::abi
