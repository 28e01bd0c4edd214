// Green contexts as the calls about streams need them.
#pragma once

#include "client-lib/session/client.h"

namespace outboard::client::calls {

// The green context of a stream (special ones are the current context's): null if it has none. `context`
// is the one that it can be made current as.
CUresult green_context_of(Client& client, CUstream stream, CUgreenCtx* green, CUcontext* context);

}  // namespace outboard::client::calls
