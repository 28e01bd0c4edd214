#include "server/softgpu/exec/warp.h"

#include <algorithm>
#include <bit>

#include "server/softgpu/exec/cta.h"
#include "server/softgpu/ptx/image.h"

namespace outboard::softgpu::exec {

bool Warp::in_one_place() const {
  uint32_t difference = 0;
  for (uint32_t lane = 1; lane < kLanes; ++lane) difference |= next[lane] ^ next[0];
  return difference == 0;
}

const Op* Warp::select() {
  uint32_t runnable = ~(absent | waiting);
  running_ahead = false;
  if (runnable == 0) {
    active = 0;
    lowest_pending = kNowhere;
    stop = absent == kAllLanes ? Stop::kDone : Stop::kBlocked;
    return nullptr;
  }
  if (runnable == kAllLanes && in_one_place()) {
    active = kAllLanes;
    lowest_pending = kNowhere;
    return code + next[0];
  }
  uint32_t lowest = kNowhere;
  for (uint32_t lane = 0; lane < kLanes; ++lane) {
    uint32_t at = runnable >> lane & 1 ? next[lane] : kNowhere;
    lowest = std::min(lowest, at);
  }
  uint32_t chosen = 0, second = kNowhere;
  for (uint32_t lane = 0; lane < kLanes; ++lane) {
    bool can_run = runnable >> lane & 1;
    chosen |= static_cast<uint32_t>(can_run && next[lane] == lowest) << lane;
    second = std::min(second, can_run && next[lane] != lowest ? next[lane] : kNowhere);
  }
  active = chosen;
  lowest_pending = second;
  return code + lowest;
}

const Op* Warp::regroup(uint32_t target) {
  park(target);
  return select();
}

const Op* Warp::split(uint32_t taken, uint32_t target, uint32_t other) {
  for (uint32_t lane = 0; lane < kLanes; ++lane) {
    if (active >> lane & 1) next[lane] = taken >> lane & 1 ? target : other;
  }
  return select();
}

const Op* Warp::yield(uint32_t target) {
  if (active == kAllLanes) {
    std::fill_n(next, kLanes, target);
    stop = Stop::kYielded;
    return nullptr;
  }
  park(target);
  if (brief && !spun) {
    brief = false;
    budget = kBackEdgeBudget;
    return select();
  }
  stop = Stop::kYielded;
  return nullptr;
}

// Lanes that are lowest in the code run first; so lanes that spin would starve those that they
// wait for, if these are higher. After every spent budget another group of lanes gets a turn.
const Op* Warp::resume() {
  spun = false;
  if (stop == Stop::kYielded && active == kAllLanes && in_one_place()) {
    stop = Stop::kNone;
    budget = kWholeBudget;
    brief = true;
    return code + next[0];
  }
  stop = Stop::kNone;
  budget = kBackEdgeBudget;
  bool was_ahead = running_ahead;
  const Op* first = select();
  brief = active == kAllLanes;
  if (brief) budget = kWholeBudget;
  if (first == nullptr || was_ahead || lowest_pending == kNowhere) return first;
  // Groups take turns by their place in the code.
  uint32_t runnable = ~(absent | waiting);
  uint32_t best = kNowhere, lowest = kNowhere;
  for (uint32_t lane = 0; lane < kLanes; ++lane) {
    if (!(runnable >> lane & 1)) continue;
    lowest = std::min(lowest, next[lane]);
    if (next[lane] > last_ahead) best = std::min(best, next[lane]);
  }
  uint32_t from = best != kNowhere ? best : lowest;
  last_ahead = from;
  active = 0;
  for (uint32_t lane = 0; lane < kLanes; ++lane) {
    if ((runnable >> lane & 1) && next[lane] == from) active |= 1u << lane;
  }
  lowest_pending = kNowhere;
  running_ahead = true;
  budget = kForcedBudget;
  return code + from;
}

const Op* Warp::exit_lanes(uint32_t lanes, uint32_t after) {
  absent |= lanes;
  active &= ~lanes;
  if (sync_waiting != 0) release_converged();
  cta->lanes_gone(lanes);
  if (active != 0) return regroup(after);
  return select();
}

const Op* Warp::converge(uint32_t members, const Op* here, bool& together) {
  uint32_t needed = members & ~absent;
  together = (needed & ~active) == 0 || (active & ~sync_released) == 0;
  if (together) {
    sync_released &= ~active;
    return nullptr;
  }
  park(static_cast<uint32_t>(here - code));
  for (uint32_t lane = 0; lane < kLanes; ++lane) {
    if (active >> lane & 1) sync_mask[lane] = members;
  }
  waiting |= active;
  sync_waiting |= active;
  release_converged();
  return select();
}

uint64_t Warp::cta_number() const { return cta->number; }

void Warp::release_converged() {
  uint32_t release = 0;
  for (uint32_t rest = sync_waiting; rest != 0; rest &= rest - 1) {
    uint32_t lane = static_cast<uint32_t>(std::countr_zero(rest));
    uint32_t needed = sync_mask[lane] & ~absent;
    if ((needed & ~sync_waiting) == 0) release |= 1u << lane;
  }
  waiting &= ~release;
  sync_waiting &= ~release;
  sync_released |= release;
}

const Op* fault(Warp& warp, const Op* op, int code, uint32_t lane, const std::string& what) {
  Launch& launch = *warp.launch;
  std::lock_guard lock(launch.mutex);
  warp.stop = Stop::kFault;
  if (!launch.failed.exchange(true)) {
    const Dim3& block = launch.request->block;
    const Dim3& grid = launch.request->grid;
    uint64_t cta = warp.cta->number;
    uint32_t thread = warp.index * kLanes + lane;
    auto triple = [](uint64_t x, uint64_t y, uint64_t z) {
      return "(" + std::to_string(x) + "," + std::to_string(y) + "," + std::to_string(z) + ")";
    };
    launch.result.code = code;
    launch.result.message = "kernel " + launch.request->kernel->name + ", block " +
                            triple(cta % grid.x, cta / grid.x % grid.y, cta / grid.x / grid.y) + ", thread " +
                            triple(thread % block.x, thread / block.x % block.y, thread / block.x / block.y) +
                            ", PTX line " + std::to_string(op->line) + ": " + what;
  }
  return nullptr;
}

}  // namespace outboard::softgpu::exec
