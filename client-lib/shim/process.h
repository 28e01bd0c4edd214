// The one client of the process that loaded this library.
#pragma once

#include "client-lib/session/client.h"

namespace outboard::client {

// Made on first use from the environment and the configuration file; never destroyed, because calls
// arrive after every exit handler and destructor has run.
Client& process_client();

}  // namespace outboard::client
