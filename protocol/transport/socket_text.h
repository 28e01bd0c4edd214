// Socket addresses as people write them.
#pragma once

#include <sys/socket.h>
#include <string>

namespace outboard::transport {

// "127.0.0.1:7070", "[::1]:7070", "/run/x.sock"; empty for an unnamed unix socket.
std::string socket_address_text(const sockaddr_storage& address, socklen_t address_bytes);

// "tcp 127.0.0.1:7070" (the peer), "unix /run/x.sock" (whichever end has a name).
std::string connection_text(int fd);

}  // namespace outboard::transport
