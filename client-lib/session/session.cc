#include "client-lib/session/session.h"

#include <poll.h>

#include <algorithm>
#include <array>
#include <utility>

#include "client-lib/session/signals.h"
#include "protocol/base/bytes.h"
#include "protocol/wire/envelope.h"
#include "protocol/wire/opcodes_gen.h"

namespace outboard::client {
bool is_sticky(CUresult result) {
  switch (result) {
    case CUDA_ERROR_ECC_UNCORRECTABLE:
    case CUDA_ERROR_CONTAINED:
    case CUDA_ERROR_ILLEGAL_ADDRESS:
    case CUDA_ERROR_LAUNCH_TIMEOUT:
    case CUDA_ERROR_ASSERT:
    case CUDA_ERROR_HARDWARE_STACK_ERROR:
    case CUDA_ERROR_ILLEGAL_INSTRUCTION:
    case CUDA_ERROR_MISALIGNED_ADDRESS:
    case CUDA_ERROR_INVALID_ADDRESS_SPACE:
    case CUDA_ERROR_INVALID_PC:
    case CUDA_ERROR_LAUNCH_FAILED:
    case CUDA_ERROR_TENSOR_MEMORY_LEAK:
    case CUDA_ERROR_EXTERNAL_DEVICE:
    case CUDA_ERROR_DEVICE_UNAVAILABLE: return true;
    default: return false;
  }
}

Session::Session(std::unique_ptr<transport::Transport> transport, Hooks hooks)
    : hooks_(std::move(hooks)),
      transport_(std::move(transport)),
      sender_(*transport_),
      receiver_(*transport_),
      stream_([this](const CommandBatch& batch,
                     std::span<const std::byte> more_bulk) { return send_batch(batch, more_bulk); },
              [this](const Error& error) { lose(error); }) {
  const AllSignalsBlocked blocked;
  receive_thread_ = std::thread([this] { receive_loop(); });
  background_thread_ = std::thread([this] { stream_.run_background(); });
}

Session::~Session() {
  closing_ = true;
  stream_.close();
  transport_->shutdown();
  receive_thread_.join();
  background_thread_.join();
}

Status Session::send_batch(const CommandBatch& batch, std::span<const std::byte> more_bulk) {
  wire::Envelope envelope;
  envelope.first_sequence = batch.first_sequence();
  envelope.command_count = batch.count();
  envelope.acknowledged = received_.load(std::memory_order_relaxed);
  envelope.kind = wire::CommandsFrame{};
  const std::array<transport::ConstBuffer, 2> bulk = {batch.bulk(), more_bulk};
  const auto begun = std::chrono::steady_clock::now();
  const Status sent = sender_.send(envelope, batch.commands(), bulk);
  link_.note_send(more_bulk.size(), std::chrono::steady_clock::now() - begun);
  count_bytes();
  return sent;
}

void Session::count_bytes() {
  const transport::TransportCounts counts = transport_->counts();
  hooks_.counters->bytes_sent.store(counts.bytes_sent, std::memory_order_relaxed);
  hooks_.counters->bytes_received.store(counts.bytes_received, std::memory_order_relaxed);
}

CUresult Session::finish(PendingCall& pending, Reply& reply) {
  pending_.wait(pending);
  reply = std::move(pending.reply);
  if (is_sticky(reply.result)) {
    CUresult none = CUDA_SUCCESS;
    broken_.compare_exchange_strong(none, reply.result, std::memory_order_acq_rel);
  }
  const CUresult broken = broken_.load(std::memory_order_acquire);
  return reply.result == CUDA_SUCCESS ? broken : reply.result;
}

void Session::forget_sticky() {
  CUresult known = broken_.load(std::memory_order_acquire);
  if (known != kLost) broken_.compare_exchange_strong(known, CUDA_SUCCESS, std::memory_order_acq_rel);
  deferred_.store(CUDA_SUCCESS, std::memory_order_release);
}

void Session::note_deferred(CUresult result, wire::Opcode opcode) {
  if (hooks_.log.enabled(LogLevel::kInfo)) {
    hooks_.log.info(text("The server reports error ", static_cast<int>(result), " of an earlier ",
                         wire::opcode_name(opcode), " that nobody waited for."));
  }
  CUresult none = CUDA_SUCCESS;
  (is_sticky(result) ? broken_ : deferred_).compare_exchange_strong(none, result, std::memory_order_acq_rel);
}

void Session::receive_loop() {
  Status status;
  while (status) status = receive_one();
  lose(status.error());
}

Status Session::receive_one() {
  auto head = receiver_.receive_head();
  if (!head) return fail(head);
  const wire::Envelope& envelope = head->envelope;
  if (envelope.as<wire::RepliesFrame>() != nullptr) {
    if (Status taken = take_replies(*head); !taken) return taken;
  } else if (const auto* goodbye = envelope.as<wire::Goodbye>()) {
    return fail(goodbye->orderly ? ErrorKind::kDisconnected : goodbye->kind,
                goodbye->message.empty() ? "The server ended the session." : goodbye->message);
  } else if (const auto* notice = envelope.as<wire::Notice>()) {
    if (hooks_.on_notice) hooks_.on_notice(*notice);
  } else if (envelope.as<wire::Heartbeat>() == nullptr) {
    return fail(ErrorKind::kProtocolViolation, text("The server sent a ", wire::envelope_kind_name(envelope),
                                                    " frame in the middle of a session."));
  }
  // After the replies: a call that was answered is not worth a flush of its own.
  if (envelope.acknowledged > stream_.last_sent()) {
    return fail(ErrorKind::kProtocolViolation, text("The server acknowledged command ", envelope.acknowledged,
                                                    "; the last one sent is ", stream_.last_sent(), "."));
  }
  stream_.acknowledge(envelope.acknowledged);
  count_bytes();
  return {};
}

Status Session::take_replies(const wire::FrameHead& head) {
  wire::ReplyReader reader(head);
  wire::Reply reply;
  while (reader.next(reply)) {
    PendingCall* call = pending_.take(reply.sequence);
    if (call == nullptr) {
      return fail(ErrorKind::kProtocolViolation,
                  text("The server answered command ", reply.sequence, ", for which nobody waits."));
    }
    // First the earlier error: the waiting thread looks for it as soon as it has its reply.
    if (reply.deferred_result != 0) {
      note_deferred(static_cast<CUresult>(reply.deferred_result), reply.deferred_opcode);
    }
    call->reply.result = static_cast<CUresult>(reply.result);
    call->reply.body.assign(reply.body.begin(), reply.body.end());
    const Status bulk = take_bulk(*call, reply.bulk_bytes);
    count_bytes();
    if (!bulk) call->reply.result = kLost;
    pending_.complete(*call);
    if (!bulk) return bulk;
  }
  return reader.end();
}

// Bulk data goes from the connection to where the caller wants it, without a stop.
Status Session::take_bulk(PendingCall& call, uint64_t bulk_bytes) {
  call.reply.bulk_bytes = bulk_bytes;
  if (bulk_bytes == 0) return {};
  std::span<std::byte> into = call.bulk_into;
  if (into.empty()) {
    call.reply.bulk.resize(bulk_bytes);
    into = call.reply.bulk;
  }
  const size_t fitting = std::min<uint64_t>(into.size(), bulk_bytes);
  if (Status status = receiver_.receive_bulk(into.first(fitting)); !status) return status;
  if (fitting == bulk_bytes) return {};
  return fail(ErrorKind::kProtocolViolation,
              text("The server sent ", bulk_bytes, " bytes of data where ", into.size(), " were asked for."));
}

// However many threads notice, the loss is told once.
void Session::lose(const Error& error) {
  std::call_once(lost_once_, [&] {
    broken_.store(kLost, std::memory_order_release);
    if (closing_) return;
    hooks_.log.error(text("The connection to the server (", transport_->description(),
                          ") is lost: ", error.message,
                          " Every CUDA call fails with CUDA_ERROR_DEVICE_UNAVAILABLE from now on."));
  });
  stream_.close();
  pending_.fail_all(kLost);
  transport_->shutdown();
}

void Session::say_goodbye(std::string_view reason) {
  if (lost()) return;
  const int fd = transport_->native_handle();
  pollfd writable{fd, POLLOUT, 0};
  if (fd >= 0 && poll(&writable, 1, 0) != 1) return;
  closing_ = true;  // the server will hang up now; that is no loss
  (void)stream_.try_send_last([&] {
    wire::Envelope envelope;
    envelope.first_sequence = stream_.last_sent() + 1;
    envelope.kind = wire::Goodbye{true, ErrorKind::kInternal, std::string(reason)};
    return sender_.send(envelope);
  });
}

}  // namespace outboard::client
