// Asks a server who it is and what devices it has, without starting a session.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "pooling/cli/private_server.h"
#include "protocol/base/config.h"
#include "protocol/base/result.h"
#include "protocol/wire/handshake.h"

namespace outboard::cli {

struct ServerAnswer {
  std::string transport;  // "tcp 127.0.0.1:7070"
  wire::WelcomeInfo welcome;
  std::chrono::microseconds took{};  // connecting, greeting and the server's own start of a worker
};

Result<ServerAnswer> query_server(const std::string& address, const ClientConfig& config);

// --driver is for private servers only: kInvalidArgument when another one was named.
Status check_driver_choice(const ClientConfig& config, const std::optional<std::string>& driver);

// The server that a command talks to: the one that was named, or a private one that ends with
// this object. Member order matters: the server ends before its folder is removed.
struct ServerInUse {
  std::string address;
  std::optional<PrivateFolder> folder;
  std::unique_ptr<PrivateServer> private_server;  // null: a named server
};
Result<ServerInUse> named_or_private_server(const ClientConfig& config,
                                            const std::optional<std::string>& driver,
                                            const std::optional<std::string>& log_level,
                                            SignalQueue& signals);

// What the server says that a command with these options talks to; a private one has ended when this
// returns.
Result<ServerAnswer> ask_server(const std::optional<std::string>& server,
                                const std::optional<std::string>& driver);

}  // namespace outboard::cli
