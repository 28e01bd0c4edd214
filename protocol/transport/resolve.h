// Addresses as the kernel wants them.
#pragma once

#include <vector>

#include <sys/socket.h>

#include "protocol/base/result.h"
#include "protocol/transport/address.h"

namespace outboard::transport {

struct Endpoint {
  sockaddr_storage address{};
  socklen_t address_bytes = 0;
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&address); }
};

// The endpoints to try, in order; never empty. A host name is looked up, which blocks.
Result<std::vector<Endpoint>> resolve(const Address& address);

}  // namespace outboard::transport
