// Launch attributes as they travel.
#pragma once

#include <vector>

#include "client-lib/session/client.h"
#include "protocol/wire/records_gen.h"

namespace outboard::client::calls {

// Those of a launch configuration, whose pointers are checked already. Keeps the vector's memory.
CUresult translate_attributes(Client& client, const CUlaunchConfig& config,
                              std::vector<wire::LaunchAttribute>* attributes);

}  // namespace outboard::client::calls
