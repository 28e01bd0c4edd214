// Makes connections from addresses.
#pragma once

#include <chrono>
#include <memory>
#include <string_view>

#include "protocol/base/limits.h"
#include "protocol/transport/address.h"
#include "protocol/transport/transport.h"

namespace outboard::transport {

class LoopbackNetwork;

struct ConnectOptions {
  std::chrono::milliseconds timeout = limits::kConnectTime;
  LoopbackNetwork* loopback = nullptr;  // where loopback:NAME is looked up; null: nowhere
};

// Blocks for at most about `options.timeout` (resolving a host name may take longer). TCP
// connections send small packets at once (TCP_NODELAY) and notice a dead peer within a minute while
// idle (keep-alive). kNotFound when the host or socket does not exist, kDisconnected when nobody
// answers there, kPermissionDenied when the file system forbids it.
Result<std::unique_ptr<Transport>> connect(const Address& address, const ConnectOptions& options = {});
Result<std::unique_ptr<Transport>> connect(std::string_view address, const ConnectOptions& options = {});

// A unix socket's file is created for the owner only (0600), replaces one that a dead server left,
// and is removed by close(). kInvalidArgument or kOverloaded (in use) otherwise.
Result<std::unique_ptr<Listener>> listen(const Address& address, LoopbackNetwork* loopback = nullptr);
Result<std::unique_ptr<Listener>> listen(std::string_view address, LoopbackNetwork* loopback = nullptr);

}  // namespace outboard::transport
