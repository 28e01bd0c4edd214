// Special registers that are constant while a CTA runs: rows of 32-bit lanes, in one bank per warp and one
// for what all warps of a CTA have alike. (%clock and its like change and are read by instructions of
// their own.)
#pragma once

#include <cstdint>

#include "server/softgpu/exec/op.h"

namespace outboard::softgpu::exec {

enum class Special : uint8_t {
  kTidX,
  kTidY,
  kTidZ,
  kLaneid,
  kWarpid,
  kLanemaskEq,
  kLanemaskLe,
  kLanemaskLt,
  kLanemaskGe,
  kLanemaskGt,
  kStackPointer,  // ours: the lane's frame in local memory
  kFirstOfCta,    // from here on in kBankCta
  kNtidX = kFirstOfCta,
  kNtidY,
  kNtidZ,
  kCtaidX,
  kCtaidY,
  kCtaidZ,
  kNctaidX,
  kNctaidY,
  kNctaidZ,
  kNwarpid,
  kSmid,
  kNsmid,
  kGridid,
  kTotalSmemSize,
  kDynamicSmemSize,
  kDynamicSharedBase,  // ours: where the kernel's `extern .shared` arrays start
  kEnvreg1,
  kEnvreg2,  // low and high half of the cooperative launch's workspace address
  kZero,
  kOne,
  kCount,
};
inline constexpr uint32_t kSpecialCount = static_cast<uint32_t>(Special::kCount);
inline constexpr uint32_t kSpecialRowBytes = 128;

// As in Op::r.
constexpr uint32_t special_operand(Special special) {
  const auto number = static_cast<uint32_t>(special), first = static_cast<uint32_t>(Special::kFirstOfCta);
  return number < first ? number * kSpecialRowBytes | kBankSpecial
                        : (number - first) * kSpecialRowBytes | kBankCta;
}

}  // namespace outboard::softgpu::exec
