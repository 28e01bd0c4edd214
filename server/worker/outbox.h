// What leaves a worker: replies, notices and acknowledgements, gathered while a send is under way.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include "protocol/abi/cuda_abi_gen.h"
#include "protocol/wire/commands.h"
#include "protocol/wire/envelope.h"
#include "protocol/wire/frame.h"
#include "server/worker/bulk_buffer.h"

namespace outboard::server {

// The first failure among commands that nobody waited for, told with the next reply.
struct DeferredError {
  CUresult result = CUDA_SUCCESS;
  wire::Opcode opcode{};
};

struct OutgoingReply {
  uint64_t sequence = 0;
  CUresult result = CUDA_SUCCESS;
  DeferredError deferred;
  std::span<const std::byte> body;
  BulkBuffer bulk;
};

// Any thread may add and flush. Whoever flushes while another thread sends leaves its work to that
// thread, so replies that become ready together leave together, and none waits for a timer.
class Outbox {
 public:
  explicit Outbox(transport::Transport& transport) : sender_(transport) {}

  // Takes a copy of the body. Blocks while a full frame waits for a send in progress.
  void add(OutgoingReply reply);
  void add_notice(wire::Notice notice);
  // Everything up to this sequence number was processed; told with the next frame.
  void acknowledge(uint64_t sequence);
  // The peer asked whether we are there: the next flush sends something in any case.
  void answer_heartbeat();

  // Sends what there is. After a failure everything is dropped and the failure is returned for ever.
  Status flush();

  // The last frame. Nothing is sent after it.
  Status say_goodbye(const wire::Goodbye& goodbye);

 private:
  using Lock = std::unique_lock<std::mutex>;
  struct Batch {
    wire::ReplyWriter replies;
    std::vector<BulkBuffer> bulk;
    std::vector<wire::Notice> notices;
  };
  static constexpr size_t kMaxNotices = 1024;

  Status flush_locked(Lock& lock);
  Status send(Batch& batch, uint64_t acknowledged);

  wire::FrameSender sender_;
  std::mutex mutex_;
  std::condition_variable sent_;
  Batch open_;    // gathers; guarded by mutex_
  Batch flying_;  // belongs to the thread that sends
  uint64_t acknowledged_ = 0;
  uint64_t acknowledged_sent_ = 0;
  bool answer_due_ = false;
  bool sending_ = false;
  bool closed_ = false;
  Status status_;
};

}  // namespace outboard::server
