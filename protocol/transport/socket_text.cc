#include "protocol/transport/socket_text.h"

#include <algorithm>
#include <cstddef>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

#include "protocol/base/bytes.h"

namespace outboard::transport {

std::string socket_address_text(const sockaddr_storage& address, socklen_t address_bytes) {
  char buffer[INET6_ADDRSTRLEN] = "";
  if (address.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
    ::inet_ntop(AF_INET, &v4.sin_addr, buffer, sizeof buffer);
    return text(buffer, ':', ntohs(v4.sin_port));
  }
  if (address.ss_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address);
    ::inet_ntop(AF_INET6, &v6.sin6_addr, buffer, sizeof buffer);
    return text('[', buffer, "]:", ntohs(v6.sin6_port));
  }
  if (address.ss_family != AF_UNIX || address_bytes <= offsetof(sockaddr_un, sun_path)) return {};
  const auto& local = reinterpret_cast<const sockaddr_un&>(address);
  const size_t room =
      std::min<size_t>(address_bytes - offsetof(sockaddr_un, sun_path), sizeof local.sun_path);
  return {local.sun_path, std::find(local.sun_path, local.sun_path + room, '\0')};
}

std::string connection_text(int fd) {
  sockaddr_storage peer{};
  sockaddr_storage local{};
  socklen_t peer_bytes = sizeof peer;
  socklen_t local_bytes = sizeof local;
  ::getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &peer_bytes);
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&local), &local_bytes);
  const std::string peer_text = socket_address_text(peer, peer_bytes);
  if (local.ss_family != AF_UNIX) return "tcp " + peer_text;
  const std::string name = peer_text.empty() ? socket_address_text(local, local_bytes) : peer_text;
  return name.empty() ? "unix socket" : "unix " + name;
}

}  // namespace outboard::transport
