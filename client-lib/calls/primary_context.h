#pragma once

#include "client-lib/session/client.h"

namespace outboard::client::calls {

// One less holds the primary context; the last one ends it.
CUresult release_primary(Client& client, ContextInfo& primary);

}  // namespace outboard::client::calls
