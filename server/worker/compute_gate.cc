#include "server/worker/compute_gate.h"

#include <algorithm>
#include <chrono>
#include <deque>
#include <thread>
#include <utility>

#include "server/quota/launch_estimates.h"

namespace outboard::server {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::microseconds;
using std::chrono::milliseconds;

// A batch this long is worth its two events and the wake-up at its end.
constexpr uint64_t kBatchNs = 100'000;
constexpr uint32_t kBatchLaunches = 256;
// The daemon hears of what was used in portions of this.
constexpr uint64_t kReportNs = 250'000;
// Shorter gaps between launches are no idleness.
constexpr auto kIdleAfter = microseconds(100);
constexpr auto kLookAgain = milliseconds(5);
// If nothing that is under way ends for so long, it may wait for what the gate holds up.
constexpr auto kStuckAfter = milliseconds(50);
constexpr auto kStuckInHostAfter = milliseconds(1);
// Events tell milliseconds as a float: beyond this they are too coarse.
constexpr double kFarFromBaseMs = 4000;

bool is_capture_error(CUresult result) {
  return result >= CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED && result <= CUDA_ERROR_STREAM_CAPTURE_WRONG_THREAD;
}

}  // namespace

struct ComputeGate::Device {
  uint32_t ordinal = 0;
  std::atomic<bool> free{false};
  std::atomic<uint32_t> inside{0};  // free launches that are being made
  std::map<CUstream, Batch> open;   // guarded by submit_mutex_

  std::mutex mutex;  // guards the rest
  std::condition_variable changed;
  bool held = false;
  bool wanted = false;    // the daemon knows
  bool yielding = false;  // the turn ends when nothing is under way any more
  bool was_free = false;  // and so not all that is under way is known
  bool blocked = false;   // a launch waits
  bool told_idle = true;
  bool stop = false;
  uint64_t credit_ns = 0;
  uint64_t in_flight_ns = 0;
  uint32_t in_flight = 0;  // launches, those of open batches included
  uint64_t unreported_ns = 0;
  Clock::time_point progress = Clock::now();
  std::deque<Batch> closed;
  LaunchEstimates estimates;
  // When the last batch ended, on the device's clock: after the beginning of a batch, whose event is kept.
  CUcontext base_context = nullptr;
  CUevent base = nullptr;
  double covered_ms = 0;
  std::thread reaper;
};

ComputeGate::ComputeGate(const DriverApi& driver, uint32_t devices, std::function<bool()> must_pass)
    : driver_(driver), must_pass_(std::move(must_pass)) {
  for (uint32_t ordinal = 0; ordinal < devices; ++ordinal) {
    devices_.push_back(std::make_unique<Device>());
    devices_.back()->ordinal = ordinal;
  }
}

ComputeGate::~ComputeGate() {
  open_for_good();
  for (auto& device : devices_) {
    {
      std::lock_guard lock(device->mutex);
      device->stop = true;
    }
    device->changed.notify_all();
    if (device->reaper.joinable()) device->reaper.join();
  }
}

void ComputeGate::start(Daemon daemon) {
  daemon_ = std::move(daemon);
  for (auto& device : devices_) device->reaper = std::thread([this, &device = *device] { reap(device); });
  guarding_.store(true, std::memory_order_release);
}

void ComputeGate::open_for_good() {
  open_for_good_.store(true);
  for (auto& device : devices_) {
    std::lock_guard lock(device->mutex);
    device->changed.notify_all();
  }
}

void ComputeGate::turn(uint32_t ordinal, uint64_t credit_ns) {
  if (ordinal >= devices_.size()) return;
  Device& device = *devices_[ordinal];
  {
    std::lock_guard lock(device.mutex);
    if (device.yielding) return;
    device.held = true;
    device.wanted = false;
    device.credit_ns = credit_ns;
    if (credit_ns == kFreeNs) device.was_free = true;
    device.free.store(credit_ns == kFreeNs);
  }
  device.changed.notify_all();
}

