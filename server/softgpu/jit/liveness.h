// Which rows of the register file are still read behind a point of a function, so that machine code
// need not write the others back. Errs on the safe side: what is not understood keeps rows alive.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "server/softgpu/ptx/image.h"

namespace outboard::softgpu::jit {

class Liveness {
 public:
  Liveness(const ptx::Image& image, const ptx::FunctionCode& function);

  // Whether the row may be read by an instruction that is executed from `index` on, before it is
  // written. `operand` as in exec::Op.
  bool live_at(uint32_t index, uint32_t operand) const;
  // The same for any instruction. Asked for in the order of the code.
  bool live_before(uint32_t index, uint32_t operand);

 private:
  using Rows = std::vector<uint64_t>;  // bit per row number

  struct Block {
    uint32_t first = 0, last = 0;
    std::vector<uint32_t> successors;  // blocks
    bool all_live_behind = false;      // goes where we cannot see
    Rows in;
  };

  void number_rows();
  void split_blocks();
  void find_successors(Block& block);
  void solve();
  Rows live_behind(const Block& block) const;
  void step_back(uint32_t index, Rows& live) const;

  const ptx::Image& image_;
  const ptx::FunctionCode& function_;
  std::unordered_map<uint32_t, uint32_t> numbers_;  // by operand
  std::vector<bool> ambiguous_;                     // rows that are accessed with several widths
  std::vector<Block> blocks_;
  std::unordered_map<uint32_t, uint32_t> block_at_;  // by first instruction
  // Of the block that live_before() was asked about last: what is live before each Op.
  uint32_t looked_at_ = ~0u;
  std::vector<Rows> before_;
};

}  // namespace outboard::softgpu::jit
