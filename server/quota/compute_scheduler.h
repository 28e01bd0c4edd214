// Who may put work on a device next, and for how long: the compute half of a lease.
//
// One session at a time has the turn. It submits until its budget is used up, until somebody with a
// better claim waits, or until it has nothing more to do; then the device time that it used is
// charged as it was measured, so nothing depends on estimates: who used more than it had waits the
// longer. This is start-time fair queueing: every session has a virtual time that grows by the time
// used over its weight, the smallest is next, and the device's own virtual time keeps sessions that
// come back from idling from claiming what they did not use. Hard caps are buckets that fill at the
// cap's rate of wall-clock time.
//
// Pure: it knows no clock, no thread and no driver. Times are nanoseconds of a monotonic clock, and
// never go back.
#pragma once

#include <cstdint>
#include <map>
#include <optional>

namespace outboard::server {

using ComputeSessionId = uint64_t;

enum class ShareMode : uint8_t {
  kGuaranteed,  // the share when others want theirs, and idle time besides
  kHardCap,     // never more than the share, also on an idle device
};

struct ComputeTerms {
  uint32_t percent = 0;  // of the device, 1 to 100; 0: an equal part of what nobody has a claim to
  ShareMode mode = ShareMode::kGuaranteed;
  int32_t priority = 0;  // larger goes first, as long as it is within its share
};

// What a session got, for those who watch.
struct ComputeUsage {
  uint64_t used_ns = 0;       // device time
  uint64_t waiting_ns = 0;    // wanted a turn and did not have it
  uint64_t throttled_ns = 0;  // of these, because of its own cap
  uint64_t turns = 0;
};

class ComputeScheduler {
 public:
  struct Limits {
    // The longest turn while others wait. Short turns are fair in short windows, long ones lose less
    // to the change of turns (some 200 us each; bench/quota.py). Who comes back from idling need not
    // wait for the end of one.
    uint64_t turn_ns = 4'000'000;
    // What a capped session may save up while it is idle: how far a short window may be off.
    uint64_t burst_ns = 4'000'000;
    // And while it waits for others, whose kernels may be long: else it could never catch up.
    uint64_t waiting_burst_ns = 200'000'000;
    // A capped session's turn is not worth the change below this.
    uint64_t least_turn_ns = 200'000;
  };
  ComputeScheduler() : ComputeScheduler(Limits()) {}
  explicit ComputeScheduler(Limits limits) : limits_(limits) {}

  // False when the id is taken.
  bool add(ComputeSessionId id, const ComputeTerms& terms, uint64_t now_ns);
  // Also in the middle of its turn, which ends then.
  void remove(ComputeSessionId id, uint64_t now_ns);
  // Holds from the next decision on; time used so far stays used.
  void set_terms(ComputeSessionId id, const ComputeTerms& terms, uint64_t now_ns);

  // The session has work; it says so once until its turn ends.
  void want(ComputeSessionId id, uint64_t now_ns);
  // It has none any more (the client died, for example) and had no turn.
  void withdraw(ComputeSessionId id, uint64_t now_ns);

  struct Turn {
    ComputeSessionId id = 0;
    uint64_t budget_ns = 0;  // device time
  };
  // The next turn; nothing while one is under way or when nobody may have one.
  std::optional<Turn> next(uint64_t now_ns);
  // While a turn is under way: whether its holder has to stop submitting, having used this much.
  bool must_yield(uint64_t used_ns, uint64_t now_ns);
  // The holder keeps the turn, but has nothing on the device until it is charged again.
  void rest(ComputeSessionId id, uint64_t now_ns);
  // Whether somebody else could have the turn now.
  bool others_want(uint64_t now_ns);
  // Part of a turn is over and was measured; the turn goes on.
  void charge(ComputeSessionId id, uint64_t used_ns, uint64_t now_ns);
  // The turn is over; charge() has been told of all of it. `more`: the session still has work, and
  // wants the next turn.
  void finish(ComputeSessionId id, bool more, uint64_t now_ns);

  // When next() may have an answer that it has not now, if nothing else happens.
  std::optional<uint64_t> next_change_ns(uint64_t now_ns);

  std::optional<ComputeSessionId> holder() const { return holder_; }
  size_t sessions() const { return sessions_.size(); }
  // Percent of the device that is promised by guarantees and caps.
  uint32_t promised_percent() const;
  // Nothing for an unknown id.
  std::optional<ComputeUsage> usage(ComputeSessionId id, uint64_t now_ns);

 private:
  struct Session {
    ComputeTerms terms;
    double virtual_ns = 0;  // device time over weight
    double bucket_ns = 0;   // hard caps: what may be used; below 0: debt
    uint64_t bucket_at_ns = 0;
    bool wants = false;
    bool holds = false;     // has the turn
    bool rests = false;     // has the turn, and nothing to do
    bool returned = false;  // has come back from idling and not had a turn since
    uint64_t waiting_since_ns = 0;
    ComputeUsage usage;
  };

  double weight(const Session& session) const;
  bool capped(const Session& session) const {
    return session.terms.mode == ShareMode::kHardCap && session.terms.percent != 0;
  }
  void refill(Session& session, uint64_t now_ns) const;
  bool allowed(const Session& session) const { return !capped(session) || session.bucket_ns > 0; }
  void account_waiting(Session& session, uint64_t now_ns);
  bool goes_before(const Session& a, const Session& b) const;
  void reweigh();

  const Limits limits_;
  std::map<ComputeSessionId, Session> sessions_;
  std::optional<ComputeSessionId> holder_;
  double virtual_ns_ = 0;        // of the device
  double unclaimed_weight_ = 1;  // of each session without a percentage
  uint64_t turn_used_ns_ = 0;
  uint64_t budget_ns_ = 0;
};

}  // namespace outboard::server
