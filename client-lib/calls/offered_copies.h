// Copies to the device that need not travel, because the server kept the same data from another time:
// the weights of a model that a second process loads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "client-lib/calls/memcpy.h"
#include "client-lib/session/client.h"

namespace outboard::client::calls {

// Nothing: the copy is not worth offering, and the caller sends it. Else it is done, or failed. `to` lies
// in a range that the client knows.
std::optional<CUresult> copy_offered(Client& client, uint64_t to, std::span<const std::byte> data,
                                     const CopyOrder& order);

}  // namespace outboard::client::calls
