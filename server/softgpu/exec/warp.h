// State of a warp while it executes. 32 lanes share one instruction stream; each lane has its own
// next instruction, and the lanes that are lowest in the code run together (ptx/cfg.h says why).
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

#include "server/softgpu/exec/launch.h"
#include "server/softgpu/exec/op.h"

#define OUTBOARD_INLINE [[gnu::always_inline]] inline

namespace outboard::softgpu::ptx {
class Image;
struct FunctionCode;
}  // namespace outboard::softgpu::ptx

namespace outboard::softgpu::exec {

struct Cta;
class ChildLaunches;  // device_launch.h

inline constexpr uint32_t kLanes = 32;
inline constexpr uint32_t kAllLanes = 0xffff'ffff;
inline constexpr uint32_t kNowhere = 0xffff'ffff;  // no instruction
inline constexpr uint32_t kBarriers = 16;          // per CTA, as PTX has them

// Back edges that a warp may take before others get their turn. Spinning needs other lanes, warps
// or CTAs to move, so instructions that one spins on shorten it.
inline constexpr int32_t kBackEdgeBudget = 4096;
// While its lanes are together, a warp hands over sooner, so that the warps of a CTA walk through
// memory side by side. Measured: bench/README.md.
inline constexpr int32_t kWholeBudget = 8;
inline constexpr int32_t kSpinBudget = 48;
inline constexpr int32_t kForcedBudget = 64;

enum class Stop : uint8_t {
  kNone,
  kYielded,  // budget spent, or nanosleep: run again later
  kBlocked,  // all lanes left wait at barriers
  kDone,     // all lanes have exited
  kFault,    // Launch has the error
};

// The last ranges of device memory that were found valid, so that most accesses are checked with
// two comparisons.
struct RangeCache {
  static constexpr uint32_t kEntries = 8;
  MemoryRange ranges[kEntries];
  uint32_t last = 0;
  uint32_t victim = 0;
};

// What is constant during a launch, and its error.
struct Launch {
  uint64_t serial = 0;  // no other launch of this process has it
  const LaunchRequest* request = nullptr;
  Device* device = nullptr;
  const ptx::Image* image = nullptr;
  const ptx::FunctionCode* entry = nullptr;
  const Op* code = nullptr;
  const std::byte* constants = nullptr;
  const std::byte* params = nullptr;
  uint32_t param_bytes = 0;
  uint32_t threads = 0;       // per CTA
  uint32_t warps = 0;         // per CTA
  uint32_t shared_bytes = 0;  // static and dynamic
  uint32_t dynamic_shared_base = 0;
  uint32_t stack_bytes = 0;  // local memory per lane
  uint64_t workspace = 0;    // of a cooperative launch: device address of the grid barrier
  uint64_t workspace_bytes = 0;
  uint64_t deadline_ns = 0;  // of the monotonic clock, 0 if there is none
  std::atomic<bool> failed{false};
  std::mutex mutex;
  LaunchResult result;  // under mutex
  ChildLaunches* children = nullptr;

