#include "server/daemon/reception.h"

#include <utility>

namespace outboard::server {

Reception::Reception(ReceptionOptions options, Logger log, const Clock& clock, std::function<void()> wake)
    : options_(std::move(options)), log_(std::move(log)), clock_(clock), wake_(std::move(wake)) {}

Reception::~Reception() { close(); }

void Reception::listen(std::unique_ptr<transport::Listener> listener) {
  std::lock_guard lock(mutex_);
  transport::Listener& added = *listeners_.emplace_back(std::move(listener));
  accepting_.emplace_back([this, &added] { accept_all(added); });
}

void Reception::accept_all(transport::Listener& listener) {
  while (true) {
    auto accepted = listener.accept();
    if (accepted) {
      begin(std::move(*accepted));
      continue;
    }
    {
      std::lock_guard lock(mutex_);
      if (closed_) return;
    }
    log_.warn("A connection to " + listener.address() +
              " could not be accepted: " + accepted.error().message);
    if (accepted.error().kind == ErrorKind::kDisconnected) return;
    // Out of descriptors or the like: trying again at once would only spin.
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
}

// With the lock held.
void Reception::make_room() {
  size_t waiting = 0;
  Pending* oldest = nullptr;
  for (Pending& pending : pending_) {
    if (pending.finished || pending.evicted) continue;
    if (oldest == nullptr) oldest = &pending;
    ++waiting;
  }
  if (waiting < options_.max_pending) return;
  oldest->evicted = true;
  oldest->transport->shutdown();
}

void Reception::begin(std::unique_ptr<transport::Transport> transport) {
  std::lock_guard lock(mutex_);
  if (closed_) return;
  make_room();
  const auto pending = pending_.emplace(pending_.end());
  pending->transport = std::move(transport);
  pending->thread = std::thread([this, pending] { greet(pending); });
}

// Runs on the connection's own thread. The transport stays in its place while the hello is read, so
// that close() can hang up.
void Reception::greet(std::list<Pending>::iterator pending) {
  transport::Transport& transport = *pending->transport;
  Visitor visitor;
  const Status checked = check(transport, visitor);
  {
    std::lock_guard lock(mutex_);
    if (checked && !closed_ && !pending->evicted) {
      visitor.transport = std::move(pending->transport);
      visitors_.push_back(std::move(visitor));
    } else {
      log_.warn("A connection (" + transport.description() + ") was turned away: " +
                (pending->evicted ? "It did not say hello while many others came."
                 : checked        ? "The server is stopping."
                                  : checked.error().message));
      pending->transport.reset();
    }
    pending->finished = true;
  }
  wake_();
}

Status Reception::check(transport::Transport& transport, Visitor& visitor) {
  auto peer = identify_peer(transport.native_handle());
  const Status allowed =
      peer ? check_peer_allowed(*peer, options_.own_uid, options_.allowed_uids) : Status(fail(peer));
  if (!allowed) {
    // A peer that hangs up at once does not read it; that is its loss.
    [[maybe_unused]] const Status told =
        wire::send_refusal(transport, allowed.error().kind, allowed.error().message);
    return allowed;
  }
  auto hello = wire::read_hello(transport, clock_.now() + options_.hello_timeout);
  if (!hello) {
    if (hello.error().kind != ErrorKind::kDisconnected) {
      [[maybe_unused]] const Status told =
          wire::send_refusal(transport, hello.error().kind, hello.error().message);
    }
    return fail(hello);
  }
  if (auto version = wire::negotiate_version(*hello); !version) {
    [[maybe_unused]] const Status told =
        wire::send_refusal(transport, version.error().kind, version.error().message);
    return fail(version);
  }
  visitor.peer = *peer;
  visitor.hello = std::move(*hello);
  return {};
}

std::vector<Visitor> Reception::take() {
  std::lock_guard lock(mutex_);
  return std::exchange(visitors_, {});
}

void Reception::tidy() {
  std::list<Pending> finished;
  {
    std::lock_guard lock(mutex_);
    for (auto it = pending_.begin(); it != pending_.end();) {
      const auto current = it++;
      if (current->finished) finished.splice(finished.end(), pending_, current);
    }
  }
  for (Pending& pending : finished) pending.thread.join();
}

void Reception::close() {
  std::list<Pending> pending;
  {
    std::lock_guard lock(mutex_);
    closed_ = true;
    for (auto& listener : listeners_) listener->close();
    for (Pending& entry : pending_) {
      if (entry.transport) entry.transport->shutdown();
    }
  }
  for (std::thread& thread : accepting_) thread.join();
  accepting_.clear();
  // Nobody adds to the list any more: accepting has ended.
  for (Pending& entry : pending_) entry.thread.join();
  pending_.clear();
  visitors_.clear();
  listeners_.clear();
}

}  // namespace outboard::server
