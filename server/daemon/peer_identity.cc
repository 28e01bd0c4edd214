#include "server/daemon/peer_identity.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <sstream>

#include "protocol/transport/address.h"

namespace outboard::server {
namespace {

// /proc/net/tcp prints each 32-bit word of the address in host byte order, the port in network's.
std::string proc_address(const sockaddr_storage& address) {
  char text[64];
  if (address.ss_family == AF_INET) {
    sockaddr_in in{};
    std::memcpy(&in, &address, sizeof in);
    std::snprintf(text, sizeof text, "%08X:%04X", in.sin_addr.s_addr, ntohs(in.sin_port));
  } else {
    sockaddr_in6 in6{};
    std::memcpy(&in6, &address, sizeof in6);
    uint32_t words[4];
    std::memcpy(words, &in6.sin6_addr, sizeof words);
    std::snprintf(text, sizeof text, "%08X%08X%08X%08X:%04X", words[0], words[1], words[2], words[3],
                  ntohs(in6.sin6_port));
  }
  return text;
}

Result<PeerIdentity> unix_peer(int fd) {
  ucred credentials{};
  socklen_t length = sizeof credentials;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &length) != 0) {
    return fail(
        ErrorKind::kPermissionDenied,
        std::string("The peer of a unix socket could not be identified: ") + std::strerror(errno) + ".");
  }
  return PeerIdentity{credentials.uid, credentials.pid};
}

std::string_view take_field(std::string_view& line) {
  const size_t start = line.find_first_not_of(' ');
  if (start == std::string_view::npos) return {};
  const size_t end = std::min(line.find(' ', start), line.size());
  std::string_view field = line.substr(start, end - start);
  line.remove_prefix(end);
  return field;
}

}  // namespace

std::optional<uid_t> find_socket_owner(std::string_view table, std::string_view local,
                                       std::string_view remote) {
  // Columns: slot, local address, remote address, state, queues, timer, retransmits, uid, ...
  constexpr int kUidColumn = 7;
  while (!table.empty()) {
    const size_t end = std::min(table.find('\n'), table.size());
    std::string_view line = table.substr(0, end);
    table.remove_prefix(std::min(end + 1, table.size()));
    take_field(line);
    if (take_field(line) != local || take_field(line) != remote) continue;
    std::string_view field;
    for (int column = 3; column <= kUidColumn; ++column) field = take_field(line);
    uid_t uid = 0;
    if (field.empty()) return std::nullopt;
    for (char digit : field) {
      if (digit < '0' || digit > '9') return std::nullopt;
      uid = uid * 10 + static_cast<uid_t>(digit - '0');
    }
    return uid;
  }
  return std::nullopt;
}

Result<PeerIdentity> identify_peer(int fd) {
  sockaddr_storage own{};
  sockaddr_storage peer{};
  socklen_t own_length = sizeof own;
  socklen_t peer_length = sizeof peer;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&own), &own_length) != 0 ||
      getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &peer_length) != 0) {
    return fail(
        ErrorKind::kPermissionDenied,
        std::string("The peer of a connection could not be identified: ") + std::strerror(errno) + ".");
  }
  if (own.ss_family == AF_UNIX) return unix_peer(fd);
  const char* table_path = own.ss_family == AF_INET ? "/proc/net/tcp" : "/proc/net/tcp6";
  std::ifstream file(table_path);
  std::stringstream table;
  table << file.rdbuf();
  // The peer's line: what is local to it is remote to us.
  const auto uid = find_socket_owner(table.str(), proc_address(peer), proc_address(own));
  if (!uid) {
    return fail(ErrorKind::kPermissionDenied,
                std::string("The owner of a TCP connection is not in ") + table_path +
                    ": the peer is not a process of this machine, or it is gone.");
  }
  return PeerIdentity{*uid, std::nullopt};
}

Status check_peer_allowed(const PeerIdentity& peer, uid_t own_uid, std::span<const uid_t> allowed) {
  if (peer.uid == own_uid || peer.uid == 0) return {};
  if (std::find(allowed.begin(), allowed.end(), peer.uid) != allowed.end()) return {};
  return fail(ErrorKind::kPermissionDenied,
              "This server belongs to the user with id " + std::to_string(own_uid) +
                  " and does not serve user id " + std::to_string(peer.uid) +
                  "; its operator can allow that user with --allow-uid " + std::to_string(peer.uid) + ".");
}

Status check_listen_address(std::string_view address) {
  const auto parsed = transport::parse_address(address);
  if (!parsed) return fail(parsed);
  if (parsed->kind != transport::Address::Kind::kLoopback && parsed->is_local()) return {};
  return fail(
      ErrorKind::kPermissionDenied,
      "outboard-server does not listen on \"" + std::string(address) +
          "\": without authentication it serves this machine only, through unix:/PATH, 127.0.0.1:PORT, "
          "[::1]:PORT or localhost:PORT. To reach it from another machine, listen on a loopback address and "
          "forward the port, for example with `ssh -L 7070:127.0.0.1:7070 THIS_MACHINE`.");
}

}  // namespace outboard::server
