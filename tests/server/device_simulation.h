// A device, its clients and the daemon's part between them, in simulated time: what the compute
// scheduler decides is carried out as a worker would.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <vector>

#include "server/quota/compute_scheduler.h"

namespace outboard::server::testing {

// One client. It queues `burst` kernels, thinks for `think_ns` when they are done, and so on; 0 think
// time keeps its queue full.
struct SimulatedClient {
  ComputeTerms terms;
  uint64_t kernel_ns = 50'000;
  uint64_t burst = 1;
  uint64_t think_ns = 0;
};

class DeviceSimulation {
 public:
  // The change of turns costs this much: the one who has the turn learns of it and begins.
  static constexpr uint64_t kHandoverNs = 30'000;

  explicit DeviceSimulation(ComputeScheduler::Limits limits = {}) : scheduler(limits) {}

  ComputeSessionId add(const SimulatedClient& client) {
    const ComputeSessionId id = next_id_++;
    scheduler.add(id, client.terms, now_ns);
    State& state = clients_[id];
    state.client = client;
    state.ready_ns = now_ns;
    return id;
  }
  void remove(ComputeSessionId id) {
    scheduler.remove(id, now_ns);
    clients_.erase(id);
    if (last_ == id) last_ = 0;
  }
  SimulatedClient& client(ComputeSessionId id) { return clients_.at(id).client; }

  // Device time that the client got so far.
  uint64_t used_ns(ComputeSessionId id) const { return clients_.at(id).used_ns; }
  // From wanting a kernel to its end, of every burst.
  const std::vector<uint64_t>& latencies_ns(ComputeSessionId id) const {
    return clients_.at(id).latencies_ns;
  }

  // Runs until then. `each_turn` sees the state between turns.
  void run_until(uint64_t end_ns, const std::function<void()>& each_turn = {}) {
    while (now_ns < end_ns) {
      wake_clients();
      const auto turn = scheduler.next(now_ns);
      if (each_turn) each_turn();
      if (turn) {
        take_turn(turn->id, end_ns);
      } else {
        now_ns = std::min(end_ns, std::max(now_ns + 1, next_event_ns()));
      }
    }
  }

  ComputeScheduler scheduler;
  uint64_t now_ns = 1'000'000'000;
  uint64_t busy_ns = 0;

 private:
  struct State {
    SimulatedClient client;
    uint64_t ready_ns = 0;  // when it has work again
    uint64_t left = 0;      // kernels of the burst that are queued
    uint64_t wanted_ns = 0;
    bool wants = false;
    uint64_t used_ns = 0;
    std::vector<uint64_t> latencies_ns;
  };

  void wake_clients() {
    for (auto& [id, state] : clients_) {
      if (state.wants || state.ready_ns > now_ns) continue;
      state.wants = true;
      state.left = state.client.burst;
      state.wanted_ns = state.ready_ns;
      scheduler.want(id, now_ns);
    }
  }

  void take_turn(ComputeSessionId id, uint64_t end_ns) {
    State& state = clients_.at(id);
    if (last_ != id) now_ns += kHandoverNs;
    last_ = id;
    while (true) {
      now_ns += state.client.kernel_ns;
      busy_ns += state.client.kernel_ns;
      state.used_ns += state.client.kernel_ns;
      scheduler.charge(id, state.client.kernel_ns, now_ns);
      wake_clients();
      if (--state.left == 0) {
        state.latencies_ns.push_back(now_ns - state.wanted_ns);
        if (state.client.think_ns != 0) {
          state.wants = false;
          state.ready_ns = now_ns + state.client.think_ns;
          return scheduler.finish(id, false, now_ns);
        }
        state.left = state.client.burst;
        state.wanted_ns = now_ns;
      }
      if (now_ns >= end_ns || scheduler.must_yield(0, now_ns)) return scheduler.finish(id, true, now_ns);
    }
  }

  uint64_t next_event_ns() {
    uint64_t soonest = scheduler.next_change_ns(now_ns).value_or(UINT64_MAX);
    for (const auto& [id, state] : clients_)
      if (!state.wants) soonest = std::min(soonest, state.ready_ns);
    return soonest;
  }

  std::map<ComputeSessionId, State> clients_;
  ComputeSessionId next_id_ = 1;
  ComputeSessionId last_ = 0;
};

}  // namespace outboard::server::testing