void ComputeGate::yield(uint32_t ordinal) {
  if (ordinal >= devices_.size()) return;
  Device& device = *devices_[ordinal];
  {
    std::lock_guard lock(device.mutex);
    if (!device.held) return;
    device.free.store(false);
    device.yielding = true;
  }
  device.changed.notify_all();
}

void ComputeGate::enter_context(CUcontext context) {
  if (context == nullptr) return;
  std::lock_guard lock(contexts_mutex_);
  contexts_.insert(context);
}

void ComputeGate::capture_changes(int by) { captures_.fetch_add(by); }

ComputeGate::Pass ComputeGate::enter(uint32_t ordinal, CUstream stream, uint64_t key) {
  Pass pass;
  if (ordinal >= devices_.size() || open_for_good_.load()) return pass;
  Device& device = *devices_[ordinal];
  // The order of these two, and of the opposite two in end_turn(), lets neither miss the other.
  device.inside.fetch_add(1);
  if (device.free.load()) {
    pass.inside = &device;
    return pass;
  }
  device.inside.fetch_sub(1);
  if (captures_.load() != 0) {
    CUstreamCaptureStatus status = CU_STREAM_CAPTURE_STATUS_NONE;
    const CUresult asked = driver_.cuStreamIsCapturing(stream, &status);
    // Nothing runs now; a launch of the graph will be one.
    if (is_capture_error(asked) || status != CU_STREAM_CAPTURE_STATUS_NONE) return pass;
  }
  pass.submitting = std::unique_lock(submit_mutex_);
  if (!admit(device, key, pass)) return pass;
  CUcontext context = nullptr;
  (void)driver_.cuCtxGetCurrent(&context);
  pass.batch = &open_batch(device, context, stream, key);
  return pass;
}

// True if what was admitted is to be accounted for, in pass.device. With submit_mutex_.
bool ComputeGate::admit(Device& device, uint64_t key, Pass& pass) {
  std::unique_lock lock(device.mutex);
  pass.expected_ns = device.estimates.of(key);
  while (true) {
    if (open_for_good_.load()) return false;
    if (device.free.load()) {
      device.inside.fetch_add(1);
      pass.inside = &device;
      return false;
    }
    const bool fits = device.in_flight == 0 || device.in_flight_ns + pass.expected_ns <= device.credit_ns;
    if (device.held && !device.yielding && fits) break;
    if (!device.open.empty()) {
      lock.unlock();
      close_all(device);
      lock.lock();
      continue;
    }
    if (device.in_flight != 0) {
      const auto still = Clock::now() - device.progress;
      if (still > kStuckAfter || (still > kStuckInHostAfter && must_pass_())) {
        device.progress = Clock::now();
        break;
      }
    } else if (!device.held && !device.wanted) {
      device.wanted = true;
      daemon_.want(device.ordinal);
    }
    device.blocked = true;
    device.changed.wait_for(lock, kLookAgain);
    device.blocked = false;
  }
  if (device.in_flight == 0) device.progress = Clock::now();
  ++device.in_flight;
  device.in_flight_ns += pass.expected_ns;
  device.told_idle = false;
  pass.device = &device;
  return true;
}

void ComputeGate::leave(Pass& pass, CUresult result) {
  if (pass.inside != nullptr) pass.inside->inside.fetch_sub(1);
  if (pass.device == nullptr) return;
  Batch& batch = *pass.batch;
  if (result == CUDA_SUCCESS) {
    ++batch.launches;
    batch.expected_ns += pass.expected_ns;
    if (batch.expected_ns >= kBatchNs || batch.launches >= kBatchLaunches) close_batch(*pass.device, batch);
    return;
  }
  {
    std::lock_guard lock(pass.device->mutex);
    --pass.device->in_flight;
    pass.device->in_flight_ns -= pass.expected_ns;
  }
  pass.device->changed.notify_all();
  close_batch(*pass.device, batch);
}

