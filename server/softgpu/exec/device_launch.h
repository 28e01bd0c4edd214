// Dynamic parallelism: kernels that launch kernels, through the system calls of CUDA's device runtime
// (libcudadevrt, whose PTX is linked into such programs).
//
// A child runs when the grid that launched it has ended, in the order of the launches, together with its
// own children; tail launches come last. PTX promises no earlier start, a grid counts as complete only
// with its children, and one after the other is an order that every stream and event allows. So device
// streams and events need no more than a name.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "server/softgpu/exec/launch.h"

namespace outboard::softgpu::exec {

inline constexpr uint32_t kMaxLaunchDepth = 24;  // CUDA's limit; the grid from the host has depth 0
inline constexpr size_t kMaxPendingChildren = size_t{1} << 20;

// The children of one grid. Used by any thread that executes it.
class ChildLaunches {
 public:
  // Room for a child's parameters: a device address, 0 if there is none or the function is no kernel.
  uint64_t prepare(const LaunchRequest& parent, Device& device, uint64_t function, const Dim3& grid,
                   const Dim3& block, uint32_t dynamic_shared_bytes);
  // The child whose parameters are there starts later; false if there is none such.
  bool enqueue(Device& device, uint64_t parameters, uint64_t stream);
  uint64_t new_name() { return names_.fetch_add(1); }

  void set_error(uint64_t thread, uint32_t error);
  // Of the thread, which then has none.
  uint32_t take_error(uint64_t thread);

  // The grid has failed: nothing that it launched runs.
  void discard() {
    children_.clear();
    tails_.clear();
  }
  // Runs what was enqueued and gives back what never was. `run` executes one child.
  template <typename Run>
  LaunchResult finish(Device& device, Run run) {
    LaunchResult result;
    for (auto* queue : {&children_, &tails_}) {
      for (size_t i = 0; i < queue->size() && result.ok(); ++i) result = run((*queue)[i]);
    }
    for (const auto& [address, request] : prepared_) device.heap_free(address);
    return result;
  }

 private:
  std::mutex mutex_;
  std::unordered_map<uint64_t, LaunchRequest> prepared_;
  std::vector<LaunchRequest> children_, tails_;
  std::unordered_map<uint64_t, uint32_t> errors_;
  std::atomic<uint64_t> names_{0x100};  // above the streams that have a meaning
};

}  // namespace outboard::softgpu::exec
