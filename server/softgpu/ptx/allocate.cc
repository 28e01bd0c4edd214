#include "server/softgpu/ptx/allocate.h"

#include <algorithm>
#include <array>
#include <functional>
#include <queue>

namespace outboard::softgpu::ptx {
namespace {

// Positions: an instruction reads at 2n and writes at 2n + 1.
struct Interval {
  uint32_t start = kNoIndex;
  uint32_t end = 0;
  void cover(uint32_t at) {
    start = std::min(start, at);
    end = std::max(end, at);
  }
};

using Bits = std::vector<uint64_t>;

class Allocator {
 public:
  Allocator(const IrFunction& function, const std::vector<uint32_t>& order)
      : f_(function), order_(order), intervals_(function.registers.size()) {}

  Allocation run() {
    find_exposed();
    solve();
    build_intervals();
    return assign();
  }

 private:
  template <typename Visit>
  void for_operands(const IrInstruction& instruction, Visit visit) const {
    for (uint32_t i = 0; i < instruction.operand_count; ++i) {
      const IrOperand& operand = f_.operands[instruction.first_operand + i];
      if (operand.kind == ValueKind::kRegister) visit(operand);
    }
  }

  // Registers that some block reads before it has written them; only those cross block borders.
  void find_exposed() {
    std::vector<uint32_t> written(f_.registers.size(), kNoIndex);  // block that last wrote it
    global_.assign(f_.registers.size(), kNoIndex);
    exposed_.resize(f_.blocks.size());
    auto expose = [&](uint32_t reg, uint32_t block) {
      if (written[reg] == block) return;
      if (global_[reg] == kNoIndex) {
        global_[reg] = static_cast<uint32_t>(globals_.size());
        globals_.push_back(reg);
      }
      exposed_[block].push_back(global_[reg]);
    };
    for (uint32_t block : order_) {
      for (uint32_t i = f_.blocks[block].first; i < f_.blocks[block].last; ++i) {
        const IrInstruction& instruction = f_.instructions[i];
        bool guarded = instruction.guard != kNoIndex;
        if (guarded) expose(instruction.guard, block);
        for_operands(instruction, [&](const IrOperand& operand) {
          if (!operand.is_destination) expose(operand.value, block);
        });
        for_operands(instruction, [&](const IrOperand& operand) {
          if (!operand.is_destination) return;
          // A guarded write leaves the old value in some lanes.
          if (guarded)
            expose(operand.value, block);
          else
            written[operand.value] = block;
        });
      }
    }
    // The return address is written by the caller.
    if (f_.return_register != kNoIndex) expose(f_.return_register, 0);
  }

  void solve() {
    size_t words = (globals_.size() + 63) / 64;
    live_in_.assign(f_.blocks.size(), Bits(words));
    live_out_.assign(f_.blocks.size(), Bits(words));
    std::vector<Bits> kill(f_.blocks.size(), Bits(words));
    for (uint32_t block : order_) {
      for (uint32_t index : exposed_[block]) live_in_[block][index / 64] |= uint64_t{1} << (index % 64);
      for (uint32_t i = f_.blocks[block].first; i < f_.blocks[block].last; ++i) {
        if (f_.instructions[i].guard != kNoIndex) continue;
        for_operands(f_.instructions[i], [&](const IrOperand& operand) {
          uint32_t index = global_[operand.value];
          if (operand.is_destination && index != kNoIndex)
            kill[block][index / 64] |= uint64_t{1} << (index % 64);
        });
      }
    }
    for (bool changed = true; changed;) {
      changed = false;
      for (auto block = order_.rbegin(); block != order_.rend(); ++block) {
        Bits& out = live_out_[*block];
        Bits& in = live_in_[*block];
        for (uint32_t next : f_.blocks[*block].successors) {
          const Bits& needed = live_in_[next];
          for (size_t w = 0; w < words; ++w) out[w] |= needed[w];
        }
        for (size_t w = 0; w < words; ++w) {
          uint64_t now = in[w] | (out[w] & ~kill[*block][w]);
          changed |= now != in[w];
          in[w] = now;
        }
      }
    }
  }

