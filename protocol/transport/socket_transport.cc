// TCP and unix sockets. Asio does the calls, always blocking on the thread that asks: there is no
// io_context running anywhere, so a client library brings no thread of ours for it.
#include <algorithm>
#include <array>
#include <atomic>
#include <memory>

#include <poll.h>
#include <sys/un.h>
#include <asio/generic/stream_protocol.hpp>
#include <asio/io_context.hpp>

#include "protocol/base/bytes.h"
#include "protocol/transport/socket_options.h"
#include "protocol/transport/socket_text.h"
#include "protocol/transport/transport.h"

namespace outboard::transport {
namespace {

// Pieces per gather write; a frame has three and its bulk pieces. The kernel takes up to 1024.
constexpr size_t kMostPieces = 64;

class SocketTransport final : public Transport {
 public:
  explicit SocketTransport(std::string description)
      : description_(std::move(description)), socket_(context_) {}
  ~SocketTransport() override { shutdown(); }

  Status assign(int family, int fd) {
    asio::error_code error;
    socket_.assign(asio::generic::stream_protocol(family, 0), fd, error);
    if (!error) return {};
    ::close(fd);
    return fail(ErrorKind::kInternal,
                text("A socket (", description_, ") could not be taken over: ", error.message(), "."));
  }

  Status send(std::span<const ConstBuffer> pieces) override {
    size_t piece = 0;   // the first that is not sent completely
    size_t offset = 0;  // what of it is sent
    while (piece < pieces.size()) {
      std::array<asio::const_buffer, kMostPieces> gathered;
      size_t count = 0;
      for (size_t i = piece; i < pieces.size() && count < kMostPieces; ++i) {
        const auto rest = pieces[i].subspan(i == piece ? offset : 0);
        if (!rest.empty()) gathered[count++] = asio::const_buffer(rest.data(), rest.size());
      }
      if (count == 0) return {};
      asio::error_code error;
      size_t sent = socket_.write_some(std::span<const asio::const_buffer>(gathered.data(), count), error);
      send_calls_.fetch_add(1, std::memory_order_relaxed);
      if (error == asio::error::interrupted) continue;
      if (error) return broken("sending to", error);
      sent_bytes_.fetch_add(sent, std::memory_order_relaxed);
      for (; piece < pieces.size() && sent >= pieces[piece].size() - offset; ++piece, offset = 0) {
        sent -= pieces[piece].size() - offset;
      }
      offset += sent;
    }
    return {};
  }

  Result<size_t> receive(std::span<std::byte> into) override {
    for (;;) {
      if (deadline_ != kNoDeadline) {
        if (auto status = wait_readable(); !status) return fail(status);
      }
      asio::error_code error;
      const size_t got = socket_.read_some(asio::buffer(into.data(), into.size()), error);
      receive_calls_.fetch_add(1, std::memory_order_relaxed);
      if (error == asio::error::interrupted) continue;
      if (error == asio::error::eof) return size_t{0};
      if (error) return fail(broken("receiving from", error));
      received_bytes_.fetch_add(got, std::memory_order_relaxed);
      return got;
    }
  }

  void set_receive_deadline(SteadyTime deadline) override { deadline_ = deadline; }

  void shutdown() override {
    asio::error_code ignored;  // "not connected" is what we want
    socket_.shutdown(asio::socket_base::shutdown_both, ignored);
  }

  TransportCounts counts() const override {
    return {sent_bytes_, received_bytes_, send_calls_, receive_calls_};
  }
  std::string description() const override { return description_; }
  int native_handle() const override {
    return const_cast<asio::generic::stream_protocol::socket&>(socket_)
        .native_handle();  // Asio has no const one
  }

 private:
  Status broken(const char* doing, const asio::error_code& error) const {
    return fail(ErrorKind::kDisconnected, text("The connection broke while ", doing, " the peer (",
                                               description_, "): ", error.message(), "."));
  }

  Status wait_readable() {
    for (;;) {
      const auto left =
          std::chrono::ceil<std::chrono::milliseconds>(deadline_ - std::chrono::steady_clock::now());
      pollfd entry{native_handle(), POLLIN, 0};
      const auto wait_ms = std::clamp<int64_t>(left.count(), 0, 60'000);
      const int ready = ::poll(&entry, 1, static_cast<int>(wait_ms));
      if (ready > 0) return {};
      if (ready < 0 && errno != EINTR) {
        return fail(ErrorKind::kInternal,
                    text("Waiting for the peer (", description_, ") failed: ", errno_text(errno), "."));
      }
      if (std::chrono::steady_clock::now() >= deadline_) {
        return fail(ErrorKind::kDisconnected,
                    text("Nothing came from the peer (", description_, ") before the deadline."));
      }
    }
  }

  const std::string description_;
  asio::io_context context_{1};
  asio::generic::stream_protocol::socket socket_;
  SteadyTime deadline_ = kNoDeadline;
  std::atomic<uint64_t> sent_bytes_{0};
  std::atomic<uint64_t> received_bytes_{0};
  std::atomic<uint64_t> send_calls_{0};
  std::atomic<uint64_t> receive_calls_{0};
};

}  // namespace

Result<std::unique_ptr<Transport>> adopt_socket(int fd) {
  sockaddr_storage local{};
  socklen_t local_bytes = sizeof local;
  int type = 0;
  socklen_t type_bytes = sizeof type;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&local), &local_bytes) != 0 ||
      ::getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &type_bytes) != 0 || type != SOCK_STREAM ||
      (local.ss_family != AF_INET && local.ss_family != AF_INET6 && local.ss_family != AF_UNIX)) {
    const int error = errno;
    FileDescriptor(fd).reset();
    return fail(ErrorKind::kInvalidArgument,
                text("Descriptor ", fd, " is not a TCP or unix stream socket (", errno_text(error), ")."));
  }
  set_close_on_exec(fd);
  set_blocking(fd);
  if (local.ss_family != AF_UNIX) set_tcp_options(fd);
  auto transport = std::make_unique<SocketTransport>(connection_text(fd));
  if (auto status = transport->assign(local.ss_family, fd); !status) return fail(status);
  return transport;
}

}  // namespace outboard::transport
