// run(): a grid on the device's threads.
#include <algorithm>
#include <atomic>
#include <cstring>
#include <memory>
#include <thread>

#include "protocol/base/clock.h"
#include "server/softgpu/exec/constants.h"
#include "server/softgpu/exec/cta.h"
#include "server/softgpu/exec/device_launch.h"
#include "server/softgpu/exec/launch.h"
#include "server/softgpu/exec/texture.h"
#include "server/softgpu/exec/thread_pool.h"
#include "server/softgpu/ptx/image.h"

namespace outboard::softgpu::exec {
namespace {

// Rounds in which a CTA's warps only spin before another CTA gets the thread, and turns of a thread's CTAs
// in which none ends before it starts another. CTAs of cooperative launches wait for one another all the
// time; others mostly for earlier ones, which have started: each that is started too early costs its rounds
// in every turn.
constexpr uint32_t kIdleRounds = 8, kIdleRoundsCooperative = 1;
constexpr uint32_t kIdleTurns = 16, kIdleTurnsCooperative = 1;
// CTAs that one thread may have started at a time when all of them wait for others.
constexpr size_t kMaxResident = 4096;
constexpr uint32_t kRecursionStackBytes = 16 * 1024;
constexpr size_t kWorkspaceBytes = 4096;

LaunchResult refuse(int code, std::string message) { return {code, std::move(message)}; }

LaunchResult check(const LaunchRequest& request) {
  const ptx::Kernel& kernel = *request.kernel;
  auto number = [](uint64_t value) { return std::to_string(value); };
  if (!kernel.refusal.empty())
    return refuse(801, "kernel " + kernel.name + " cannot be executed: " + kernel.refusal);
  uint64_t threads = request.block.count();
  if (request.grid.count() == 0 || threads == 0)
    return refuse(1, "kernel " + kernel.name + ": a grid or block dimension is zero");
  if (request.grid.y > 65535 || request.grid.z > 65535 || request.grid.x > 0x7fff'ffff) {
    return refuse(1, "kernel " + kernel.name + ": the grid is larger than (2147483647,65535,65535)");
  }
  if (threads > std::min(kernel.max_threads, kMaxThreadsPerBlock) || request.block.z > 64) {
    return refuse(1, "kernel " + kernel.name + ": a block of " + number(threads) +
                         " threads was asked for, the kernel allows " + number(kernel.max_threads));
  }
  const uint32_t* required = kernel.required_block;
  if (required[0] != 0 &&
      (request.block.x != required[0] || request.block.y != required[1] || request.block.z != required[2])) {
    return refuse(1, "kernel " + kernel.name + " must be launched with the block size of its .reqntid");
  }
  uint64_t shared = uint64_t{kernel.static_shared_bytes} + request.dynamic_shared_bytes;
  if (shared > kMaxSharedBytesPerBlock) {
    return refuse(1, "kernel " + kernel.name + " needs " + number(shared) +
                         " bytes of shared memory, the limit is " + number(kMaxSharedBytesPerBlock));
  }
  if (kernel.param_bytes > kMaxParamBytes)
    return refuse(
        1, "kernel " + kernel.name + " has more than " + number(kMaxParamBytes) + " bytes of parameters");
  return {};
}

// CTAs that a thread has used and keeps, because their memory is warm.
class CtaStore {
 public:
  std::unique_ptr<Cta> take() {
    if (free_.empty()) return std::make_unique<Cta>();
    std::unique_ptr<Cta> cta = std::move(free_.back());
    free_.pop_back();
    return cta;
  }
  void give_back(std::unique_ptr<Cta> cta) {
    if (free_.size() < 2) free_.push_back(std::move(cta));
  }

 private:
  std::vector<std::unique_ptr<Cta>> free_;
};
thread_local CtaStore cta_store;

// What one thread does for a launch: starts CTAs in ascending order and runs them to their end.
class Worker {
 public:
  Worker(Launch& launch, std::atomic<uint64_t>& next, uint64_t count)
      : launch_(launch), next_(next), count_(count) {
    rounds_ = launch.request->cooperative ? kIdleRoundsCooperative : kIdleRounds;
    generation_ = launch.device->memory_generation();
    forget_views();
  }
  ~Worker() { forget_views(); }
  Worker(const Worker&) = delete;

  void run() {
    const uint32_t patience = launch_.request->cooperative ? kIdleTurnsCooperative : kIdleTurns;
    uint32_t idle_turns = 0;
    while (!launch_.failed.load(std::memory_order_relaxed)) {
      if (launch_.must_stop()) return interrupted();
      if (resident_.empty() && !start_next()) return;
      const size_t before = resident_.size();
      if (!turn()) return;
      // All of them wait for something; perhaps for a CTA that has not started.
      idle_turns = resident_.size() < before ? 0 : idle_turns + 1;
      if (resident_.empty() || resident_.size() == kMaxResident || idle_turns < patience) continue;
      start_next();
      idle_turns = 0;
    }
  }

