// Where a server is, as users write it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "protocol/base/result.h"

namespace outboard::transport {

// Accepted texts:
//   HOST:PORT, [IPV6]:PORT   TCP; a host name is resolved when connecting; ":PORT" is localhost
//   unix:PATH                a unix socket; PATH is at most 107 bytes (the kernel's sockaddr_un)
//   loopback:NAME            inside one process, through a LoopbackNetwork
struct Address {
  enum class Kind { kTcp, kUnix, kLoopback };
  Kind kind = Kind::kTcp;
  std::string host;   // kTcp, without brackets
  uint16_t port = 0;  // kTcp; 0 only makes sense for listening: the system chooses
  std::string path;   // kUnix: the path; kLoopback: the name

  std::string text() const;  // parse_address(text()) gives the same address
  // Whether only processes of this machine can be at the other end. "localhost" counts, other
  // names do not: who they are is decided elsewhere.
  bool is_local() const;
};

// kInvalidArgument with the text, what is wrong with it and the accepted forms.
Result<Address> parse_address(std::string_view text);

}  // namespace outboard::transport
