#include "protocol/transport/address.h"

#include <arpa/inet.h>

#include "protocol/base/bytes.h"

namespace outboard::transport {
namespace {

constexpr size_t kMostUnixPathBytes = 107;  // sun_path of unix(7), with its final zero byte
constexpr size_t kMostHostBytes = 253;      // of a DNS name, RFC 1035

tl::unexpected<Error> bad(std::string_view given, const std::string& what) {
  return fail(ErrorKind::kInvalidArgument,
              text("'", printable(given, 300), "' is not a server address: ", what,
                   " Write HOST:PORT, [IPV6]:PORT, unix:PATH or loopback:NAME."));
}

Result<Address> parse_tcp(std::string_view given) {
  const size_t colon = given.rfind(':');
  if (colon == std::string_view::npos) return bad(given, "the port is missing.");
  std::string_view host = given.substr(0, colon);
  const auto port = parse_number(given.substr(colon + 1), 0, 65535);
  if (!port) return bad(given, "its port must be a number from 0 to 65535.");
  if (host.starts_with('[') && host.ends_with(']')) {
    host = host.substr(1, host.size() - 2);
    in6_addr ignored;
    if (inet_pton(AF_INET6, std::string(host).c_str(), &ignored) != 1)
      return bad(given, "what is in brackets is no IPv6 address.");
  } else if (host.find(':') != std::string_view::npos) {
    return bad(given, "an IPv6 address stands in brackets.");
  }
  if (host.empty()) host = "localhost";
  if (host.size() > kMostHostBytes) return bad(given, "the host name is too long.");
  for (const char c : host) {
    if (c <= ' ' || c > '~' || c == '/' || c == '[' || c == ']')
      return bad(given, "the host name has a character that no host name has.");
  }
  return Address{Address::Kind::kTcp, std::string(host), static_cast<uint16_t>(*port), {}};
}

Result<Address> parse_unix(std::string_view given, std::string_view path) {
  if (path.empty()) return bad(given, "the path is missing.");
  if (path.size() > kMostUnixPathBytes) {
    return bad(given,
               text("its path has ", path.size(), " bytes, and the kernel allows ", kMostUnixPathBytes, "."));
  }
  if (path.find('\0') != std::string_view::npos) return bad(given, "its path has a zero byte.");
  return Address{Address::Kind::kUnix, {}, 0, std::string(path)};
}

}  // namespace

std::string Address::text() const {
  switch (kind) {
    case Kind::kUnix: return "unix:" + path;
    case Kind::kLoopback: return "loopback:" + path;
    case Kind::kTcp: break;
  }
  const bool is_ipv6 = host.find(':') != std::string::npos;
  return is_ipv6 ? outboard::text('[', host, "]:", port) : outboard::text(host, ':', port);
}

bool Address::is_local() const {
  if (kind != Kind::kTcp || host == "localhost") return true;
  in_addr v4;
  if (inet_pton(AF_INET, host.c_str(), &v4) == 1) return (ntohl(v4.s_addr) >> 24) == 127;
  in6_addr v6;
  return inet_pton(AF_INET6, host.c_str(), &v6) == 1 && IN6_IS_ADDR_LOOPBACK(&v6);
}

Result<Address> parse_address(std::string_view given) {
  constexpr std::string_view kUnix = "unix:";
  constexpr std::string_view kLoopback = "loopback:";
  if (given.empty()) return bad(given, "it is empty.");
  if (given.starts_with(kUnix)) return parse_unix(given, given.substr(kUnix.size()));
  if (given.starts_with(kLoopback)) {
    return Address{Address::Kind::kLoopback, {}, 0, std::string(given.substr(kLoopback.size()))};
  }
  return parse_tcp(given);
}

}  // namespace outboard::transport
