// The daemon's half of the compute quota: hands the turns of every device to the workers of its sessions
// as ComputeScheduler decides; the other half is worker/compute_gate.h.
//
// A turn is a credit: how much device time the session may have under way. Reports of what was used
// renew it as long as nobody with a better claim waits. Who stops submitting keeps the turn until
// somebody else wants it. A session that is alone on the server and has no cap gets credit without limit,
// and is not measured.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <vector>

#include "server/quota/compute_scheduler.h"
#include "server/worker/control_messages.h"

namespace outboard::server {

// One thread. Times are nanoseconds of a monotonic clock.
class ComputeArbiter {
 public:
  // To the worker of a session; must not call back.
  using Send = std::function<void(ComputeSessionId session, const control::Message& message)>;

  // What may be under way at a time. It hides the way to the daemon and back (some 100 us on a quiet
  // machine; on a busy one a credit of 500 us lost a quarter of the device, see bench/README.md).
  static constexpr uint64_t kCreditNs = 2'000'000;
  // While others come and go: they wait for what is under way.
  static constexpr uint64_t kShortCreditNs = 300'000;
  // A session that came back from idling so recently will probably do so again.
  static constexpr uint64_t kComesAndGoesNs = 200'000'000;
  static constexpr uint64_t kFreeNs = UINT64_MAX;

  explicit ComputeArbiter(Send send) : send_(std::move(send)) {}

  // A session that may use the first `devices` devices, all under the same terms.
  void add(ComputeSessionId session, const ComputeTerms& terms, uint32_t devices, uint64_t now_ns);
  void remove(ComputeSessionId session, uint64_t now_ns);
  void set_terms(ComputeSessionId session, const ComputeTerms& terms, uint64_t now_ns);

  // What a worker says. Unknown sessions and devices are ignored: workers may end at any time.
  void want(ComputeSessionId session, uint32_t device, uint64_t now_ns);
  void used(ComputeSessionId session, uint32_t device, uint64_t used_ns, bool idle, uint64_t now_ns);
  void over(ComputeSessionId session, uint32_t device, uint64_t used_ns, bool more, uint64_t now_ns);

  // Gives turns that have become possible by time alone; when that may be so next.
  void tick(uint64_t now_ns);
  std::optional<uint64_t> next_change_ns(uint64_t now_ns);

  // Of all devices together.
  ComputeUsage usage(ComputeSessionId session, uint64_t now_ns);

 private:
  struct Device {
    ComputeScheduler scheduler;
    bool idle = false;                                  // the holder has nothing on the device
    bool free = false;                                  // the holder's credit is without limit
    bool yielding = false;                              // it was asked to end its turn
    std::map<ComputeSessionId, uint64_t> came_back_ns;  // from idling, last
  };

  bool alone(const Device& device, ComputeSessionId session) const;
  uint64_t credit(const Device& device, ComputeSessionId session, uint64_t now_ns) const;
  void give_turn(uint32_t number, uint64_t now_ns);
  void ask_to_yield(uint32_t number);
  void reconsider(uint32_t number, uint64_t now_ns);
  void send_credit(uint32_t number, ComputeSessionId session, uint64_t now_ns);

  const Send send_;
  std::vector<Device> devices_;
  std::map<ComputeSessionId, ComputeTerms> terms_;
};

}  // namespace outboard::server