 private:
  bool start_next() {
    if (exhausted_) return false;
    uint64_t number = next_.fetch_add(1, std::memory_order_relaxed);
    if (number >= count_) return exhausted_ = true, false;
    std::unique_ptr<Cta> cta = cta_store.take();
    if (!cta->start(launch_, ranges_, number)) {
      std::lock_guard lock(launch_.mutex);
      if (!launch_.failed.exchange(true))
        launch_.result =
            refuse(2, "no memory for the registers of a block of kernel " + launch_.request->kernel->name);
      return false;
    }
    resident_.push_back(std::move(cta));
    return true;
  }

  // Every resident CTA once.
  bool turn() {
    for (size_t i = 0; i < resident_.size();) {
      refresh();
      Stop stop = resident_[i]->run(rounds_);
      if (stop == Stop::kFault) return false;
      if (stop == Stop::kDone) {
        cta_store.give_back(std::move(resident_[i]));
        resident_.erase(resident_.begin() + static_cast<ptrdiff_t>(i));
      } else {
        ++i;
        // What it waits for may need the processor.
        std::this_thread::yield();
      }
    }
    return true;
  }

  void refresh() {
    uint64_t now = launch_.device->memory_generation();
    if (now == generation_) return;
    generation_ = now;
    ranges_ = RangeCache{};
    forget_views();
  }

  void interrupted() {
    std::lock_guard lock(launch_.mutex);
    if (!launch_.failed.exchange(true)) {
      launch_.result = refuse(702, "kernel " + launch_.request->kernel->name +
                                       " was stopped: it ran too long, or its context was destroyed");
    }
  }

  Launch& launch_;
  std::atomic<uint64_t>& next_;
  uint64_t count_;
  uint32_t rounds_;
  uint64_t generation_;
  bool exhausted_ = false;
  RangeCache ranges_;
  std::vector<std::unique_ptr<Cta>> resident_;
};

}  // namespace

bool Launch::must_stop() const {
  return device->interrupted() || (deadline_ns != 0 && monotonic_ns() > deadline_ns);
}

LaunchResult run(const LaunchRequest& request, Device& device) {
  if (LaunchResult checked = check(request); !checked.ok()) return checked;
  const ptx::Kernel& kernel = *request.kernel;
  const ptx::Image& image = request.module->program().image();
  static std::atomic<uint64_t> launches{0};
  Launch launch;
  ChildLaunches children;
  launch.children = &children;
  launch.serial = ++launches;
  launch.request = &request;
  launch.device = &device;
  launch.image = &image;
  launch.entry = &image.functions[kernel.function];
  launch.code = image.code.data();
  launch.constants = request.module->constants().data();
  std::vector<std::byte> padded;
  launch.params = request.params.data();
  if (request.params.size() < kernel.param_bytes) {
    padded = request.params;
    padded.resize(kernel.param_bytes);
    launch.params = padded.data();
  }
  launch.param_bytes = kernel.param_bytes;
  launch.threads = static_cast<uint32_t>(request.block.count());
  launch.warps = (launch.threads + kLanes - 1) / kLanes;
  launch.dynamic_shared_base = (kernel.static_shared_bytes + 15) & ~15u;
  launch.shared_bytes =
      std::max(launch.dynamic_shared_base + request.dynamic_shared_bytes, kernel.static_shared_bytes);
  launch.stack_bytes = launch.entry->stack_bytes + (launch.entry->recursive ? kRecursionStackBytes : 0);
  std::unique_ptr<std::byte[]> workspace;
  if (request.cooperative) {
    workspace = std::make_unique<std::byte[]>(kWorkspaceBytes + 64);
    launch.workspace = (reinterpret_cast<uint64_t>(workspace.get()) + 63) & ~uint64_t{63};
    launch.workspace_bytes = kWorkspaceBytes;
  }
  if (request.time_limit_ns != 0) launch.deadline_ns = monotonic_ns() + request.time_limit_ns;
  uint64_t count = request.grid.count();
  if (image.tier) image.tier->launching(kernel.function, count * launch.warps);
  std::atomic<uint64_t> next{0};
  unsigned helpers = static_cast<unsigned>(std::min<uint64_t>(count - 1, device.pool().threads() - 1));
  device.pool().run(helpers, [&] { Worker(launch, next, count).run(); });
  {
    std::lock_guard lock(launch.mutex);
    if (!launch.result.ok()) children.discard();
  }
  LaunchResult of_children = children.finish(device, [&](LaunchRequest child) {
    child.time_limit_ns = request.time_limit_ns;  // each has as long as its parent
    return run(child, device);
  });
  std::lock_guard lock(launch.mutex);
  return launch.result.ok() ? of_children : launch.result;
}

}  // namespace outboard::softgpu::exec
