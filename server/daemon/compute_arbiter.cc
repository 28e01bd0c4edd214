#include "server/daemon/compute_arbiter.h"

#include <algorithm>

namespace outboard::server {

void ComputeArbiter::add(ComputeSessionId session, const ComputeTerms& terms, uint32_t devices,
                         uint64_t now_ns) {
  if (devices_.size() < devices) devices_.resize(devices);
  terms_[session] = terms;
  for (uint32_t number = 0; number < devices; ++number) {
    devices_[number].scheduler.add(session, terms, now_ns);
    reconsider(number, now_ns);
  }
}

void ComputeArbiter::remove(ComputeSessionId session, uint64_t now_ns) {
  terms_.erase(session);
  for (uint32_t number = 0; number < devices_.size(); ++number) {
    Device& device = devices_[number];
    if (device.scheduler.holder() == session) device.idle = device.free = device.yielding = false;
    device.scheduler.remove(session, now_ns);
    device.came_back_ns.erase(session);
    give_turn(number, now_ns);
  }
}

void ComputeArbiter::set_terms(ComputeSessionId session, const ComputeTerms& terms, uint64_t now_ns) {
  const auto known = terms_.find(session);
  if (known == terms_.end()) return;
  known->second = terms;
  for (uint32_t number = 0; number < devices_.size(); ++number) {
    devices_[number].scheduler.set_terms(session, terms, now_ns);
    reconsider(number, now_ns);
  }
}

void ComputeArbiter::want(ComputeSessionId session, uint32_t number, uint64_t now_ns) {
  if (number >= devices_.size()) return;
  if (terms_.count(session) == 0) return;
  devices_[number].scheduler.want(session, now_ns);
  devices_[number].came_back_ns[session] = now_ns;
  reconsider(number, now_ns);
}

void ComputeArbiter::used(ComputeSessionId session, uint32_t number, uint64_t used_ns, bool idle,
                          uint64_t now_ns) {
  if (number >= devices_.size() || devices_[number].scheduler.holder() != session) return;
  Device& device = devices_[number];
  device.scheduler.charge(session, used_ns, now_ns);
  device.idle = idle;
  if (idle) device.scheduler.rest(session, now_ns);
  if (device.yielding) return;
  reconsider(number, now_ns);
  if (!device.yielding && !idle) send_credit(number, session, now_ns);
}

void ComputeArbiter::over(ComputeSessionId session, uint32_t number, uint64_t used_ns, bool more,
                          uint64_t now_ns) {
  if (number >= devices_.size() || devices_[number].scheduler.holder() != session) return;
  Device& device = devices_[number];
  device.scheduler.charge(session, used_ns, now_ns);
  device.scheduler.finish(session, more, now_ns);
  device.idle = device.free = device.yielding = false;
  give_turn(number, now_ns);
}

void ComputeArbiter::tick(uint64_t now_ns) {
  for (uint32_t number = 0; number < devices_.size(); ++number) reconsider(number, now_ns);
}

std::optional<uint64_t> ComputeArbiter::next_change_ns(uint64_t now_ns) {
  std::optional<uint64_t> soonest;
  for (Device& device : devices_) {
    const auto change = device.scheduler.next_change_ns(now_ns);
    if (change) soonest = std::min(soonest.value_or(*change), *change);
  }
  return soonest;
}

ComputeUsage ComputeArbiter::usage(ComputeSessionId session, uint64_t now_ns) {
  ComputeUsage sum;
  for (Device& device : devices_) {
    const auto usage = device.scheduler.usage(session, now_ns);
    if (!usage) continue;
    sum.used_ns += usage->used_ns;
    sum.waiting_ns += usage->waiting_ns;
    sum.throttled_ns += usage->throttled_ns;
    sum.turns += usage->turns;
  }
  return sum;
}

bool ComputeArbiter::alone(const Device& device, ComputeSessionId session) const {
  const auto known = terms_.find(session);
  if (device.scheduler.sessions() != 1 || known == terms_.end()) return false;
  return known->second.percent == 0 || known->second.mode != ShareMode::kHardCap;
}

// After anything that may change whose turn it is.
void ComputeArbiter::reconsider(uint32_t number, uint64_t now_ns) {
  Device& device = devices_[number];
  const auto holder = device.scheduler.holder();
  if (!holder) return give_turn(number, now_ns);
  if (device.yielding) return;
  const bool others_wait = device.scheduler.others_want(now_ns);
  const bool no_longer_free = device.free && !alone(device, *holder);
  if (no_longer_free || (device.idle && others_wait) || device.scheduler.must_yield(0, now_ns))
    ask_to_yield(number);
}

void ComputeArbiter::give_turn(uint32_t number, uint64_t now_ns) {
  Device& device = devices_[number];
  const auto turn = device.scheduler.next(now_ns);
  if (turn) send_credit(number, turn->id, now_ns);
}

uint64_t ComputeArbiter::credit(const Device& device, ComputeSessionId session, uint64_t now_ns) const {
  for (const auto& [other, came_back_ns] : device.came_back_ns) {
    if (other != session && now_ns - came_back_ns < kComesAndGoesNs) return kShortCreditNs;
  }
  return kCreditNs;
}

void ComputeArbiter::send_credit(uint32_t number, ComputeSessionId session, uint64_t now_ns) {
  Device& device = devices_[number];
  device.free = alone(device, session);
  device.idle = false;
  send_(session, control::Turn{number, device.free ? kFreeNs : credit(device, session, now_ns)});
}

void ComputeArbiter::ask_to_yield(uint32_t number) {
  Device& device = devices_[number];
  device.yielding = true;
  send_(*device.scheduler.holder(), control::Yield{number});
}

}  // namespace outboard::server