  void cover_all(const Bits& bits, uint32_t at) {
    for (size_t w = 0; w < bits.size(); ++w) {
      for (uint64_t rest = bits[w]; rest != 0; rest &= rest - 1) {
        intervals_[globals_[w * 64 + static_cast<unsigned>(__builtin_ctzll(rest))]].cover(at);
      }
    }
  }

  void build_intervals() {
    uint32_t position = 0;
    for (uint32_t block : order_) {
      cover_all(live_in_[block], position);
      for (uint32_t i = f_.blocks[block].first; i < f_.blocks[block].last; ++i, position += 2) {
        const IrInstruction& instruction = f_.instructions[i];
        if (instruction.guard != kNoIndex) intervals_[instruction.guard].cover(position);
        uint32_t destinations = 0;
        for_operands(instruction, [&](const IrOperand& operand) { destinations += operand.is_destination; });
        bool early = destinations > 1 || (instruction.form->flags & exec::kEarlyClobber) != 0;
        for_operands(instruction, [&](const IrOperand& operand) {
          if (!operand.is_destination) {
            intervals_[operand.value].cover(position);
            return;
          }
          if (early) intervals_[operand.value].cover(position);
          intervals_[operand.value].cover(position + 1);
        });
      }
      // Behind the last instruction, so that the row survives it.
      cover_all(live_out_[block], position);
    }
  }

  struct Slots {
    std::priority_queue<uint32_t, std::vector<uint32_t>, std::greater<>> free;
    using Busy = std::pair<uint32_t, uint32_t>;  // end, slot
    std::priority_queue<Busy, std::vector<Busy>, std::greater<>> busy;
    uint32_t count = 0;

    uint32_t take(const Interval& interval) {
      while (!busy.empty() && busy.top().first < interval.start) {
        free.push(busy.top().second);
        busy.pop();
      }
      uint32_t slot;
      if (free.empty()) {
        slot = count++;
      } else {
        slot = free.top();
        free.pop();
      }
      busy.push({interval.end, slot});
      return slot;
    }
  };

  Allocation assign() {
    std::vector<uint32_t> by_start;
    for (uint32_t reg = 0; reg < intervals_.size(); ++reg) {
      if (intervals_[reg].start != kNoIndex) by_start.push_back(reg);
    }
    std::sort(by_start.begin(), by_start.end(), [&](uint32_t a, uint32_t b) {
      return std::pair(intervals_[a].start, a) < std::pair(intervals_[b].start, b);
    });
    std::array<Slots, kWidthCount> slots;
    Allocation allocation;
    allocation.place.assign(intervals_.size(), kNoIndex);
    for (uint32_t reg : by_start) {
      allocation.place[reg] = slots[static_cast<size_t>(f_.registers[reg])].take(intervals_[reg]);
    }
    allocation.predicates = slots[0].count;
    // Wide rows first: every row is then aligned to its own size, or at least to the row unit.
    std::array<uint32_t, kWidthCount> base{};
    for (size_t width = kWidthCount - 1; width >= 1; --width) {
      uint32_t lane_bytes = width_bytes(static_cast<Width>(width));
      base[width] = allocation.register_bytes;
      allocation.register_bytes += slots[width].count * 32 * lane_bytes;
      allocation.width_end[kWidthCount - 1 - width] = allocation.register_bytes;
      allocation.words_per_thread += slots[width].count * std::max(lane_bytes / 4, 1u);
    }
    for (uint32_t reg : by_start) {
      Width width = f_.registers[reg];
      if (width == Width::kPredicate) continue;
      allocation.place[reg] =
          base[static_cast<size_t>(width)] + allocation.place[reg] * 32 * width_bytes(width);
    }
    return allocation;
  }

  const IrFunction& f_;
  const std::vector<uint32_t>& order_;
  std::vector<Interval> intervals_;
  std::vector<uint32_t> global_;  // virtual register -> index in globals_
  std::vector<uint32_t> globals_;
  std::vector<std::vector<uint32_t>> exposed_;  // per block, indices in globals_
  std::vector<Bits> live_in_, live_out_;
};

}  // namespace

Allocation allocate_registers(const IrFunction& function, const std::vector<uint32_t>& order) {
  return Allocator(function, order).run();
}

}  // namespace outboard::softgpu::ptx
