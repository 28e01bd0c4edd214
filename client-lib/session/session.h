// One client process on one server, after the handshake: sends commands, matches replies, keeps what
// went wrong for the call that has to report it.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <thread>

#include "client-lib/session/command_stream.h"
#include "client-lib/session/pending_calls.h"
#include "client-lib/state/link_estimate.h"
#include "protocol/abi/cuda_abi_gen.h"
#include "protocol/base/log.h"
#include "protocol/base/result.h"
#include "protocol/base/session_stats.h"
#include "protocol/transport/transport.h"
#include "protocol/wire/envelope.h"
#include "protocol/wire/frame.h"

namespace outboard::client {

// Errors that leave the device's context unusable: CUDA repeats them until the process ends.
bool is_sticky(CUresult result);

struct CallOptions {
  std::span<const std::byte> bulk;  // goes with the command; copied or sent before the call blocks
  std::span<std::byte> bulk_into;   // where the reply's bulk shall go
};

// Threads: every member function from any thread unless it says otherwise.
class Session {
 public:
  // Results of a lost connection, for ever: the device is not there any more.
  static constexpr CUresult kLost = CUDA_ERROR_DEVICE_UNAVAILABLE;

  struct Hooks {
    Logger log;
    // What the server sends unasked; on the receiving thread, must not wait or call the session.
    std::function<void(const wire::Notice&)> on_notice;
    SessionCounters* counters = nullptr;  // never null; outlives the session
  };

  // Takes a connection on which the handshake is done.
  Session(std::unique_ptr<transport::Transport> transport, Hooks hooks);
  // Shuts the connection down and joins the threads; never in the process's own client.
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  // Sends without waiting. CUDA_SUCCESS, a sticky error that is already known, or kLost.
  template <typename Request>
  CUresult post(const CommandScope& scope, const Request& request) {
    if (const CUresult broken = broken_.load(std::memory_order_acquire); broken != CUDA_SUCCESS)
      return broken;
    count_command();
    return stream_.post(scope, request) ? CUDA_SUCCESS : kLost;
  }
  template <typename Request>
  CUresult post(const CommandScope& scope, const Request& request, std::span<const std::byte> bulk) {
    if (const CUresult broken = broken_.load(std::memory_order_acquire); broken != CUDA_SUCCESS)
      return broken;
    count_command();
    return stream_.post(scope, request, bulk) ? CUDA_SUCCESS : kLost;
  }

  // Sends and waits. The driver's result for this call; errors of earlier commands are kept for
  // take_deferred, sticky ones are returned by every call.
  template <typename Request>
  CUresult call(const CommandScope& scope, const Request& request, Reply& reply,
                const CallOptions& options = {}) {
    PendingCall pending;
    const auto begun = std::chrono::steady_clock::now();
    if (!begin(scope, request, pending, options)) return kLost;
    const CUresult result = finish(pending, reply);
    link_.note_wait(std::chrono::steady_clock::now() - begun);
    return result;
  }

  // The two halves of call(), for several calls in flight from one thread. `pending` must stay
  // where it is until finish.
  template <typename Request>
  bool begin(const CommandScope& scope, const Request& request, PendingCall& pending,
             const CallOptions& options = {}) {
    pending.bulk_into = options.bulk_into;
    count_command();
    count_round_trip();
    return stream_.call(scope, request, pending_, pending, options.bulk);
  }
  CUresult finish(PendingCall& pending, Reply& reply);

  // The first error of a command that nobody waited for, once; CUDA reports it at the next
  // synchronising call.
  CUresult take_deferred() {
    if (deferred_.load(std::memory_order_relaxed) == CUDA_SUCCESS) [[likely]]
      return CUDA_SUCCESS;
    return deferred_.exchange(CUDA_SUCCESS, std::memory_order_acq_rel);
  }

  // The sticky error or kLost, if there is one.
  CUresult broken() const { return broken_.load(std::memory_order_acquire); }
  // After a context reset, which is what clears sticky errors where the driver can recover.
  void forget_sticky();
  bool lost() const { return broken() == kLost; }

  // Ends the session because of what this error says: the connection broke, or the server sent
  // what it must not.
  void lose(const Error& error);

  // Pushes out what has gathered. Waits only if the medium is full.
  void flush() { (void)stream_.flush(); }

  // At process exit: sends what is there and a goodbye if that is possible without waiting.
  void say_goodbye(std::string_view reason);

  const LinkEstimate& link() const { return link_; }
  std::string description() const { return transport_->description(); }
  transport::TransportCounts counts() const { return transport_->counts(); }

 private:
  void receive_loop();
  Status receive_one();
  Status take_replies(const wire::FrameHead& head);
  Status take_bulk(PendingCall& call, uint64_t bulk_bytes);
  Status send_batch(const CommandBatch& batch, std::span<const std::byte> more_bulk);
  void note_deferred(CUresult result, wire::Opcode opcode);
  void count_command() { hooks_.counters->commands_sent.fetch_add(1, std::memory_order_relaxed); }
  void count_round_trip() { hooks_.counters->blocking_round_trips.fetch_add(1, std::memory_order_relaxed); }
  void count_bytes();

  const Hooks hooks_;
  const std::unique_ptr<transport::Transport> transport_;
  wire::FrameSender sender_;      // of the thread that CommandStream lets send
  wire::FrameReceiver receiver_;  // of receive_thread_
  PendingCalls pending_;
  LinkEstimate link_;
  std::atomic<CUresult> broken_{CUDA_SUCCESS};
  std::atomic<CUresult> deferred_{CUDA_SUCCESS};
  std::once_flag lost_once_;
  std::atomic<bool> closing_{false};  // we end it: nothing to report
  CommandStream stream_;
  std::atomic<uint64_t> received_{0};  // highest sequence of the server's that we have seen
  std::thread receive_thread_;
  std::thread background_thread_;
};

}  // namespace outboard::client
