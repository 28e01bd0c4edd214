// Makes the connection that a session runs on.
#pragma once

#include <chrono>
#include <string>

#include "client-lib/session/client.h"
#include "protocol/base/limits.h"
#include "protocol/base/result.h"
#include "protocol/wire/handshake.h"

namespace outboard::client {

struct ConnectSettings {
  std::string address;         // as users write it, see protocol/transport/address.h
  std::string address_source;  // where it came from, for messages: "the variable OUTBOARD_SERVER"
  std::chrono::milliseconds timeout = limits::kConnectTime;  // for the connection itself
  // For the answer to the hello, which may take as long as a driver needs to start.
  std::chrono::milliseconds welcome_timeout = limits::kWelcomeTime;
  wire::LeaseTerms lease;  // what to ask for
  wire::SessionPurpose purpose = wire::SessionPurpose::kSession;
};

// Connects and greets. Errors are whole sentences for the user: which server was tried, where that
// setting came from, what went wrong and what to do about it.
Result<Connection> connect_to_server(const ConnectSettings& settings);

// This process's name, as the server will show it.
std::string process_name();

}  // namespace outboard::client