  // The device wants it, or the time is up. In run.cc.
  bool must_stop() const;
};

// Rows of a function that a recursive call of its may overwrite.
struct SavedFrame {
  uint32_t lanes;     // not yet restored
  uint32_t function;  // index in the image
  std::vector<std::byte> rows;
  std::vector<uint32_t> predicates;
};

struct Warp {
  std::byte* bank[4];
  uint32_t* predicates;
  const Op* code;
  uint32_t active;          // lanes that the current instruction is for
  uint32_t absent;          // lanes that have exited or never existed
  uint32_t waiting;         // lanes at a barrier
  uint32_t lowest_pending;  // lowest next[] of the other lanes; kNowhere also while running ahead
  int32_t budget;
  uint32_t together;   // its lanes are in order, and all have gone the same way since the kernel began
  uint32_t in_order;   // the lanes' %tid.x are consecutive, their %tid.y and %tid.z the same
  bool spun;           // has executed something that programs spin on since resume()
  bool brief;          // the budget is kWholeBudget: if the lanes part, the warp goes on
  bool running_ahead;  // the active lanes were chosen out of order, see yield()
  Stop stop;
  const Op* left_at;       // where the interpreter goes on if another warp was entered, see Cta::next_turn()
  uint32_t last_ahead;     // where lanes last ran ahead from
  uint32_t index;          // in the CTA
  uint32_t sync_waiting;   // of `waiting`: those that wait for lanes of this warp
  uint32_t sync_released;  // may pass their convergence point now
  Cta* cta;
  Launch* launch;
  RangeCache* ranges;
  std::byte* shared;
  std::byte* local;  // lane's memory: local + lane * launch->stack_bytes
  uint32_t shared_bytes;
  uint32_t stack_bytes;
  alignas(64) uint32_t next[kLanes];
  uint32_t sync_mask[kLanes];
  uint32_t at_barrier[kBarriers];  // lanes per barrier
  std::vector<SavedFrame> saved;   // of recursive calls

  template <typename T>
  OUTBOARD_INLINE T* row(uint32_t operand) const {
    return reinterpret_cast<T*>(bank[operand & 3] + (operand & ~(kRowUnit - 1)));
  }
  // Lanes that the instruction is for, its guard considered.
  OUTBOARD_INLINE uint32_t mask(const Op* op) const {
    return active & (predicates[op->guard] ^ op->guard_flip);
  }
  // A source predicate as a mask of lanes.
  OUTBOARD_INLINE uint32_t predicate(uint32_t operand) const {
    return predicates[operand >> 1] ^ (0u - (operand & 1));
  }
  // All columns of a row may be written: those of absent lanes do not matter.
  OUTBOARD_INLINE bool covers_all(uint32_t mask) const { return (mask | absent) == kAllLanes; }
  OUTBOARD_INLINE void set_predicate(uint32_t index, uint32_t mask, uint32_t value) {
    predicates[index] = (predicates[index] & ~mask) | (value & mask);
  }
  // Instructions on which programs spin call this.
  OUTBOARD_INLINE void may_spin() {
    spun = true;
    if (budget > kSpinBudget) budget = kSpinBudget;
  }

  // The rest is in warp.cc.

  // Prepares a stopped warp to go on: the instruction to execute first, or nullptr.
  const Op* resume();
  // The active lanes go on at `target`, others may be there or before it.
  const Op* regroup(uint32_t target);
  // Lanes in `taken` go to `target`, the other active ones to `other`.
  const Op* split(uint32_t taken, uint32_t target, uint32_t other);
  // Chooses the active lanes from next[].
  const Op* select();
  // The active lanes' budget is spent; they go on at `target` later.
  const Op* yield(uint32_t target);
  // Ends the lanes; goes on with the others, or at `after` if active ones are left.
  const Op* exit_lanes(uint32_t lanes, uint32_t after);
  // The active lanes wait until those of `members` are at the same instruction `here`, which will
  // be executed again. Returns nullptr if they are together already.
  const Op* converge(uint32_t members, const Op* here, bool& together);
  void release_converged();
  uint64_t cta_number() const;
  // All lanes go on at the same instruction.
  bool in_one_place() const;
  // Some of the active lanes stay at the instruction `at`, for which they come back.
  void stay(uint32_t lanes, uint32_t at) {
    active &= ~lanes;
    for (uint32_t lane = 0; lane < kLanes; ++lane) {
      if (lanes >> lane & 1) next[lane] = at;
    }
    if (!running_ahead && at < lowest_pending) lowest_pending = at;
  }
  void park(uint32_t target) {
    for (uint32_t lane = 0; lane < kLanes; ++lane) next[lane] = active >> lane & 1 ? target : next[lane];
  }
};

// Ends the launch with an error; returns nullptr for the handler to return.
[[gnu::cold]] const Op* fault(Warp& warp, const Op* op, int code, uint32_t lane, const std::string& what);

}  // namespace outboard::softgpu::exec