ComputeGate::Batch& ComputeGate::open_batch(Device& device, CUcontext context, CUstream stream,
                                            uint64_t key) {
  const auto found = device.open.find(stream);
  if (found != device.open.end()) {
    // The null stream is another one in each context.
    if (found->second.context == context && found->second.key == key) return found->second;
    close_batch(device, found->second);
  }
  Batch& batch = device.open[stream];
  batch.context = context;
  batch.stream = stream;
  batch.key = key;
  batch.begin = take_event(context);
  batch.end = take_event(context);
  batch.measured = batch.begin != nullptr && batch.end != nullptr &&
                   driver_.cuEventRecord(batch.begin, stream) == CUDA_SUCCESS;
  open_batches_.fetch_add(1);
  return batch;
}

// Takes it out of device.open.
void ComputeGate::close_batch(Device& device, Batch& open) {
  Batch batch = open;
  device.open.erase(batch.stream);
  open_batches_.fetch_sub(1);
  if (batch.launches != 0 && batch.measured) {
    const bool pushed = driver_.cuCtxPushCurrent_v2(batch.context) == CUDA_SUCCESS;
    batch.measured = driver_.cuEventRecord(batch.end, batch.stream) == CUDA_SUCCESS;
    CUcontext popped = nullptr;
    if (pushed) driver_.cuCtxPopCurrent_v2(&popped);
  }
  {
    std::lock_guard lock(device.mutex);
    device.closed.push_back(batch);
  }
  device.changed.notify_all();
}

void ComputeGate::close_all(Device& device) {
  while (!device.open.empty()) close_batch(device, device.open.begin()->second);
}

// Who is inside launches, or waits to, and ends its batches itself.
void ComputeGate::close_batches() {
  const std::unique_lock submitting(submit_mutex_, std::try_to_lock);
  if (!submitting.owns_lock()) return;
  for (auto& device : devices_) close_all(*device);
}

void ComputeGate::drop_context(CUcontext context) {
  if (!guarding_.load()) return;
  const std::lock_guard submitting(submit_mutex_);
  for (auto& device : devices_) {
    close_all(*device);
    std::unique_lock lock(device->mutex);
    device->changed.wait(lock, [&] { return device->in_flight == 0 || device->stop; });
    if (device->base_context == context)
      give_event(std::exchange(device->base_context, nullptr), std::exchange(device->base, nullptr));
  }
  const std::lock_guard lock(contexts_mutex_);
  contexts_.erase(context);
  const std::lock_guard events_lock(events_mutex_);
  for (CUevent event : events_[context]) (void)driver_.cuEventDestroy_v2(event);
  events_.erase(context);
}

void ComputeGate::reap(Device& device) {
  // This thread takes part in no capture.
  auto mode = CU_STREAM_CAPTURE_MODE_RELAXED;
  (void)driver_.cuThreadExchangeStreamCaptureMode(&mode);
  std::unique_lock lock(device.mutex);
  while (!device.stop) {
    if (!device.closed.empty()) {
      Batch batch = device.closed.front();
      device.closed.pop_front();
      lock.unlock();
      const uint64_t took_ns = measure(device, batch);
      lock.lock();
      account(device, batch, took_ns);
    } else if (device.yielding && device.in_flight == 0) {
      end_turn(device, lock);
    } else if (device.held && device.in_flight == 0 && !device.told_idle) {
      if (device.changed.wait_for(lock, kIdleAfter) == std::cv_status::timeout && device.in_flight == 0 &&
          !device.yielding && !device.told_idle) {
        daemon_.used(device.ordinal, std::exchange(device.unreported_ns, 0), true);
        device.told_idle = true;
      }
    } else {
      device.changed.wait(lock);
    }
  }
}

bool ComputeGate::elapsed(CUevent from, CUevent to, float* ms) const {
  const auto ask =
      driver_.has("cuEventElapsedTime_v2") ? driver_.cuEventElapsedTime_v2 : driver_.cuEventElapsedTime;
  return ask(ms, from, to) == CUDA_SUCCESS;
}

