#include "server/softgpu/exec/cta.h"

#include <immintrin.h>
#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include "server/softgpu/exec/isa.h"
#include "server/softgpu/exec/lane_facts.h"
#include "server/softgpu/exec/thread_pool.h"
#include "server/softgpu/ptx/image.h"

namespace outboard::softgpu::exec {

Buffer::~Buffer() {
  if (data_ != nullptr) munmap(data_, bytes_);
}

bool Buffer::reserve(size_t bytes) {
  if (bytes <= bytes_) return true;
  bytes = (bytes + 4095) & ~size_t{4095};
  void* fresh =
      mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (fresh == MAP_FAILED) return false;
  if (data_ != nullptr) munmap(data_, bytes_);
  data_ = static_cast<std::byte*>(fresh);
  bytes_ = bytes;
  return true;
}

namespace {

// Where the CTA pretends to run.
uint32_t multiprocessor_of(const Launch& launch, uint64_t number) {
  const std::vector<uint32_t>& part = launch.device->pool().multiprocessors();
  if (!part.empty()) return part[number % part.size()];
  return static_cast<uint32_t>(number % std::max(1u, launch.device->multiprocessors()));
}

// CTAs reuse memory, and row strides that are powers of two put every warp on the same cache sets.
constexpr size_t kWarpPadding = 192;

OUTBOARD_INLINE uint32_t count_lanes(uint32_t lanes) {
  return lanes == kAllLanes ? kLanes : static_cast<uint32_t>(std::popcount(lanes));
}

uint32_t* special_row(const Warp& warp, Special special) {
  return warp.row<uint32_t>(special_operand(special));
}

// Two stores instead of eight: short kernels fill a row for every warp.
[[gnu::target("avx512f")]] void fill_row_wide(uint32_t* row, uint32_t value) {
  const __m512i lanes = _mm512_set1_epi32(static_cast<int>(value));
  _mm512_store_si512(row, lanes);
  _mm512_store_si512(row + 16, lanes);
}

bool in_order(const Warp& warp) {
  const uint32_t *x = special_row(warp, Special::kTidX), *y = special_row(warp, Special::kTidY),
                 *z = special_row(warp, Special::kTidZ);
  uint32_t difference = 0;
  for (uint32_t lane = 0; lane < kLanes; ++lane)
    difference |= (x[lane] ^ (x[0] + lane)) | (y[lane] ^ y[0]) | (z[lane] ^ z[0]);
  return difference == 0;
}

}  // namespace

// Rows that are the same in every CTA of a launch: those of all its warps, and one warp's.
void Cta::fill_specials() {
  const LaunchRequest& request = *launch->request;
  const Dim3 &block = request.block, &grid = request.grid;
  auto fill = [&](Special special, uint64_t value) { fill_number(special, static_cast<uint32_t>(value)); };
  fill(Special::kNtidX, block.x);
  fill(Special::kNtidY, block.y);
  fill(Special::kNtidZ, block.z);
  fill(Special::kNctaidX, grid.x);
  fill(Special::kNctaidY, grid.y);
  fill(Special::kNctaidZ, grid.z);
  fill(Special::kNwarpid, launch->warps);
  fill(Special::kNsmid, launch->device->multiprocessors());
  fill(Special::kGridid, 0);
  fill(Special::kTotalSmemSize, launch->shared_bytes);
  fill(Special::kDynamicSmemSize, request.dynamic_shared_bytes);
  fill(Special::kDynamicSharedBase, launch->dynamic_shared_base);
  fill(Special::kEnvreg1, launch->workspace >> 32);
  fill(Special::kEnvreg2, launch->workspace);
  fill(Special::kZero, 0);
  fill(Special::kOne, 1);
}

void Cta::fill_specials(const Warp& warp) {
  const Dim3& block = launch->request->block;
  uint64_t wanted = launch->entry->specials;
  auto wants = [&](Special special) { return wanted >> static_cast<unsigned>(special) & 1; };
  auto row = [&](Special special) { return special_row(warp, special); };
  uint32_t first = warp.index * kLanes;
  uint32_t x = first % block.x, y = first / block.x % block.y, z = first / block.x / block.y;
  for (uint32_t lane = 0; lane < kLanes; ++lane) {
    row(Special::kTidX)[lane] = x;
    row(Special::kTidY)[lane] = y;
    row(Special::kTidZ)[lane] = z;
    if (++x == block.x) {
      x = 0;
      if (++y == block.y) {
        y = 0;
        ++z;
      }
    }
  }
  for (uint32_t lane = 0; lane < kLanes; ++lane) {
    row(Special::kLaneid)[lane] = lane;
    if (wants(Special::kLanemaskEq)) row(Special::kLanemaskEq)[lane] = 1u << lane;
    if (wants(Special::kLanemaskLe)) row(Special::kLanemaskLe)[lane] = kAllLanes >> (31 - lane);
    if (wants(Special::kLanemaskLt)) row(Special::kLanemaskLt)[lane] = (1u << lane) - 1;
    if (wants(Special::kLanemaskGe)) row(Special::kLanemaskGe)[lane] = kAllLanes << lane;
    if (wants(Special::kLanemaskGt)) row(Special::kLanemaskGt)[lane] = kAllLanes << lane << 1;
  }
  if (wants(Special::kWarpid)) std::fill_n(row(Special::kWarpid), kLanes, warp.index);
  std::fill_n(row(Special::kStackPointer), kLanes, 0u);
}

// A row of the same number stays: what it holds, this has written, or it is new and zero.
void Cta::fill_number(Special special, uint32_t value) {
  uint32_t* row = special_row(warps.front(), special);
  if (!(launch->entry->specials >> static_cast<unsigned>(special) & 1) || row[0] == value) return;
  if (wide_stores_) {
    fill_row_wide(row, value);
  } else {
    std::fill_n(row, kLanes, value);
  }
}

void Cta::fill_numbers() {
  fill_number(Special::kCtaidX, place_.x);
  fill_number(Special::kCtaidY, place_.y);
  fill_number(Special::kCtaidZ, place_.z);
  if (launch->entry->specials >> static_cast<unsigned>(Special::kSmid) & 1)
    fill_number(Special::kSmid, multiprocessor_of(*launch, number));
}

bool Cta::prepare(Launch& for_launch) {
  launch = &for_launch;
  launch_serial_ = 0;
  wide_stores_ = isa_available(Isa::kAvx512);
  const ptx::FunctionCode& entry = *launch->entry;
  size_t register_stride = entry.register_bytes + kWarpPadding;
  size_t special_stride = kSpecialBankBytes;
  size_t local_stride = size_t{launch->stack_bytes} * kLanes;
  if (!registers_.reserve(register_stride * launch->warps) ||
      !specials_.reserve(special_stride * launch->warps) ||
      !numbers_.reserve(size_t{kSpecialCount} * kSpecialRowBytes) ||
      !local_.reserve(local_stride * launch->warps) || !shared.reserve(launch->shared_bytes + 64)) {
    return false;
  }
  predicates_.assign(size_t{entry.predicates} * launch->warps, 0);
  warps.resize(launch->warps);
  for (uint32_t i = 0; i < launch->warps; ++i) {
    Warp& warp = warps[i];
    warp.bank[kBankRegisters] = registers_.data() + register_stride * i;
    warp.bank[kBankConstants] = const_cast<std::byte*>(launch->constants);
    warp.bank[kBankSpecial] = specials_.data() + special_stride * i;
    warp.bank[kBankCta] = numbers_.data();
    warp.predicates = predicates_.data() + size_t{entry.predicates} * i;
    warp.predicates[kPredicateTrue] = kAllLanes;
    warp.code = launch->code;
    warp.index = i;
    warp.cta = this;
    warp.launch = launch;
    warp.shared = shared.data();
    warp.shared_bytes = launch->shared_bytes;
    warp.local = local_.data() + local_stride * i;
    warp.stack_bytes = launch->stack_bytes;
    warp.waiting = warp.sync_waiting = 0;
    std::fill_n(warp.at_barrier, kBarriers, 0u);
    warp.left_at = nullptr;
    fill_specials(warp);
    warp.in_order = in_order(warp);
  }
  fill_specials();
  launch_serial_ = launch->serial;
  return true;
}

bool Cta::start(Launch& for_launch, RangeCache& ranges, uint64_t cta_number) {
  if (launch_serial_ != for_launch.serial && !prepare(for_launch)) return false;
  const Dim3& grid = launch->request->grid;
  number = cta_number;
  const uint64_t row = number / grid.x;
  place_ = {static_cast<uint32_t>(number - row * grid.x), static_cast<uint32_t>(row % grid.y),
            static_cast<uint32_t>(row / grid.y)};
  present_ = launch->threads;
  begun_ = 0;
  ranges_ = &ranges;
  fill_numbers();
  for (; open_barriers_ != 0; open_barriers_ &= open_barriers_ - 1)
    barriers_[std::countr_zero(open_barriers_)] = Barrier{};
  return true;
}

// next[] is written when lanes stop, and no lane waits any more since the end of the last CTA.
const Op* Cta::begin(Warp& warp) {
  uint32_t lanes = std::min(kLanes, launch->threads - warp.index * kLanes);
  warp.absent = lanes == kLanes ? 0 : kAllLanes << lanes;
  warp.active = ~warp.absent;
  warp.sync_released = 0;
  warp.lowest_pending = kNowhere;
  warp.spun = warp.running_ahead = false;
  warp.brief = lanes == kLanes;
  warp.budget = warp.brief ? kWholeBudget : kBackEdgeBudget;
  warp.last_ahead = 0;
  warp.stop = Stop::kNone;
  warp.ranges = ranges_;
  warp.together = 0;  // until machine code finds that out
  if (launch->stack_bytes != 0) begin_with_calls(warp);
  return launch->code + launch->entry->entry;
}

// Threads may exit in a recursive call.
[[gnu::noinline]] void Cta::begin_with_calls(Warp& warp) {
  warp.saved.clear();
  std::fill_n(special_row(warp, Special::kStackPointer), kLanes, 0u);
}

Stop Cta::run(uint32_t rounds) {
  uint32_t idle_rounds = 0;
  for (;;) {
    bool all_done = true, progress = false, runnable = false;
    for (turn_ = 0; turn_ < launch->warps; ++turn_) {
      Warp* warp = &warps[turn_];
      const bool is_new = turn_ == begun_;
      if (!is_new && warp->stop == Stop::kDone) continue;
      all_done = false;
      if (!is_new && ~(warp->absent | warp->waiting) == 0) continue;
      runnable = true;
      begun_ += is_new;
      const Op* op = is_new ? begin(*warp) : warp->resume();
      while (op != nullptr) {
        op = op->current_handler()(*warp, op);
        if (op != nullptr || warp == &warps[turn_]) continue;
        // Machine code has gone on with warps behind this one.
        progress = true;
        warp = &warps[turn_];
        op = std::exchange(warp->left_at, nullptr);
      }
      if (warp->stop == Stop::kFault) return Stop::kFault;
      // A long loop that nothing can be waited for in is progress.
      if (warp->stop != Stop::kYielded || !warp->spun) progress = true;
    }
    if (all_done || present_ == 0) return Stop::kDone;
    if (launch->failed.load(std::memory_order_relaxed)) return Stop::kFault;
    if (!runnable) {
      Warp& first =
          *std::find_if(warps.begin(), warps.end(), [](const Warp& w) { return w.stop != Stop::kDone; });
      uint32_t lane = static_cast<uint32_t>(std::countr_zero(first.waiting));
      fault(first, launch->code + (first.next[lane] ? first.next[lane] - 1 : 0), 719, lane,
            "all threads left wait at barriers that nobody can complete");
      return Stop::kFault;
    }
    if (launch->must_stop()) return Stop::kYielded;
    if (progress)
      idle_rounds = 0;
    else if (++idle_rounds >= rounds)
      return Stop::kYielded;
  }
}

const Op* Cta::arrive(Warp& warp, const Op* op, uint32_t lanes, uint32_t after,
                      const BarrierArrival& arrival) {
  uint32_t lane = static_cast<uint32_t>(std::countr_zero(lanes));
  if (arrival.barrier >= kBarriers) {
    return fault(warp, op, 719, lane,
                 "barrier " + std::to_string(arrival.barrier) + " does not exist; there are " +
                     std::to_string(kBarriers));
  }
  Barrier& barrier = barriers_[arrival.barrier];
  if (barrier.open && barrier.count != arrival.count) {
    return fault(
        warp, op, 719, lane,
        "barrier " + std::to_string(arrival.barrier) + " is used with different thread counts at a time");
  }
  barrier.open = true;
  open_barriers_ |= 1u << arrival.barrier;
  barrier.count = arrival.count;
  if (arrival.reduction != Reduction::kNone) {
    uint32_t holding = arrival.predicate & lanes;
    barrier.population += count_lanes(holding);
    barrier.all &= holding == lanes;
    barrier.any |= holding != 0;
    barrier.waiters.push_back({&warp, lanes, arrival.reduction, arrival.destination});
  }
  if (!arrival.wait) {
    // Partial warps count as whole ones, as on hardware.
    bool whole = (lanes | warp.absent) == kAllLanes;
    barrier.extra += whole ? kLanes : count_lanes(lanes);
    complete_if_ready(arrival.barrier);
    return warp.active == lanes ? warp.code + after : warp.split(lanes, after, after);
  }
  warp.park(after);
  warp.waiting |= lanes;
  barrier.waiting += count_lanes(lanes);
  warp.at_barrier[arrival.barrier] |= lanes;
  complete_if_ready(arrival.barrier);
  return warp.select();
}

// Threads that have arrived at a barrier for a number of threads: partial warps count as whole ones.
uint32_t Cta::arrived_at(uint32_t number) const {
  uint32_t arrived = barriers_[number].extra;
  for (const Warp& warp : warps) {
    uint32_t here = warp.at_barrier[number];
    bool whole = here != 0 && (here | warp.absent) == kAllLanes;
    arrived += whole ? kLanes : count_lanes(here);
  }
  return arrived;
}

void Cta::complete_if_ready(uint32_t number) {
  Barrier& barrier = barriers_[number];
  bool complete = barrier.count != 0 ? arrived_at(number) >= barrier.count : barrier.waiting == present_;
  if (!complete) return;
  for (const Waiter& waiter : barrier.waiters) {
    if (waiter.reduction == Reduction::kPopulation) {
      uint32_t* row = waiter.warp->row<uint32_t>(waiter.destination);
      for (uint32_t rest = waiter.lanes; rest != 0; rest &= rest - 1)
        row[std::countr_zero(rest)] = barrier.population;
    } else {
      bool value = waiter.reduction == Reduction::kAnd ? barrier.all : barrier.any;
      waiter.warp->set_predicate(waiter.destination, waiter.lanes, value ? kAllLanes : 0);
    }
  }
  for (Warp& warp : warps) {
    warp.waiting &= ~warp.at_barrier[number];
    warp.at_barrier[number] = 0;
  }
  barrier = Barrier{};
  open_barriers_ &= ~(1u << number);
}

void Cta::lanes_gone(uint32_t lanes) {
  present_ -= count_lanes(lanes);
  if (open_barriers_ != 0) complete_open_barriers();
}

// Out of the way of kernels without barriers.
[[gnu::noinline]] void Cta::complete_open_barriers() {
  for (uint32_t rest = open_barriers_; rest != 0; rest &= rest - 1)
    complete_if_ready(static_cast<uint32_t>(std::countr_zero(rest)));
}

Warp* Cta::next_turn(uint32_t at) {
  if (turn_ + 1 == launch->warps) return nullptr;
  Warp& next = warps[turn_ + 1];
  if (turn_ + 1 == begun_) {
    const bool is_whole = launch->threads - next.index * kLanes >= kLanes;
    if (at != launch->entry->entry || !is_whole || !next.in_order) return nullptr;
    ++begun_;
    begin(next);
    next.together = 1;
  } else if (next.stop == Stop::kYielded && next.together != 0 && next.active == kAllLanes &&
             next.next[0] == at) {
    next.resume();
  } else {
    return nullptr;
  }
  ++turn_;
  return &next;
}

Warp* exit_whole_warp(Warp& warp, uint32_t at) {
  warp.absent = kAllLanes;
  warp.active = 0;
  warp.lowest_pending = kNowhere;
  warp.stop = Stop::kDone;
  warp.cta->lanes_gone(kAllLanes);
  return warp.cta->next_turn(at);
}

Warp* yield_whole_warp(Warp& warp, uint32_t target) {
  std::fill_n(warp.next, kLanes, target);
  warp.stop = Stop::kYielded;
  return warp.spun ? nullptr : warp.cta->next_turn(target);
}

}  // namespace outboard::softgpu::exec
