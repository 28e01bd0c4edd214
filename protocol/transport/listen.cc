#include <algorithm>
#include <mutex>

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/stat.h>

#include "protocol/base/bytes.h"
#include "protocol/transport/connect.h"
#include "protocol/transport/loopback.h"
#include "protocol/transport/resolve.h"
#include "protocol/transport/socket_options.h"
#include "protocol/transport/socket_text.h"

namespace outboard::transport {
namespace {

class SocketListener final : public Listener {
 public:
  SocketListener(FileDescriptor socket, FileDescriptor closing, Address address)
      : socket_(std::move(socket)), closing_(std::move(closing)), address_(std::move(address)) {
    struct stat file{};
    if (address_.kind == Address::Kind::kUnix && ::stat(address_.path.c_str(), &file) == 0)
      inode_ = file.st_ino;
  }
  ~SocketListener() override { close(); }

  Result<std::unique_ptr<Transport>> accept() override {
    for (;;) {
      pollfd entries[2] = {{socket_.get(), POLLIN, 0}, {closing_.get(), POLLIN, 0}};
      if (::poll(entries, 2, -1) < 0 && errno != EINTR) return failed(errno);
      if (entries[1].revents != 0) {
        return fail(ErrorKind::kDisconnected, text("The listener at ", address(), " was closed."));
      }
      // The socket is non-blocking: a peer that gave up meanwhile must not leave us waiting.
      const int fd = ::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC);
      if (fd >= 0) return adopt_socket(fd);
      const bool passing = errno == EAGAIN || errno == EINTR || errno == ECONNABORTED || errno == EPROTO;
      if (!passing) return failed(errno);
    }
  }

  // The descriptors stay until destruction, because another thread may be about to use them.
  void close() override {
    const std::lock_guard lock(mutex_);
    if (closed_) return;
    closed_ = true;
    const uint64_t one = 1;
    [[maybe_unused]] const auto ignored = ::write(closing_.get(), &one, sizeof one);
    ::shutdown(socket_.get(), SHUT_RDWR);  // peers are refused from now on
    struct stat file{};
    const bool is_ours = inode_ != 0 && ::stat(address_.path.c_str(), &file) == 0 && file.st_ino == inode_;
    if (is_ours) ::unlink(address_.path.c_str());
  }

  std::string address() const override { return address_.text(); }
  int native_handle() const override { return socket_.get(); }

 private:
  tl::unexpected<Error> failed(int error) const {
    const bool passing = error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
    return fail(passing ? ErrorKind::kOverloaded : ErrorKind::kInternal,
                text("A connection to ", address(), " could not be accepted: ", errno_text(error), "."));
  }

  const FileDescriptor socket_;
  const FileDescriptor closing_;  // an eventfd
  const Address address_;
  ino_t inode_ = 0;  // of the unix socket's file, so that a successor's is left alone
  std::mutex mutex_;
  bool closed_ = false;
};

tl::unexpected<Error> cannot_listen(const Address& address, int error) {
  ErrorKind kind = ErrorKind::kInvalidArgument;
  if (error == EADDRINUSE) kind = ErrorKind::kOverloaded;
  if (error == EACCES || error == EPERM) kind = ErrorKind::kPermissionDenied;
  if (error == ENOENT) kind = ErrorKind::kNotFound;
  return fail(kind, text("The server cannot listen at ", address.text(), ": ", errno_text(error), "."));
}

// A server that was killed leaves its socket's file, and bind() fails on it. Removes the file if it
// is a socket at which nobody listens.
bool remove_stale_socket(const Address& address) {
  struct stat file{};
  if (::lstat(address.path.c_str(), &file) != 0 || !S_ISSOCK(file.st_mode)) return false;
  const auto answer = connect(address, ConnectOptions{.timeout = std::chrono::milliseconds(500)});
  if (answer || answer.error().kind != ErrorKind::kDisconnected) return false;
  return ::unlink(address.path.c_str()) == 0;
}

// 0 or an errno.
int bind_to(int fd, const Endpoint& endpoint, const Address& address) {
  if (address.kind == Address::Kind::kTcp) {
    const int yes = 1;  // else a restarted server waits for the old connections' TIME_WAIT
    ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    return ::bind(fd, endpoint.get(), endpoint.address_bytes) == 0 ? 0 : errno;
  }
  ::fchmod(fd, 0600);  // before bind: the file is never open to others
  if (::bind(fd, endpoint.get(), endpoint.address_bytes) == 0) return 0;
  const int error = errno;
  if (error != EADDRINUSE || !remove_stale_socket(address)) return error;
  return ::bind(fd, endpoint.get(), endpoint.address_bytes) == 0 ? 0 : errno;
}

uint16_t bound_port(int fd) {
  sockaddr_storage bound{};
  socklen_t bound_bytes = sizeof bound;
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&bound), &bound_bytes);
  // The port lies at the same place for both families.
  return ntohs(reinterpret_cast<const sockaddr_in&>(bound).sin_port);
}

Result<std::unique_ptr<Listener>> listen_socket(Address address) {
  const auto endpoints = resolve(address);
  if (!endpoints) return fail(endpoints);
  // "localhost" may mean ::1 first; a client that writes 127.0.0.1 must find the server, too.
  const auto not_ipv6 = std::find_if(endpoints->begin(), endpoints->end(),
                                     [](const Endpoint& each) { return each.address.ss_family != AF_INET6; });
  const Endpoint& endpoint = not_ipv6 == endpoints->end() ? endpoints->front() : *not_ipv6;
  FileDescriptor fd(::socket(endpoint.address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  FileDescriptor closing(::eventfd(0, EFD_CLOEXEC));
  if (!fd.valid() || !closing.valid()) return cannot_listen(address, errno);
  if (const int error = bind_to(fd.get(), endpoint, address); error != 0)
    return cannot_listen(address, error);
  if (::listen(fd.get(), limits::kListenBacklog) != 0) return cannot_listen(address, errno);
  if (address.kind == Address::Kind::kTcp) address.port = bound_port(fd.get());
  return std::make_unique<SocketListener>(std::move(fd), std::move(closing), std::move(address));
}

}  // namespace

Result<std::unique_ptr<Listener>> listen(const Address& address, LoopbackNetwork* loopback) {
  if (address.kind != Address::Kind::kLoopback) return listen_socket(address);
  if (loopback == nullptr) {
    return fail(ErrorKind::kInvalidArgument,
                text("The address ", address.text(),
                     " only means something inside a process that has both ends (a test)."));
  }
  return loopback->listen(address.path);
}

Result<std::unique_ptr<Listener>> listen(std::string_view address, LoopbackNetwork* loopback) {
  const auto parsed = parse_address(address);
  if (!parsed) return fail(parsed);
  return listen(*parsed, loopback);
}

}  // namespace outboard::transport
