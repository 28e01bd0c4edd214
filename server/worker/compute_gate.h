// Puts a session's work on its devices only while the daemon has given it the turn, and measures by
// events what it took there; see daemon/compute_arbiter.h for the other half.
//
// Launches that follow one another in a stream form a batch between two events. How much may be under
// way is the turn's credit, in device time as earlier launches have shown it: so a turn ends within
// that time, and never leaves anything behind that runs in somebody else's. What was used is the union
// of the batches' intervals on the device's own clock. A session that is alone on its device and has no
// cap passes freely, and nothing is measured.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "protocol/abi/cuda_abi_gen.h"
#include "server/device/driver_api_gen.h"

namespace outboard::server {

class ComputeGate {
 public:
  // What the gate tells the daemon. Called from several threads; must not wait for the daemon's answer.
  struct Daemon {
    std::function<void(uint32_t device)> want;
    // `idle`: nothing is on the device any more, though the turn is kept.
    std::function<void(uint32_t device, uint64_t used_ns, bool idle)> used;
    // The turn is over, of which `used_ns` were not told yet. `more`: the session wants another.
    std::function<void(uint32_t device, uint64_t used_ns, bool more)> over;
  };
  static constexpr uint64_t kFreeNs = UINT64_MAX;  // a credit without limit

  // `must_pass`: whether something that the device waits for may be behind what the gate holds up.
  ComputeGate(const DriverApi& driver, uint32_t devices, std::function<bool()> must_pass);
  ~ComputeGate();
  ComputeGate(const ComputeGate&) = delete;
  ComputeGate& operator=(const ComputeGate&) = delete;

  // Until then, and without it, everything passes.
  void start(Daemon daemon);
  // For the end of the session: lets everything pass from now on.
  void open_for_good();

  // The daemon's words; any thread.
  void turn(uint32_t device, uint64_t credit_ns);
  void yield(uint32_t device);

  // One launch, by the thread that processes commands, in the current context. `key` says what is alike.
  template <typename Launch>
  CUresult launch(uint32_t device, CUstream stream, uint64_t key, Launch call) {
    if (!guarding_.load(std::memory_order_acquire)) return call();
    Pass pass = enter(device, stream, key);
    const CUresult result = call();
    leave(pass, result);
    return result;
  }
  // What comes next is no launch, or does not come at once: batches end here.
  void end_batches() {
    if (open_batches_.load(std::memory_order_relaxed) != 0) close_batches();
  }
  // The context was made current here, so there may be work in it.
  void enter_context(CUcontext context);
  // Before the context is destroyed: waits for what was launched in it.
  void drop_context(CUcontext context);
  // A capture begins (1) or ends (-1): launches may be parts of graphs instead of work.
  void capture_changes(int by);

 private:
  struct Batch {
    CUcontext context = nullptr;
    CUstream stream = nullptr;
    CUevent begin = nullptr;
    CUevent end = nullptr;
    bool measured = false;  // the events could be recorded
    uint64_t key = 0;
    uint32_t launches = 0;
    uint64_t expected_ns = 0;
  };
  struct Device;
  // What a launch is to give back when it was made. Without a device: nothing was taken.
  struct Pass {
    std::unique_lock<std::mutex> submitting;
    Device* device = nullptr;
    Device* inside = nullptr;  // passed freely
    Batch* batch = nullptr;
    uint64_t expected_ns = 0;
  };

  Pass enter(uint32_t device, CUstream stream, uint64_t key);
  bool admit(Device& device, uint64_t key, Pass& pass);
  void leave(Pass& pass, CUresult result);
  Batch& open_batch(Device& device, CUcontext context, CUstream stream, uint64_t key);
  void close_batch(Device& device, Batch& open);
  void close_all(Device& device);
  void close_batches();
  void reap(Device& device);
  bool elapsed(CUevent from, CUevent to, float* ms) const;
  uint64_t measure(Device& device, const Batch& batch);
  void account(Device& device, const Batch& batch, uint64_t took_ns);
  void end_turn(Device& device, std::unique_lock<std::mutex>& lock);
  void wait_for_contexts();
  CUevent take_event(CUcontext context);
  void give_event(CUcontext context, CUevent event);

  const DriverApi& driver_;
  const std::function<bool()> must_pass_;
  Daemon daemon_;
  std::atomic<bool> guarding_{false};
  std::atomic<bool> open_for_good_{false};
  std::atomic<int> captures_{0};
  std::atomic<uint32_t> open_batches_{0};
  std::mutex submit_mutex_;  // held by whoever launches or ends batches; before any other here
  std::mutex contexts_mutex_;
  std::set<CUcontext> contexts_;  // guarded by contexts_mutex_
  std::mutex events_mutex_;
  std::map<CUcontext, std::vector<CUevent>> events_;  // unused ones; guarded by events_mutex_
  std::vector<std::unique_ptr<Device>> devices_;
};

}  // namespace outboard::server
