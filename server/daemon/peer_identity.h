// Who is at the other end of a local connection, according to the kernel.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "protocol/base/result.h"

namespace outboard::server {

struct PeerIdentity {
  uid_t uid = 0;
  std::optional<pid_t> pid;  // unix sockets only
};

// Asks the kernel: SO_PEERCRED of a unix socket, the owner of the peer's socket in /proc/net/tcp
// for a TCP connection within this machine. kPermissionDenied when the peer cannot be identified,
// which is always so for a peer on another machine.
Result<PeerIdentity> identify_peer(int socket_fd);

// One end of a TCP connection as /proc/net/tcp{,6} prints it: hexadecimal address, colon, port.
// Finds the uid column of the line whose local address is `local` and remote address is `remote`.
std::optional<uid_t> find_socket_owner(std::string_view proc_net_table, std::string_view local,
                                       std::string_view remote);

// The peer may use this server if its uid is the server's own, root's, or in the list.
Status check_peer_allowed(const PeerIdentity& peer, uid_t own_uid, std::span<const uid_t> allowed);

// Until there are tokens and TLS, a server is reachable from its own machine only: unix sockets and
// loopback addresses. Everything else is refused with a sentence that says what to do instead.
Status check_listen_address(std::string_view address);

}  // namespace outboard::server
