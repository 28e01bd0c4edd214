// Device code in what a compiler made for the host: object files, alone or in an ar archive.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "protocol/base/result.h"

namespace outboard::softgpu::image {

// The fat binaries in an object file or an archive of such, in their order; views into `data`. Members
// that are no object files have none. Safe for hostile input.
Result<std::vector<std::span<const std::byte>>> fatbins_of_objects(std::span<const std::byte> data);

}  // namespace outboard::softgpu::image
