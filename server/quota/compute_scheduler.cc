#include "server/quota/compute_scheduler.h"

#include <algorithm>
#include <limits>

namespace outboard::server {

bool ComputeScheduler::add(ComputeSessionId id, const ComputeTerms& terms, uint64_t now_ns) {
  const auto [it, added] = sessions_.try_emplace(id);
  if (!added) return false;
  it->second.terms = terms;
  it->second.virtual_ns = virtual_ns_;
  it->second.bucket_at_ns = now_ns;
  it->second.bucket_ns = static_cast<double>(limits_.least_turn_ns);
  reweigh();
  return true;
}

void ComputeScheduler::remove(ComputeSessionId id, uint64_t) {
  if (holder_ == id) holder_.reset();
  sessions_.erase(id);
  reweigh();
}

void ComputeScheduler::set_terms(ComputeSessionId id, const ComputeTerms& terms, uint64_t now_ns) {
  const auto it = sessions_.find(id);
  if (it == sessions_.end()) return;
  Session& session = it->second;
  refill(session, now_ns);
  // A debt of the old terms is not to be paid at the new rate for long, nor savings to be spent.
  if (!capped(session)) session.bucket_ns = static_cast<double>(limits_.least_turn_ns);
  session.terms = terms;
  session.virtual_ns = std::min(session.virtual_ns, virtual_ns_ + static_cast<double>(limits_.turn_ns));
  reweigh();
}

void ComputeScheduler::want(ComputeSessionId id, uint64_t now_ns) {
  const auto it = sessions_.find(id);
  if (it == sessions_.end() || it->second.wants || holder_ == id) return;
  Session& session = it->second;
  session.wants = true;
  session.returned = true;
  session.waiting_since_ns = now_ns;
  // What was not used while idle is gone, but for one turn: it lets a session that seldom has work
  // go before those that always have.
  const double earliest = virtual_ns_ - static_cast<double>(limits_.turn_ns) / weight(session);
  session.virtual_ns = std::max(session.virtual_ns, earliest);
}

void ComputeScheduler::withdraw(ComputeSessionId id, uint64_t now_ns) {
  const auto it = sessions_.find(id);
  if (it == sessions_.end() || !it->second.wants) return;
  refill(it->second, now_ns);
  account_waiting(it->second, now_ns);
  it->second.wants = false;
}

std::optional<ComputeScheduler::Turn> ComputeScheduler::next(uint64_t now_ns) {
  if (holder_) return std::nullopt;
  const Session* best = nullptr;
  ComputeSessionId best_id = 0;
  double least_virtual = std::numeric_limits<double>::infinity();
  for (auto& [id, session] : sessions_) {
    if (!session.wants) continue;
    account_waiting(session, now_ns);
    refill(session, now_ns);
    if (!allowed(session)) continue;
    least_virtual = std::min(least_virtual, session.virtual_ns);
  }
  // The device is never behind everybody who could use it.
  if (least_virtual != std::numeric_limits<double>::infinity())
    virtual_ns_ = std::max(virtual_ns_, least_virtual);
  for (const auto& [id, session] : sessions_) {
    if (!session.wants || !allowed(session)) continue;
    if (best == nullptr || goes_before(session, *best)) {
      best = &session;
      best_id = id;
    }
  }
  if (best == nullptr) return std::nullopt;
  Session& chosen = sessions_[best_id];
  chosen.wants = false;
  chosen.holds = true;
  chosen.rests = false;
  chosen.returned = false;
  ++chosen.usage.turns;
  holder_ = best_id;
  turn_used_ns_ = 0;
  budget_ns_ = limits_.turn_ns;
  if (capped(chosen)) {
    const auto left = static_cast<uint64_t>(chosen.bucket_ns);
    budget_ns_ = std::clamp(left, limits_.least_turn_ns, limits_.turn_ns);
  }
  return Turn{best_id, budget_ns_};
}

bool ComputeScheduler::must_yield(uint64_t used_ns, uint64_t now_ns) {
  if (!holder_) return true;
  Session& holder = sessions_[*holder_];
  const uint64_t in_turn_ns = turn_used_ns_ + used_ns;
  if (capped(holder)) {
    refill(holder, now_ns);
    if (holder.bucket_ns <= static_cast<double>(used_ns)) return true;
  }
  const double holder_virtual = holder.virtual_ns + static_cast<double>(used_ns) / weight(holder);
  for (auto& [id, session] : sessions_) {
    if (!session.wants) continue;
    refill(session, now_ns);
    if (!allowed(session)) continue;
    if (in_turn_ns >= budget_ns_) return true;
    if (session.returned && session.virtual_ns < holder_virtual) return true;
    if (session.terms.priority > holder.terms.priority && session.virtual_ns <= virtual_ns_) return true;
  }
  return false;
}

void ComputeScheduler::rest(ComputeSessionId id, uint64_t now_ns) {
  if (holder_ != id) return;
  Session& session = sessions_[id];
  refill(session, now_ns);
  session.rests = true;
  session.bucket_ns = std::min(session.bucket_ns, static_cast<double>(limits_.burst_ns));
}

bool ComputeScheduler::others_want(uint64_t now_ns) {
  for (auto& [id, session] : sessions_) {
    if (!session.wants) continue;
    refill(session, now_ns);
    if (allowed(session)) return true;
  }
  return false;
}

void ComputeScheduler::charge(ComputeSessionId id, uint64_t used_ns, uint64_t now_ns) {
  const auto it = sessions_.find(id);
  if (it == sessions_.end()) return;
  Session& session = it->second;
  const auto used = static_cast<double>(used_ns);
  session.usage.used_ns += used_ns;
  session.virtual_ns += used / weight(session);
  if (capped(session)) {
    // First, or what flowed in while it ran would be cut at the brim.
    session.bucket_ns -= used;
    refill(session, now_ns);
  }
  if (holder_ == id) turn_used_ns_ += used_ns;
  session.rests = session.rests && used_ns == 0;
  double competing = 0;
  for (const auto& [other_id, other] : sessions_) {
    if (other.wants || holder_ == other_id) competing += weight(other);
  }
  if (competing > 0) virtual_ns_ += used / competing;
}

void ComputeScheduler::finish(ComputeSessionId id, bool more, uint64_t now_ns) {
  if (holder_ != id) return;
  holder_.reset();
  Session& session = sessions_[id];
  refill(session, now_ns);
  session.holds = false;
  session.wants = more;
  session.returned = false;
  if (!more) session.bucket_ns = std::min(session.bucket_ns, static_cast<double>(limits_.burst_ns));
  session.waiting_since_ns = now_ns;
}

std::optional<uint64_t> ComputeScheduler::next_change_ns(uint64_t now_ns) {
  if (holder_) return std::nullopt;
  std::optional<uint64_t> soonest;
  for (auto& [id, session] : sessions_) {
    if (!session.wants) continue;
    refill(session, now_ns);
    if (allowed(session)) return now_ns;
    // A little more than nothing has to be in the bucket.
    const double wait_ns = (1 - session.bucket_ns) * 100 / session.terms.percent;
    const uint64_t at_ns = now_ns + static_cast<uint64_t>(wait_ns) + 1;
    soonest = std::min(soonest.value_or(at_ns), at_ns);
  }
  return soonest;
}

uint32_t ComputeScheduler::promised_percent() const {
  uint32_t sum = 0;
  for (const auto& [id, session] : sessions_) sum += session.terms.percent;
  return sum;
}

std::optional<ComputeUsage> ComputeScheduler::usage(ComputeSessionId id, uint64_t now_ns) {
  const auto it = sessions_.find(id);
  if (it == sessions_.end()) return std::nullopt;
  if (it->second.wants) {
    account_waiting(it->second, now_ns);
    refill(it->second, now_ns);
  }
  return it->second.usage;
}

double ComputeScheduler::weight(const Session& session) const {
  return session.terms.percent != 0 ? session.terms.percent : unclaimed_weight_;
}

// Sessions that ask for nothing share what nobody has a claim to, but never get nothing.
void ComputeScheduler::reweigh() {
  uint32_t unclaiming = 0;
  for (const auto& [id, session] : sessions_) unclaiming += session.terms.percent == 0 ? 1 : 0;
  const double left = 100.0 - std::min<uint32_t>(promised_percent(), 100);
  unclaimed_weight_ = unclaiming == 0 ? 1 : std::max(1.0, left / unclaiming);
}

void ComputeScheduler::refill(Session& session, uint64_t now_ns) const {
  const uint64_t since_ns = now_ns - std::min(session.bucket_at_ns, now_ns);
  session.bucket_at_ns = now_ns;
  if (!capped(session)) return;
  const double filled = session.bucket_ns + static_cast<double>(since_ns) * session.terms.percent / 100;
  const bool busy = session.wants || (session.holds && !session.rests);
  const uint64_t brim_ns = busy ? limits_.waiting_burst_ns : limits_.burst_ns;
  session.bucket_ns = std::max(session.bucket_ns, std::min(filled, static_cast<double>(brim_ns)));
}

// Before refill: whether the session was held back by its cap is known from the bucket as it was.
void ComputeScheduler::account_waiting(Session& session, uint64_t now_ns) {
  const uint64_t waited_ns = now_ns - std::min(session.waiting_since_ns, now_ns);
  session.waiting_since_ns = now_ns;
  session.usage.waiting_ns += waited_ns;
  if (capped(session) && session.bucket_ns <= 0) session.usage.throttled_ns += waited_ns;
}

// Those within their share before those beyond it; among the former by priority; then who has had
// the least of its own.
bool ComputeScheduler::goes_before(const Session& a, const Session& b) const {
  const bool a_within = a.virtual_ns <= virtual_ns_;
  const bool b_within = b.virtual_ns <= virtual_ns_;
  if (a_within != b_within) return a_within;
  if (a_within && a.terms.priority != b.terms.priority) return a.terms.priority > b.terms.priority;
  return a.virtual_ns < b.virtual_ns;
}

}  // namespace outboard::server
