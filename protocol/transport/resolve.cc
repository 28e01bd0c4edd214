#include "protocol/transport/resolve.h"

#include <cstring>

#include <sys/un.h>
#include <asio/io_context.hpp>
#include <asio/ip/tcp.hpp>

#include "protocol/base/bytes.h"

namespace outboard::transport {
namespace {

Endpoint unix_endpoint(const std::string& path) {
  Endpoint out;
  auto& address = reinterpret_cast<sockaddr_un&>(out.address);
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.data(), path.size());  // parse_address checked the length
  out.address_bytes = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + 1);
  return out;
}

}  // namespace

Result<std::vector<Endpoint>> resolve(const Address& address) {
  if (address.kind == Address::Kind::kUnix) {
    if (address.path.size() >= sizeof(sockaddr_un::sun_path)) {
      return fail(ErrorKind::kInvalidArgument,
                  text("The path of ", address.text(), " is too long for a unix socket."));
    }
    return std::vector<Endpoint>{unix_endpoint(address.path)};
  }
  asio::io_context context(1);
  asio::ip::tcp::resolver resolver(context);
  asio::error_code error;
  const auto found = resolver.resolve(address.host, std::to_string(address.port),
                                      asio::ip::resolver_base::numeric_service, error);
  std::vector<Endpoint> out;
  for (const auto& entry : found) {
    Endpoint endpoint;
    const auto& native = entry.endpoint();
    std::memcpy(&endpoint.address, native.data(), native.size());
    endpoint.address_bytes = static_cast<socklen_t>(native.size());
    out.push_back(endpoint);
  }
  if (out.empty()) {
    return fail(ErrorKind::kNotFound,
                text("The host '", address.host, "' of the server address ", address.text(),
                     " is not known: ", error ? error.message() : "it has no address", "."));
  }
  return out;
}

}  // namespace outboard::transport
