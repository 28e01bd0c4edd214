// The identity of a device as users and CUDA_VISIBLE_DEVICES write it.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "protocol/base/result.h"

namespace outboard {

using Uuid = std::array<uint8_t, 16>;

// "GPU-0a1b2c3d-0a1b-2c3d-4e5f-0a1b2c3d4e5f", the form of nvidia-smi.
std::string gpu_uuid_text(const Uuid& uuid);

// Accepts exactly that form, in either case. kInvalidArgument otherwise.
Result<Uuid> parse_gpu_uuid(std::string_view text);

// A UUID made from a name: the same name always gives the same one, different names practically
// never the same. Version 8 of RFC 9562 (custom). Not for secrets: it is not a cryptographic hash.
Uuid uuid_from_name(std::string_view name);

}  // namespace outboard
