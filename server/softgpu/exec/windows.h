// Where shared, local and parameter memory appear among generic addresses. Device addresses are
// host addresses, which end at 2^47; the windows lie above, so that no host address can be mistaken
// for one of them. 49 bits are what CUDA programs expect an address to have at most.
#pragma once

#include <cstdint>

namespace outboard::softgpu::exec {

inline constexpr unsigned kWindowShift = 40;
inline constexpr uint64_t kSharedWindow = 0x81ull << kWindowShift;
inline constexpr uint64_t kLocalWindow = 0x82ull << kWindowShift;
inline constexpr uint64_t kParamWindow = 0x83ull << kWindowShift;
// Function addresses: kFunctionWindow + 16 * (1 + index in the image).
inline constexpr uint64_t kFunctionWindow = 0x84ull << kWindowShift;

}  // namespace outboard::softgpu::exec
