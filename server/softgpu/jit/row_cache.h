// Rows of the register file that machine code holds in vector registers between two points where
// control may come or go. A row of 32 lanes takes 1, 2 or 4 registers (16, 32 or 64-bit lanes).
#pragma once

#include <asmjit/x86.h>

#include <array>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "server/softgpu/jit/data.h"
#include "server/softgpu/jit/shapes.h"

namespace outboard::softgpu::jit {

// Registers of one row, lowest lanes first.
struct Parts {
  std::array<asmjit::x86::Zmm, 4> zmm;
  uint32_t count = 0;
  const asmjit::x86::Zmm& operator[](uint32_t i) const { return zmm[i]; }
};

// Where banks and constants are for the code that is being made.
struct Anchors {
  asmjit::x86::Gp warp, registers, constants, predicates, params, ranges;
  asmjit::Label nan32, nan64;
};

// What is known of a float row. PTX wants one canonical NaN. As arithmetic that reads a NaN gives a
// NaN, replacing can wait until something else looks at the bits.
enum class Nans : uint8_t { kCanonical, kAny32, kAny64 };

inline constexpr int kNoShape = -1;

struct CachedRow {
  uint32_t operand;  // as in exec::Op
  uint8_t count;     // registers that hold it, 0 if it is only a scalar
  std::array<uint8_t, 4> zmm;
  bool dirty;    // memory has an older value
  bool flushed;  // a float row without subnormal numbers
  Nans nans;
  int shape;                 // slot of the frame that describes it as an address, kNoShape if none does
  uint32_t used;             // when, for eviction
  bool scalar = false;       // the frame has the first lane, which makes the row with...
  Shapes::Shape lanes = {};  // ...this
};

class RowCache {
 public:
  RowCache(asmjit::x86::Assembler& assembler, const Anchors& anchors, Data& data)
      : a_(assembler), anchors_(anchors), data_(data) {}

  // What an instruction pins stays in its registers until the next begin().
  void begin() { ++now_; }
  // A row's registers; loads it unless it is there.
  Parts read(uint32_t operand, uint32_t count);
  // The same for arithmetic on floats, which does not mind which NaN it is.
  Parts read_any_nan(uint32_t operand, uint32_t count);
  // Free registers for a result.
  Parts fresh(uint32_t count);
  // The row is in `parts` from now on, memory is older.
  void bind(uint32_t operand, const Parts& parts, Nans nans = Nans::kCanonical, bool flushed = false);
  // Gives back registers of fresh() that were not bound.
  void release(const Parts& parts);
  CachedRow* find(uint32_t operand);
  // NaNs of arithmetic become the canonical one.
  void canonicalise(const Parts& parts, Nans nans);

  using Needed = std::function<bool(uint32_t operand)>;
  // Memory gets the values of all rows that are needed there, and none is in registers any more.
  void flush(const Needed& needed);
  void flush() {
    flush([](uint32_t) { return true; });
  }
  bool empty() const { return rows_.empty(); }

  // Rows with shapes. Their slots are those of `shapes`, from `frame_offset` in the stack frame on.
  void use(const Shapes* shapes, int32_t frame_offset) {
    shapes_ = shapes;
    frame_offset_ = frame_offset;
  }
  asmjit::x86::Mem slot(uint32_t operand) const;
  // The row's first lane is in its slot, memory is older.
  void bind_scalar(uint32_t operand, const Shapes::Shape& shape);
  // to = the row's first lane, 64 bits if `is64`. Loses rax.
  void load_first(const asmjit::x86::Gp& to, uint32_t operand, bool is64);
  // Memory gets all values that are needed, and what is known stays but for the rows in `forgotten`.
  void settle(const Needed& needed, const std::vector<uint32_t>& forgotten);
  // Where control goes on with the rows of `to` in their slots and all others in memory, which also has
  // those that are `stored`.
  void hand_over(const std::vector<CachedRow>& rows, const Shapes::State& to, const Needed& needed,
                 const Needed& stored);
  // Begins where control arrives like this. Memory has older values of the rows in slots but for those that
  // are `stored`.
  void arrive(const Shapes::State& from, const Needed& needed, const Needed& stored);

  // For code beside the main path: what was cached when the path was left.
  using Snapshot = std::vector<CachedRow>;
  // Where a loop begins again: rows with shapes of `known` in their slots, those that the loop has to do with
  // in their registers, all others in memory.
  void carry(const Shapes::State& known, const Needed& needed, const Needed& used);
  // What instructions have noted of rows beside their values is forgotten.
  void forget_notes();
  // What is cached as `from` says becomes what `to` says; memory gets what is needed there.
  void match(const Snapshot& from, const Snapshot& to, const Needed& needed);
  const Snapshot& snapshot() const { return rows_; }
  void store(const Snapshot& rows, const Needed& needed);
  void store(const Snapshot& rows) {
    store(rows, [](uint32_t) { return true; });
  }
  void load(const Snapshot& rows, const std::vector<uint32_t>& except);

  asmjit::x86::Mem memory(uint32_t operand, uint32_t part);

 private:
  static constexpr uint32_t kFirst = 4, kEnd = 32;  // zmm0 to zmm3 are everybody's

  uint32_t take();
  void evict_one();
  void drop(size_t index);
  void store_row(const CachedRow& row);
  void store_scalar_row(const CachedRow& row);
  void spread(const CachedRow& row);
  void load_slot(uint32_t operand);
  void store_first(const CachedRow& row);
  void move_parts(std::vector<std::pair<uint8_t, uint8_t>> moves);
  Parts parts_of(const CachedRow& row) const;

  asmjit::x86::Assembler& a_;
  const Anchors& anchors_;
  Data& data_;
  const Shapes* shapes_ = nullptr;
  int32_t frame_offset_ = 0;
  std::vector<CachedRow> rows_;
  uint32_t taken_ = 0;          // bit per register
  uint32_t pinned_[kEnd] = {};  // when an instruction last asked for the register
  uint32_t now_ = 1;
};

}  // namespace outboard::softgpu::jit
