#include "server/softgpu/exec/calls.h"

#include <bit>
#include <cstring>

#include "server/softgpu/exec/constants.h"
#include "server/softgpu/exec/special.h"
#include "server/softgpu/ptx/image.h"

namespace outboard::softgpu::exec {
namespace {

uint32_t* stack_pointers(Warp& warp) { return warp.row<uint32_t>(special_operand(Special::kStackPointer)); }

// The function whose code `op` is in.
const ptx::FunctionCode& function_of(const Warp& warp, const Op* op) {
  uint32_t at = static_cast<uint32_t>(op - warp.code);
  for (const ptx::FunctionCode& function : warp.launch->image->functions) {
    if (at >= function.entry && at < function.end) return function;
  }
  return *warp.launch->entry;
}

template <typename F>
void for_mask(uint32_t mask, F f) {
  for (; mask != 0; mask &= mask - 1) f(static_cast<uint32_t>(std::countr_zero(mask)));
}

// A function may come back to itself, so its rows are put aside while the callee runs.
void save_rows(Warp& warp, const ptx::FunctionCode& caller, uint32_t lanes) {
  SavedFrame saved;
  saved.lanes = lanes;
  saved.function = static_cast<uint32_t>(&caller - warp.launch->image->functions.data());
  const std::byte* rows = warp.bank[kBankRegisters];
  saved.rows.assign(rows + caller.register_begin, rows + caller.register_end);
  saved.predicates.assign(warp.predicates + kFirstPredicate + caller.predicate_begin,
                          warp.predicates + kFirstPredicate + caller.predicate_end);
  warp.saved.push_back(std::move(saved));
}

// Copies the columns of `lanes`; rows come widest first, so the layout is found from the widths'
// places. Rows hold 32 lanes of 2, 4, 8 or 16 bytes each.
void restore_lane(std::byte* to, const std::byte* from, uint32_t bytes, const uint32_t (&width_end)[4],
                  uint32_t lane) {
  constexpr uint32_t kLaneBytes[4] = {16, 8, 4, 2};
  uint32_t at = 0;
  for (int width = 0; width < 4; ++width) {
    for (; at < width_end[width] && at < bytes; at += 32 * kLaneBytes[width]) {
      std::memcpy(to + at + lane * kLaneBytes[width], from + at + lane * kLaneBytes[width],
                  kLaneBytes[width]);
    }
  }
}

bool restore_rows(Warp& warp, const ptx::FunctionCode& caller, uint32_t lanes) {
  uint32_t index = static_cast<uint32_t>(&caller - warp.launch->image->functions.data());
  uint32_t left = lanes;
  // The innermost activation of each lane is the last one saved for it.
  for (auto saved = warp.saved.rbegin(); saved != warp.saved.rend() && left != 0; ++saved) {
    if (saved->function != index) continue;
    uint32_t found = saved->lanes & left;
    left &= ~found;
    saved->lanes &= ~found;
    for_mask(found, [&](uint32_t lane) {
      restore_lane(warp.bank[kBankRegisters] + caller.register_begin, saved->rows.data(),
                   static_cast<uint32_t>(saved->rows.size()), caller.width_end, lane);
    });
    for (size_t i = 0; i < saved->predicates.size(); ++i) {
      uint32_t& predicate = warp.predicates[kFirstPredicate + caller.predicate_begin + i];
      predicate = (predicate & ~found) | (saved->predicates[i] & found);
    }
  }
  while (!warp.saved.empty() && warp.saved.back().lanes == 0) warp.saved.pop_back();
  return left == 0;
}

bool prepare(Warp& warp, const Op* op, const ptx::FunctionCode& callee, uint32_t lanes, uint32_t frame,
             uint32_t after) {
  uint32_t* pointers = stack_pointers(warp);
  bool fits = true;
  for_mask(lanes, [&](uint32_t lane) {
    if (uint64_t{pointers[lane]} + frame + callee.frame_bytes > warp.stack_bytes) fits = false;
  });
  if (!fits) {
    fault(warp, op, 719, static_cast<uint32_t>(std::countr_zero(lanes)),
          "stack overflow in a call of function '" + callee.name + "'");
    return false;
  }
  for_mask(lanes, [&](uint32_t lane) { pointers[lane] += frame; });
  if (callee.return_row != kNoOperand) {
    uint32_t* row = warp.row<uint32_t>(callee.return_row);
    for_mask(lanes, [&](uint32_t lane) { row[lane] = after; });
  }
  return true;
}

}  // namespace

const Op* enter_function(Warp& warp, const Op* op, uint32_t index, uint32_t frame, uint32_t after) {
  const ptx::FunctionCode& callee = warp.launch->image->functions[index];
  if (callee.recursive) {
    const ptx::FunctionCode& caller = function_of(warp, op);
    if (caller.recursive) save_rows(warp, caller, warp.active);
  }
  if (!prepare(warp, op, callee, warp.active, frame, after)) return nullptr;
  return warp.regroup(callee.entry);
}

const Op* enter_functions(Warp& warp, const Op* op, const uint64_t* addresses, uint32_t frame,
                          uint32_t after) {
  const ptx::FunctionCode& caller = function_of(warp, op);
  if (caller.recursive) save_rows(warp, caller, warp.active);
  uint32_t left = warp.active;
  while (left != 0) {
    uint32_t lane = static_cast<uint32_t>(std::countr_zero(left));
    uint32_t index = 0;
    const auto& functions = warp.launch->image->functions;
    if (!function_index(addresses[lane], index) || index >= functions.size() || !functions[index].defined) {
      return fault(warp, op, 718, lane, "indirect call of something that is not a function");
    }
    uint32_t same = 0;
    for_mask(left, [&](uint32_t other) {
      same |= static_cast<uint32_t>(addresses[other] == addresses[lane]) << other;
    });
    if (!prepare(warp, op, functions[index], same, frame, after)) return nullptr;
    for_mask(same, [&](uint32_t other) { warp.next[other] = functions[index].entry; });
    left &= ~same;
  }
  return warp.select();
}

void leave_frame(Warp& warp, const Op* op, uint32_t frame) {
  uint32_t* pointers = stack_pointers(warp);
  for_mask(warp.active, [&](uint32_t lane) { pointers[lane] -= frame; });
  if (warp.saved.empty()) return;
  const ptx::FunctionCode& caller = function_of(warp, op);
  if (caller.recursive) restore_rows(warp, caller, warp.active);
}

const Op* return_to(Warp& warp, const Op* op, uint32_t mask, const uint32_t* next) {
  uint32_t after = static_cast<uint32_t>(op - warp.code) + 1;
  for_mask(warp.active, [&](uint32_t lane) { warp.next[lane] = mask >> lane & 1 ? next[lane] : after; });
  return warp.select();
}

}  // namespace outboard::softgpu::exec