// Waits until the batch is over. Device time that no batch before it has taken.
uint64_t ComputeGate::measure(Device& device, const Batch& batch) {
  if (batch.launches == 0 || !batch.measured) {
    give_event(batch.context, batch.begin);
    give_event(batch.context, batch.end);
    return 0;
  }
  (void)driver_.cuCtxSetCurrent(batch.context);
  const bool over = driver_.cuEventSynchronize(batch.end) == CUDA_SUCCESS;
  const bool same = device.base != nullptr && device.base_context == batch.context;
  float begin_ms = 0;
  float end_ms = 0;
  CUevent base = same ? device.base : batch.begin;
  bool known = over && elapsed(base, batch.end, &end_ms);
  if (known && same) known = elapsed(base, batch.begin, &begin_ms);
  double used_ms = 0;
  if (known) {
    const double covered_ms = same ? device.covered_ms : 0;
    used_ms = std::max(0.0, end_ms - std::max<double>(begin_ms, covered_ms));
    device.covered_ms = std::max<double>(covered_ms, end_ms);
  }
  if (known && (!same || end_ms > kFarFromBaseMs)) {
    if (device.base != nullptr) give_event(device.base_context, device.base);
    device.base = batch.begin;
    device.base_context = batch.context;
    device.covered_ms -= begin_ms;
  } else {
    give_event(batch.context, batch.begin);
  }
  give_event(batch.context, batch.end);
  return static_cast<uint64_t>(used_ms * 1e6);
}

// With device.mutex.
void ComputeGate::account(Device& device, const Batch& batch, uint64_t took_ns) {
  device.in_flight -= batch.launches;
  device.in_flight_ns -= batch.expected_ns;
  device.progress = Clock::now();
  device.unreported_ns += took_ns;
  if (batch.launches != 0) device.estimates.note(batch.key, took_ns / batch.launches);
  if (device.held && !device.yielding && device.unreported_ns >= kReportNs)
    daemon_.used(device.ordinal, std::exchange(device.unreported_ns, 0), false);
  device.changed.notify_all();
}

// With device.mutex, in `lock`.
void ComputeGate::end_turn(Device& device, std::unique_lock<std::mutex>& lock) {
  if (device.inside.load() != 0) {
    device.changed.wait_for(lock, microseconds(50));
    return;
  }
  if (device.was_free) {
    lock.unlock();
    wait_for_contexts();
    lock.lock();
    device.was_free = false;
  }
  device.held = false;
  device.yielding = false;
  device.told_idle = true;
  device.wanted = device.blocked;
  // While the mutex is held: what the daemon hears has the order in which it happened.
  daemon_.over(device.ordinal, std::exchange(device.unreported_ns, 0), device.blocked);
}

// For what passed freely. A capture would be spoilt by the wait; then it is left out.
void ComputeGate::wait_for_contexts() {
  if (captures_.load() != 0) return;
  const std::lock_guard lock(contexts_mutex_);
  for (CUcontext context : contexts_) {
    if (driver_.cuCtxSetCurrent(context) == CUDA_SUCCESS) (void)driver_.cuCtxSynchronize();
  }
}

CUevent ComputeGate::take_event(CUcontext context) {
  {
    const std::lock_guard lock(events_mutex_);
    std::vector<CUevent>& unused = events_[context];
    if (!unused.empty()) {
      CUevent event = unused.back();
      unused.pop_back();
      return event;
    }
  }
  CUevent event = nullptr;
  return driver_.cuEventCreate(&event, CU_EVENT_BLOCKING_SYNC) == CUDA_SUCCESS ? event : nullptr;
}

void ComputeGate::give_event(CUcontext context, CUevent event) {
  if (event == nullptr) return;
  const std::lock_guard lock(events_mutex_);
  events_[context].push_back(event);
}

}  // namespace outboard::server
