// A CTA: its warps, shared memory and barriers. Runs on one thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "server/softgpu/exec/special.h"
#include "server/softgpu/exec/warp.h"

namespace outboard::softgpu::exec {

enum class Reduction : uint8_t { kNone, kPopulation, kAnd, kOr };

struct BarrierArrival {
  uint32_t barrier = 0;
  uint32_t count = 0;  // threads, 0 for all of the CTA
  bool wait = true;    // false for bar.arrive
  Reduction reduction = Reduction::kNone;
  uint32_t predicate = 0;    // per lane
  uint32_t destination = 0;  // row or predicate, for the reduction's result
};

// Page-aligned memory without initialisation cost.
class Buffer {
 public:
  Buffer() = default;
  ~Buffer();
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  // At least `bytes`, contents undefined; keeps what it has if that is enough. False if memory is
  // exhausted.
  bool reserve(size_t bytes);
  std::byte* data() const { return data_; }

 private:
  std::byte* data_ = nullptr;
  size_t bytes_ = 0;
};

struct Cta {
  // Sets up the CTA number `number` of the grid. False if memory is exhausted.
  bool start(Launch& launch, RangeCache& ranges, uint64_t number);
  // Runs until it is done, has failed, is interrupted or spends `rounds` rounds in which all that can
  // run seems to wait for something.
  Stop run(uint32_t rounds);

  // A barrier instruction of the active lanes `lanes` of a warp. They go on at `after`.
  const Op* arrive(Warp& warp, const Op* op, uint32_t lanes, uint32_t after, const BarrierArrival& arrival);
  // A warp's turn is over in machine code: the warp whose turn is next if all its lanes are together and
  // go on at the instruction `at`, ready to do so, else nullptr. run() goes on behind it.
  Warp* next_turn(uint32_t at);
  // Lanes of a warp have exited, so that barriers may be complete.
  void lanes_gone(uint32_t lanes);

  Launch* launch = nullptr;
  std::vector<Warp> warps;
  uint64_t number = 0;
  Buffer shared;

 private:
  struct Waiter {
    Warp* warp;
    uint32_t lanes;
    Reduction reduction;
    uint32_t destination;
  };
  struct Barrier {
    bool open = false;  // somebody has arrived
    uint32_t count = 0;
    uint32_t extra = 0;    // threads that arrived without waiting
    uint32_t waiting = 0;  // threads that wait
    uint32_t population = 0;
    bool all = true;
    bool any = false;
    std::vector<Waiter> waiters;  // only those with a reduction
  };

  // What all CTAs of a launch have alike.
  bool prepare(Launch& launch);
  void fill_specials();
  void fill_specials(const Warp& warp);
  // And what each has for itself.
  void fill_numbers();
  void fill_number(Special special, uint32_t value);
  // A warp's first turn: its first instruction.
  const Op* begin(Warp& warp);
  void begin_with_calls(Warp& warp);
  uint32_t arrived_at(uint32_t number) const;
  void complete_if_ready(uint32_t number);
  void complete_open_barriers();

  uint64_t launch_serial_ = 0;  // of the launch that everything is prepared for
  uint32_t present_ = 0;        // threads that have not exited
  uint32_t turn_ = 0;           // the warp that executes
  uint32_t begun_ = 0;          // warps that have had a turn; what the others hold is of another CTA
  uint32_t open_barriers_ = 0;  // bit each
  RangeCache* ranges_ = nullptr;
  Dim3 place_;  // in the grid
  bool wide_stores_ = false;
  Barrier barriers_[kBarriers];
  Buffer registers_, local_;
  std::vector<uint32_t> predicates_;
  Buffer specials_, numbers_;  // of each warp, of the CTA
};

// For machine code, of a warp whose lanes are all active: they exit; or they go on at `target` later. Both
// return what Cta::next_turn() does, for `at` and for `target`.
Warp* exit_whole_warp(Warp& warp, uint32_t at);
Warp* yield_whole_warp(Warp& warp, uint32_t target);

}  // namespace outboard::softgpu::exec
