// A connection between a client and a server, and the thing that makes them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "protocol/base/clock.h"
#include "protocol/base/result.h"

namespace outboard::transport {

// Counts since the connection was made; readable from any thread while others send and receive.
struct TransportCounts {
  uint64_t bytes_sent = 0;
  uint64_t bytes_received = 0;
  uint64_t send_calls = 0;     // system calls (or ring operations) that sent
  uint64_t receive_calls = 0;  // likewise, that received
};

using ConstBuffer = std::span<const std::byte>;

// A reliable, ordered, bidirectional byte stream.
// Threads: one sender and one receiver at a time; shutdown() and counts() from any thread.
class Transport {
 public:
  virtual ~Transport() = default;

  // Sends every piece, in order, as one gather write where the medium has one. Blocks until the
  // medium took all bytes. kDisconnected when the peer is gone.
  virtual Status send(std::span<const ConstBuffer> pieces) = 0;

  // Blocks until at least one byte is there and returns how many were written to `into`;
  // 0 means that the peer closed in order. `into` must not be empty.
  virtual Result<size_t> receive(std::span<std::byte> into) = 0;

  // From now on receive() gives kDisconnected when nothing has come before `deadline`;
  // kNoDeadline, the default, waits for ever. Called by the receiving thread.
  virtual void set_receive_deadline(SteadyTime deadline) = 0;
  static constexpr SteadyTime kNoDeadline = SteadyTime::max();

  // Ends both directions; blocked calls on both sides return. Idempotent.
  virtual void shutdown() = 0;

  virtual TransportCounts counts() const = 0;

  // For people: "tcp 127.0.0.1:7070", "unix /run/x.sock", "loopback".
  virtual std::string description() const = 0;

  // The socket underneath, still owned by the transport; -1 where there is none. The daemon asks
  // the kernel who is at the other end, and passes the connection on to a worker process.
  virtual int native_handle() const { return -1; }
};

class Listener {
 public:
  virtual ~Listener() = default;
  // Blocks until a peer connects. kDisconnected after close().
  virtual Result<std::unique_ptr<Transport>> accept() = 0;
  virtual void close() = 0;
  virtual std::string address() const = 0;  // with the port that the system chose
  // Becomes readable when somebody connects; still owned by the listener; -1 where there is none.
  virtual int native_handle() const { return -1; }
};

// A transport over a connected stream socket (TCP or unix) that someone else accepted or made, for
// example a worker process on the descriptor that its daemon gave it. Takes ownership of `fd`, also
// when it fails.
Result<std::unique_ptr<Transport>> adopt_socket(int fd);

// Receives exactly `into.size()` bytes; kDisconnected if the stream ends before.
Status receive_exactly(Transport& transport, std::span<std::byte> into);

}  // namespace outboard::transport
