// Everything about the devices that a client will ask, gathered once for the welcome.
#pragma once

#include <cstdint>
#include <vector>

#include "protocol/wire/handshake.h"
#include "server/device/driver_api_gen.h"
#include "server/quota/memory_ledger.h"

namespace outboard::server {

// Some answers need a context, whose creation takes a hardware driver a good part of a second.
enum class ContextFacts { kSkip, kGather };

// cuDriverGetVersion; 0 if the driver does not say.
int32_t driver_version(const DriverApi& driver);

// Devices 0 to `count` - 1, as the session may see them: where the ledger has a limit, memory is
// the lease's. What the driver does not know, or was not asked, keeps its default. Leaves no
// context behind and none current.
std::vector<wire::DeviceSnapshot> snapshot_devices(const DriverApi& driver, uint32_t count,
                                                   ContextFacts facts, const MemoryLedger& ledger);

}  // namespace outboard::server
