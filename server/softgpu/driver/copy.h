// Copies, from the many shapes of the C interface to CopyOperation.
#pragma once

#include "protocol/abi/cuda_abi_gen.h"
#include "server/softgpu/device/operation.h"
#include "server/softgpu/device/platform.h"

namespace outboard::softgpu {

// What an address argument may be: the name of the call says, or (kAny) the address itself does.
enum class Side { kHost, kDevice, kAny };

// How a copy is ordered: `stream` as given (null means `null_stream`), and whether the caller waits.
struct CopyOrder {
  CUstream stream = nullptr;
  CUstream null_stream = CU_STREAM_LEGACY;
  bool wait = true;
};

// Every device address of the copy lies in memory that is allocated; otherwise
// CUDA_ERROR_INVALID_VALUE. Host addresses are trusted.
CUresult copy_linear(uint64_t to, Side to_side, uint64_t from, Side from_side, uint64_t bytes,
                     const CopyOrder& order) noexcept;
CUresult copy_box(const CUDA_MEMCPY3D& copy, const CopyOrder& order) noexcept;
CUresult copy_rectangle(const CUDA_MEMCPY2D& copy, const CopyOrder& order) noexcept;
CUresult fill(const MemsetOperation& operation, const CopyOrder& order) noexcept;

// Resolves both sides; used for graph nodes too. A copy of no bytes has width_bytes 0.
CUresult resolve_box(Platform& platform, const CUDA_MEMCPY3D& copy, CopyOperation* operation);
CUresult check_fill(Platform& platform, const MemsetOperation& operation);

}  // namespace outboard::softgpu
