#include "protocol/transport/loopback.h"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <optional>
#include <vector>

#include "protocol/base/bytes.h"

namespace outboard::transport {
namespace {

// One direction: a ring of bytes. The sender closes it after its last byte; either side breaks it.
class Pipe {
 public:
  explicit Pipe(size_t capacity_bytes) : ring_(std::max<size_t>(capacity_bytes, 1)) {}

  // False when the pipe is closed.
  bool write(ConstBuffer piece, std::atomic<uint64_t>& sent_bytes) {
    while (!piece.empty()) {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return closed_ || used_ < ring_.size(); });
      if (closed_) return false;
      const size_t end = (begin_ + used_) % ring_.size();
      const size_t n = std::min({piece.size(), ring_.size() - used_, ring_.size() - end});
      std::memcpy(ring_.data() + end, piece.data(), n);
      used_ += n;
      sent_bytes += n;
      piece = piece.subspan(n);
      changed_.notify_all();
    }
    return true;
  }

  // Bytes read; 0 when closed and drained; nothing when the deadline passed.
  std::optional<size_t> read(std::span<std::byte> into, SteadyTime deadline) {
    std::unique_lock lock(mutex_);
    const auto ready = [&] { return closed_ || used_ != 0; };
    if (deadline == Transport::kNoDeadline) {
      changed_.wait(lock, ready);
    } else if (!changed_.wait_until(lock, deadline, ready)) {
      return std::nullopt;
    }
    const size_t n = std::min({into.size(), used_, ring_.size() - begin_});
    if (n != 0) std::memcpy(into.data(), ring_.data() + begin_, n);
    begin_ = (begin_ + n) % ring_.size();
    used_ -= n;
    changed_.notify_all();
    return n;
  }

  void close() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::byte> ring_;
  size_t begin_ = 0;
  size_t used_ = 0;
  bool closed_ = false;
};

class LoopbackTransport final : public Transport {
 public:
  LoopbackTransport(std::shared_ptr<Pipe> out, std::shared_ptr<Pipe> in)
      : out_(std::move(out)), in_(std::move(in)) {}
  ~LoopbackTransport() override { shutdown(); }

  Status send(std::span<const ConstBuffer> pieces) override {
    ++send_calls_;
    for (const auto& piece : pieces) {
      if (!out_->write(piece, sent_bytes_)) {
        return fail(ErrorKind::kDisconnected, "The other end of the loopback connection is closed.");
      }
    }
    return {};
  }

  Result<size_t> receive(std::span<std::byte> into) override {
    ++receive_calls_;
    const auto got = in_->read(into, deadline_);
    if (!got)
      return fail(ErrorKind::kDisconnected, "Nothing came on the loopback connection before the deadline.");
    received_bytes_ += *got;
    return *got;
  }

  void set_receive_deadline(SteadyTime deadline) override { deadline_ = deadline; }

  void shutdown() override {
    out_->close();
    in_->close();
  }

  TransportCounts counts() const override {
    return {sent_bytes_, received_bytes_, send_calls_, receive_calls_};
  }
  std::string description() const override { return "loopback"; }

 private:
  const std::shared_ptr<Pipe> out_;
  const std::shared_ptr<Pipe> in_;
  SteadyTime deadline_ = kNoDeadline;
  std::atomic<uint64_t> sent_bytes_{0};
  std::atomic<uint64_t> received_bytes_{0};
  std::atomic<uint64_t> send_calls_{0};
  std::atomic<uint64_t> receive_calls_{0};
};

}  // namespace

std::pair<std::unique_ptr<Transport>, std::unique_ptr<Transport>> loopback_pair(size_t pipe_bytes) {
  const auto forth = std::make_shared<Pipe>(pipe_bytes);
  const auto back = std::make_shared<Pipe>(pipe_bytes);
  return {std::make_unique<LoopbackTransport>(forth, back), std::make_unique<LoopbackTransport>(back, forth)};
}

// Connections made and not yet accepted.
struct LoopbackNetwork::Queue {
  std::mutex mutex;
  std::condition_variable changed;
  std::deque<std::unique_ptr<Transport>> waiting;
  bool closed = false;
};

class LoopbackListener final : public Listener {
 public:
  LoopbackListener(LoopbackNetwork& network, std::string name, std::shared_ptr<LoopbackNetwork::Queue> queue)
      : network_(network), name_(std::move(name)), queue_(std::move(queue)) {}
  ~LoopbackListener() override { close(); }

  Result<std::unique_ptr<Transport>> accept() override {
    std::unique_lock lock(queue_->mutex);
    queue_->changed.wait(lock, [&] { return queue_->closed || !queue_->waiting.empty(); });
    if (queue_->closed)
      return fail(ErrorKind::kDisconnected, text("The listener at ", address(), " was closed."));
    auto transport = std::move(queue_->waiting.front());
    queue_->waiting.pop_front();
    return transport;
  }

  void close() override {
    {
      const std::lock_guard lock(queue_->mutex);
      if (queue_->closed) return;
      queue_->closed = true;
      queue_->waiting.clear();
      queue_->changed.notify_all();
    }
    network_.forget(name_);
  }

  std::string address() const override { return "loopback:" + name_; }

 private:
  LoopbackNetwork& network_;
  const std::string name_;
  const std::shared_ptr<LoopbackNetwork::Queue> queue_;
};

Result<std::unique_ptr<Listener>> LoopbackNetwork::listen(const std::string& name) {
  const std::lock_guard lock(mutex_);
  auto& queue = listening_[name];
  if (queue) return fail(ErrorKind::kOverloaded, text("Somebody listens at loopback:", name, " already."));
  queue = std::make_shared<Queue>();
  return std::make_unique<LoopbackListener>(*this, name, queue);
}

Result<std::unique_ptr<Transport>> LoopbackNetwork::connect(const std::string& name) {
  std::shared_ptr<Queue> queue;
  {
    const std::lock_guard lock(mutex_);
    const auto found = listening_.find(name);
    if (found == listening_.end())
      return fail(ErrorKind::kNotFound, text("Nobody listens at loopback:", name, "."));
    queue = found->second;
  }
  auto [here, there] = loopback_pair();
  const std::lock_guard lock(queue->mutex);
  if (queue->closed)
    return fail(ErrorKind::kNotFound, text("Nobody listens at loopback:", name, " any more."));
  queue->waiting.push_back(std::move(there));
  queue->changed.notify_all();
  return std::move(here);
}

void LoopbackNetwork::forget(const std::string& name) {
  const std::lock_guard lock(mutex_);
  listening_.erase(name);
}

}  // namespace outboard::transport
