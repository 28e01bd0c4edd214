// What calls that give memory back do about descriptors of it.
#pragma once

#include "client-lib/session/client.h"

namespace outboard::client::calls {

// Tells the server which exports nobody can open any more: they keep memory no longer.
void tell_closed_exports(Client& client);

}  // namespace outboard::client::calls
