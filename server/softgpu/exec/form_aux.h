// Parameters of forms (Op::aux) that are read by more than the handlers of one group: the second
// tier reads them too. Constants only, see the note at the top of handlers/lanes.h.
#pragma once

#include <cstdint>

namespace outboard::softgpu::exec {

// Which memory an instruction names.
enum class Window : uint32_t { kGeneric, kGlobal, kShared, kLocal, kParam };

// ld and st: the Window, elements per lane, and whether programs spin on it.
inline constexpr uint32_t kWindowMask = 0xff;
inline constexpr uint32_t kElementsShift = 8;
inline constexpr uint32_t kElementsMask = 0xff;
inline constexpr uint32_t kSpins = 1u << 16;

// setp and set: how the comparison is combined with a predicate.
inline constexpr uint32_t kCombineNone = 0;
inline constexpr uint32_t kCombineAnd = 1;
inline constexpr uint32_t kCombineOr = 2;
inline constexpr uint32_t kCombineXor = 3;
inline constexpr uint32_t kCombineMask = 3;

}  // namespace outboard::softgpu::exec
