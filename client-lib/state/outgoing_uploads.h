// What the client knows about sending data ahead of the commands that need them, or not at all because
// the server has kept them from another time.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>

#include "protocol/base/config.h"

namespace outboard::client {

// Threads: all members from any thread.
class OutgoingUploads {
 public:
  explicit OutgoingUploads(OfferCopies copies) : copies_(copies) {}

  // Numbers by which a later command names an upload; never 0.
  uint32_t next_number() { return next_.fetch_add(1, std::memory_order_relaxed); }

  // Whether it is worth asking the server if it knows something.
  bool server_keeps() const { return server_keeps_.load(std::memory_order_relaxed); }
  void server_keeps_nothing() { server_keeps_.store(false, std::memory_order_relaxed); }

  OfferCopies copies() const { return copies_; }
  // Held while copies are offered: what the server holds ready for them stays bounded.
  std::mutex& offering() { return offering_; }

 private:
  const OfferCopies copies_;
  std::atomic<uint32_t> next_{1};
  std::atomic<bool> server_keeps_{true};
  std::mutex offering_;
};

}  // namespace outboard::client
