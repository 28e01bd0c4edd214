// The result of cuLinkComplete: several PTX texts that belong together, in one block of memory.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "protocol/base/result.h"

namespace outboard::softgpu::image {

// A fat binary whose entries, all of them PTX, carry a flag that means "link me with the others".
// Bit 40 of an entry's flags is set by nobody else (bits 0 to 24 have been seen).
inline constexpr uint64_t kFlagLinkUnit = uint64_t{1} << 40;

std::vector<std::byte> make_linked_image(const std::vector<std::string>& units);

}  // namespace outboard::softgpu::image
