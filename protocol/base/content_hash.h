// A name for content, the same on client and server.
#pragma once

#include <array>
#include <cstddef>

#include "protocol/base/bytes.h"

namespace outboard {

// XXH3 with 128 bits, canonical byte order (https://xxhash.com), some 10 GB/s. Content that differs by
// accident never has the same; somebody who tries can make two that do, so a hash is a name only
// among those who trust each other: one tenant's content.
using ContentHash = std::array<std::byte, 16>;

ContentHash content_hash(ByteSpan content);

}  // namespace outboard
