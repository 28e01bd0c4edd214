#include "protocol/transport/connect.h"

#include <optional>

#include <asio/generic/stream_protocol.hpp>
#include <asio/io_context.hpp>

#include "protocol/base/bytes.h"
#include "protocol/base/clock.h"
#include "protocol/transport/loopback.h"
#include "protocol/transport/resolve.h"
#include "protocol/transport/socket_options.h"
#include "protocol/transport/socket_text.h"

namespace outboard::transport {
namespace {

ErrorKind kind_of(int error) {
  if (error == ENOENT) return ErrorKind::kNotFound;
  if (error == EACCES || error == EPERM) return ErrorKind::kPermissionDenied;
  return ErrorKind::kDisconnected;
}

FileDescriptor make_socket(int family) {
  return FileDescriptor(::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
}

// 0 or an errno. A unix socket connects at once unless the server's queue is full; then the kernel
// waits for as long as the send timeout says.
int connect_unix(int fd, const Endpoint& endpoint, SteadyTime deadline) {
  for (;;) {
    const auto left =
        std::chrono::duration_cast<std::chrono::microseconds>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) return ETIMEDOUT;
    timeval wait{left.count() / 1'000'000, left.count() % 1'000'000};
    ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
    if (::connect(fd, endpoint.get(), endpoint.address_bytes) == 0) break;
    if (errno == EAGAIN) return ETIMEDOUT;
    if (errno != EINTR) return errno;
  }
  const timeval for_ever{};
  ::setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &for_ever, sizeof for_ever);
  return 0;
}

// 0 or an errno. Asio's asynchronous connect, run on this thread until it is done or late.
int connect_tcp(int fd, const Endpoint& endpoint, SteadyTime deadline) {
  asio::io_context context(1);
  asio::generic::stream_protocol::socket socket(context);
  asio::error_code error;
  socket.assign(asio::generic::stream_protocol(endpoint.address.ss_family, IPPROTO_TCP), fd, error);
  if (error) return error.value();
  std::optional<asio::error_code> outcome;
  socket.async_connect(asio::generic::stream_protocol::endpoint(endpoint.get(), endpoint.address_bytes),
                       [&outcome](const asio::error_code& result) { outcome = result; });
  context.run_until(deadline);
  const bool late = !outcome.has_value();
  asio::error_code ignored;
  if (late) {
    socket.cancel(ignored);
    context.restart();
    context.run();  // the handler refers to this frame
  }
  socket.release(ignored);
  return late ? ETIMEDOUT : outcome->value();
}

// TCP to this machine may connect to itself: when nobody listens at a port of the range from which
// the kernel picks source ports, both ends can come out the same.
bool connected_to_itself(int fd) {
  sockaddr_storage local{};
  sockaddr_storage peer{};
  socklen_t local_bytes = sizeof local;
  socklen_t peer_bytes = sizeof peer;
  return ::getsockname(fd, reinterpret_cast<sockaddr*>(&local), &local_bytes) == 0 &&
         ::getpeername(fd, reinterpret_cast<sockaddr*>(&peer), &peer_bytes) == 0 &&
         socket_address_text(local, local_bytes) == socket_address_text(peer, peer_bytes);
}

Result<std::unique_ptr<Transport>> connect_socket(const Address& address, std::chrono::milliseconds timeout) {
  const auto endpoints = resolve(address);
  if (!endpoints) return fail(endpoints);
  const SteadyTime deadline = std::chrono::steady_clock::now() + timeout;
  const bool is_unix = address.kind == Address::Kind::kUnix;
  int error = 0;
  for (const Endpoint& endpoint : *endpoints) {
    FileDescriptor fd = make_socket(endpoint.address.ss_family);
    if (!fd.valid()) {
      error = errno;
      continue;
    }
    error = is_unix ? connect_unix(fd.get(), endpoint, deadline) : connect_tcp(fd.get(), endpoint, deadline);
    if (error == 0 && !is_unix && connected_to_itself(fd.get())) error = ECONNREFUSED;
    if (error == 0) return adopt_socket(fd.release());
  }
  if (error == ETIMEDOUT) {
    return fail(ErrorKind::kDisconnected,
                text("No server answered at ", address.text(), " within ", timeout.count(), " ms."));
  }
  return fail(kind_of(error),
              text("No server can be reached at ", address.text(), ": ", errno_text(error), "."));
}

}  // namespace

Result<std::unique_ptr<Transport>> connect(const Address& address, const ConnectOptions& options) {
  if (address.kind != Address::Kind::kLoopback) return connect_socket(address, options.timeout);
  if (options.loopback == nullptr) {
    return fail(ErrorKind::kInvalidArgument,
                text("The address ", address.text(),
                     " only means something inside a process that has both ends (a test)."));
  }
  return options.loopback->connect(address.path);
}

Result<std::unique_ptr<Transport>> connect(std::string_view address, const ConnectOptions& options) {
  const auto parsed = parse_address(address);
  if (!parsed) return fail(parsed);
  return connect(*parsed, options);
}

}  // namespace outboard::transport
