// Checks of addresses, and where the bytes of an access are.
#pragma once

#include "server/softgpu/exec/warp.h"

namespace outboard::softgpu::exec {

// Asks the device about [begin, end) and remembers the allocation. False if it is not valid.
bool find_range(Warp& warp, uint64_t begin, uint64_t end);

// Reports a bad access of one lane: illegal, misaligned or in the wrong window.
[[gnu::cold]] const Op* bad_access(Warp& warp, const Op* op, uint32_t lane, uint64_t address, uint32_t bytes,
                                   const char* space, bool misaligned);

// Where a generic address of one lane lies, nullptr if nowhere. For slow paths.
std::byte* translate_generic(Warp& warp, uint32_t lane, uint64_t address, uint32_t bytes);

}  // namespace outboard::softgpu::exec
