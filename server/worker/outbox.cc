#include "server/worker/outbox.h"

#include <utility>

namespace outboard::server {

void Outbox::add(OutgoingReply reply) {
  Lock lock(mutex_);
  while (!open_.replies.fits(reply.body.size(), reply.bulk.size())) {
    if (sending_) {
      sent_.wait(lock);
    } else if (!flush_locked(lock)) {
      return;
    }
  }
  if (closed_) return;
  open_.replies.append({.sequence = reply.sequence,
                        .result = static_cast<uint32_t>(reply.result),
                        .deferred_result = static_cast<uint32_t>(reply.deferred.result),
                        .deferred_opcode = reply.deferred.opcode},
                       reply.body, reply.bulk.size());
  if (!reply.bulk.empty()) open_.bulk.push_back(std::move(reply.bulk));
}

void Outbox::add_notice(wire::Notice notice) {
  Lock lock(mutex_);
  // A kernel that prints without end must not fill our memory while the client does not read.
  const bool droppable =
      notice.kind == wire::Notice::Kind::kDeviceOutput || notice.kind == wire::Notice::Kind::kDeviceErrors;
  if (closed_ || (droppable && open_.notices.size() >= kMaxNotices)) return;
  open_.notices.push_back(std::move(notice));
}

void Outbox::acknowledge(uint64_t sequence) {
  Lock lock(mutex_);
  if (sequence > acknowledged_) acknowledged_ = sequence;
}

void Outbox::answer_heartbeat() {
  Lock lock(mutex_);
  answer_due_ = true;
}

Status Outbox::flush() {
  Lock lock(mutex_);
  if (sending_) return status_;  // that thread looks again before it leaves
  return flush_locked(lock);
}

Status Outbox::flush_locked(Lock& lock) {
  sending_ = true;
  while (status_ && !closed_ &&
         (!open_.replies.empty() || !open_.notices.empty() || acknowledged_ > acknowledged_sent_ ||
          answer_due_)) {
    std::swap(open_, flying_);
    answer_due_ = false;
    acknowledged_sent_ = acknowledged_;
    lock.unlock();
    Status sent = send(flying_, acknowledged_sent_);
    flying_.replies.clear();
    flying_.bulk.clear();
    flying_.notices.clear();
    lock.lock();
    if (!sent) {
      status_ = std::move(sent);
      closed_ = true;
      open_ = Batch{};
    }
    sent_.notify_all();
  }
  sending_ = false;
  sent_.notify_all();
  return status_;
}

// Notices first: what a kernel printed precedes the end of the synchronisation that waited for it.
Status Outbox::send(Batch& batch, uint64_t acknowledged) {
  for (wire::Notice& notice : batch.notices) {
    Status sent = sender_.send(wire::Envelope{.acknowledged = acknowledged, .kind = std::move(notice)});
    if (!sent) return sent;
  }
  if (batch.replies.empty()) {
    return sender_.send(wire::Envelope{.acknowledged = acknowledged, .kind = wire::Heartbeat{}});
  }
  const wire::Envelope envelope{
      .command_count = batch.replies.count(), .acknowledged = acknowledged, .kind = wire::RepliesFrame{}};
  std::vector<transport::ConstBuffer> pieces;
  for (const BulkBuffer& buffer : batch.bulk) pieces.push_back(buffer.bytes());
  return sender_.send(envelope, batch.replies.view(), pieces);
}

Status Outbox::say_goodbye(const wire::Goodbye& goodbye) {
  Lock lock(mutex_);
  while (sending_) sent_.wait(lock);
  if (closed_) return status_;
  // What was ready before is still owed to the client.
  if (Status flushed = flush_locked(lock); !flushed) return flushed;
  closed_ = true;
  sending_ = true;
  lock.unlock();
  Status sent = sender_.send(wire::Envelope{.acknowledged = acknowledged_sent_, .kind = goodbye});
  lock.lock();
  sending_ = false;
  sent_.notify_all();
  return sent;
}

}  // namespace outboard::server
