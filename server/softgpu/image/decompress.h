// Decompression of container entries.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "protocol/base/result.h"

namespace outboard::softgpu::image {

enum class Compression : uint8_t { kNone, kLz4Block, kZstdFrame };

// Expands `input` into exactly `expanded_bytes` bytes (at most kMaxEntryBytes). Fails, without
// having allocated more than that, when the input is damaged or expands to another size.
Result<std::vector<std::byte>> decompress(Compression compression, std::span<const std::byte> input,
                                          uint64_t expanded_bytes);

}  // namespace outboard::softgpu::image
