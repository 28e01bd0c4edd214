// Limits of the front end. Each is above what the largest known programs need.
#pragma once

#include <cstdint>

namespace outboard::softgpu::ptx {

inline constexpr uint32_t kMaxNesting = 64;  // braces and parentheses
inline constexpr uint32_t kMaxRegistersPerFunction = 1u << 20;
inline constexpr uint32_t kMaxInstructionsPerFunction = 1u << 20;
inline constexpr uint32_t kMaxOperands = 64;                 // of one instruction, elements counted
inline constexpr uint32_t kMaxParameters = 4096;             // of one function
inline constexpr uint32_t kMaxNumberedVariables = 1u << 16;  // declared as name<count>, in one text
inline constexpr uint64_t kMaxVariableBytes = 1ull << 34;
inline constexpr uint64_t kMaxInitialBytes = 1ull << 28;
inline constexpr uint32_t kMaxAlign = 1u << 16;
inline constexpr uint32_t kMaxPtxMajor = 9;

}  // namespace outboard::softgpu::ptx
