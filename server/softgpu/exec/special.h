// Special registers that are constant while a CTA runs: rows of 32-bit lanes in one bank per warp.
// (%clock and its like change and are read by instructions of their own.)
#pragma once

#include <cstdint>

namespace outboard::softgpu::exec {

enum class Special : uint8_t {
  kTidX,
  kTidY,
  kTidZ,
  kNtidX,
  kNtidY,
  kNtidZ,
  kCtaidX,
  kCtaidY,
  kCtaidZ,
  kNctaidX,
  kNctaidY,
  kNctaidZ,
  kLaneid,
  kWarpid,
  kNwarpid,
  kSmid,
  kNsmid,
  kGridid,
  kLanemaskEq,
  kLanemaskLe,
  kLanemaskLt,
  kLanemaskGe,
  kLanemaskGt,
  kTotalSmemSize,
  kDynamicSmemSize,
  kDynamicSharedBase,  // ours: where the kernel's `extern .shared` arrays start
  kStackPointer,       // ours: the lane's frame in local memory
  kEnvreg1,
  kEnvreg2,  // low and high half of the cooperative launch's workspace address
  kZero,
  kOne,
  kCount,
};
inline constexpr uint32_t kSpecialCount = static_cast<uint32_t>(Special::kCount);
inline constexpr uint32_t kSpecialRowBytes = 128;

}  // namespace outboard::softgpu::exec
