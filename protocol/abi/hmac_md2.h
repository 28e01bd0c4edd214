// HMAC (RFC 2104) over MD2 (RFC 1319), whose block is 16 bytes long.
#pragma once

#include <cstdint>
#include <span>

#include "protocol/abi/md2.h"

namespace outboard::abi {

// A key longer than a block is hashed first, as RFC 2104 §2 says. Pure; any thread.
Md2Digest hmac_md2(std::span<const uint8_t> key, std::span<const uint8_t> message);

}  // namespace outboard::abi
