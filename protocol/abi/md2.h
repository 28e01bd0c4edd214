// The MD2 message digest of RFC 1319. Not for security: one of CUDA's private interfaces uses it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace outboard::abi {

inline constexpr size_t kMd2Bytes = 16;  // RFC 1319 §3: both the block and the digest

using Md2Digest = std::array<uint8_t, kMd2Bytes>;

// Pure; any thread; cannot fail. An empty message is allowed.
Md2Digest md2(std::span<const uint8_t> message);

}  // namespace outboard::abi
