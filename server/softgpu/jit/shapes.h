// Rows whose lanes follow from the first one: all the same, or a fixed distance apart, such as
// %tid.x and the addresses that are made of it. Machine code computes with the first lane alone.
// What is found here holds while the lanes of a warp have been together since the kernel began.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <unordered_map>
#include <vector>

#include "server/softgpu/ptx/image.h"

namespace outboard::softgpu::jit {

// How the lanes of a result follow from those of the sources, for rows whose lanes lie a fixed
// distance apart. d and a, b, c are Op::r in order.
enum class Law : uint8_t {
  kNone,
  kCopy,
  kNegate,
  kAdd,
  kSubtract,
  kMultiply,
  kMultiplyAdd,
  kShiftLeft,
  kNarrow,
  kWidenSigned,  // 32 to 64 bits
  kWidenUnsigned,
  kWideSigned,  // products of 64 bits
  kWideUnsigned,
  kWideAddSigned,
  kWideAddUnsigned,
};

class Shapes {
 public:
  // Rows that can have a shape: each has a slot in machine code's stack frame.
  static constexpr int kSlots = 192;

  struct Shape {
    int64_t stride;  // from lane to lane, modulo the row's width
    uint32_t count;  // registers of the whole row: 2 or 4
    friend bool operator==(const Shape&, const Shape&) = default;
  };
  // Rows that are not in it are anything. Ordered, so that code does not depend on hashing.
  using State = std::map<uint32_t, Shape>;

  Shapes(const ptx::Image& image, const ptx::FunctionCode& function);

  // What is known at an instruction where control may come from elsewhere; nullptr if a warp whose
  // lanes are together never gets there.
  const State* at(uint32_t index) const;
  // The state behind an instruction.
  void step(uint32_t index, State& state) const;
  // Of any operand that is a row of `count` registers.
  std::optional<int64_t> stride(uint32_t operand, uint32_t count, const State& state) const;
  // Of what an instruction with a law writes, if its sources have shapes.
  std::optional<int64_t> result(const exec::Op& op, Law law, const State& state) const;
  // -1 if the row has none.
  int slot(uint32_t operand) const;

 private:
  void number_rows();
  void solve();
  // Returns whether the state there has changed.
  bool meet(uint32_t index, const State& state);
  bool all_uniform(const exec::Op& op, const State& state) const;
  std::optional<int64_t> product(const exec::Op& op, uint32_t count, const State& state) const;
  std::optional<int64_t> wide(uint32_t operand, const State& state) const;

  const ptx::Image& image_;
  const ptx::FunctionCode& function_;
  std::unordered_map<uint32_t, int> slots_;
  std::unordered_map<uint32_t, State> states_;  // by a block's first instruction
};

}  // namespace outboard::softgpu::jit
