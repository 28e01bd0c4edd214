// What the emitters of instructions write machine code with: the assembler, the cached rows, and
// the ways back into the interpreter. One Emitter makes the code of one function.
#pragma once

#include <asmjit/x86.h>

#include <algorithm>
#include <functional>
#include <map>
#include <optional>
#include <vector>

#include "server/softgpu/exec/lane_facts.h"
#include "server/softgpu/exec/warp.h"
#include "server/softgpu/jit/code.h"
#include "server/softgpu/jit/data.h"
#include "server/softgpu/jit/liveness.h"
#include "server/softgpu/jit/row_cache.h"
#include "server/softgpu/jit/shapes.h"
#include "server/softgpu/ptx/image.h"

namespace outboard::softgpu::jit {

namespace x86 = asmjit::x86;
using exec::Op;

// Machine code runs while all 32 lanes are active: the registers below hold for it throughout.
// rax, rcx, rdx, rsi, rdi, r8 to r11, zmm0 to zmm3 and k1 to k6 are free within an instruction.
class Emitter {
 public:
  // Range hints: where memory instructions remember which allocation they were at; any value that
  // machine code writes there is good for any of them.
  static constexpr uint32_t kRangeHints = 256;
  Emitter(asmjit::CodeHolder& holder, const ptx::Image& image, Liveness& live, uint32_t* range_hints);

  // Whether the guard of the current instruction is always true.
  bool unguarded() const { return op().guard == exec::kPredicateTrue; }
  const Op& op() const { return image_.code[at_]; }
  uint32_t at() const { return at_; }
  void go_to(uint32_t index) {
    at_ = index;
    rows.begin();
    if (rows.empty()) measured_ = 0;
  }
  // From here on, code is for warps whose lanes are together. nullptr: for all whole warps.
  void assume(const Shapes* shapes);
  // Where control arrives with what is known of rows.
  void arrive(const Shapes::State& known, const RowCache::Needed& needed, const RowCache::Needed& stored) {
    rows.arrive(known, needed, stored);
    begin_again(known);
  }
  // The same where the row cache is as it is.
  void begin_again(const Shapes::State& known) {
    known_ = known;
    measured_ = 0;
    begin_line();
  }
  // Control may come from elsewhere: registers hold nothing that was noted.
  void begin_line() { in_rcx_ = in_eax_ = {}; }
  // The current instruction is done.
  void step() {
    if (shapes_ != nullptr) shapes_->step(at_, known_);
  }
  // Distance of lanes of a row of `count` registers, if it is known.
  std::optional<int64_t> stride(uint32_t operand, uint32_t count) const {
    return shapes_ == nullptr ? std::nullopt : shapes_->stride(operand, count, known_);
  }
  // Of what the current instruction writes.
  std::optional<int64_t> result_stride(Law law) const {
    return shapes_ == nullptr ? std::nullopt : shapes_->result(op(), law, known_);
  }
  // rcx holds what the current instruction has put into the row's slot.
  void note_rcx(uint32_t operand) { in_rcx_ = {operand, next()}; }
  uint32_t* new_range_hint() { return range_hints_ + range_hint_++ % kRangeHints; }
  // One of LaneFacts::streams for the current instruction, -1 if it is in no loop or none is left.
  int32_t stream() {
    if (shapes_ == nullptr || !in_loop) return -1;
    const auto [place, is_new] = streams_.try_emplace(at_, static_cast<int32_t>(streams_.size()));
    return place->second < static_cast<int32_t>(exec::kStreams) ? place->second : -1;
  }
  // Whether it is checked when machine code begins that the kernel has so many bytes of parameters.
  bool require_parameters(uint32_t bytes) {
    if (shapes_ == nullptr) return false;
    required_parameters_ = std::max(required_parameters_, bytes);
    return true;
  }
  uint32_t required_parameters() const { return required_parameters_; }
  // A result that is the same in all lanes can be a scalar.
  bool has_slot(uint32_t operand) const { return shapes_ != nullptr && shapes_->slot(operand) >= 0; }
  // The next instruction's index.
  uint32_t next() const { return next_instruction(image_, at_); }

  // Writes `parts` to the row, for the lanes that the guard lets through.
  void result(uint32_t operand, const Parts& parts, Nans nans = Nans::kCanonical, bool flushed = false);
  // eax = the 32 bits of a source predicate.
  void load_predicate(const x86::Gp& to, uint32_t operand);
  // eax = lanes that the guard lets through.
  void load_guard(const x86::Gp& to);
  // The same at the beginning of an instruction: they may be there already.
  void load_guard_first();
  // Bits of `value` to a destination predicate under the guard; `value` is lost.
  void store_predicate(uint32_t index, const x86::Gp& value);
  // The 64 bits of an immediate operand, if it is one and known now.
  bool immediate(uint32_t operand, uint64_t& bits) const { return plain_constant(image_, operand, bits); }
  // to = the first lane. Loses rax.
  void load_first(const x86::Gp& to, uint32_t operand, bool is64);

  // The interpreter executes the current instruction; nothing is cached afterwards.
  void interpret();
  // The same and then back to the interpreter's loop.
  void interpret_and_leave();
  // All lanes exit. The next warp begins at `at`, for which the code is at `to`: kNowhere if there is none.
  void exit(uint32_t at, const asmjit::Label& to);
  // All lanes go on at `target` later, for which the code is at `to`, and the next warp may do so now.
  void yield(uint32_t target, const asmjit::Label& to);
  // And if memory has all rows already: instruction `index`.
  void leave_with(uint32_t index) {
    call_handler(index);
    leave();
  }
  // Lanes may part from here on. Loses rcx.
  void forget_together();
  // What was assumed of the current instruction's rows does not hold: the interpreter goes on.
  void leave_beside(const asmjit::Label& from);
  // The interpreter goes on at `index`.
  void leave_at(uint32_t index) {
    load_op(x86::rax, index);
    leave();
  }
  // rax is the next instruction.
  void leave() { a.jmp(leave_); }
  // Code that is out of the way of the main path, made at the end.
  void beside(std::function<void()> emit) { beside_.push_back(std::move(emit)); }
  // Beside the main path: the interpreter executes instruction `index`, after which the row cache is
  // as it was but for the rows in `written`, which are in memory.
  void interpret_beside(uint32_t index, uint32_t next, const RowCache::Snapshot& rows,
                        const std::vector<uint32_t>& written);

  // A slot of the frame for an address row's shape: {first lane's address, distance of lanes}.
  int new_shape();
  x86::Mem shape_first(int slot) const { return x86::qword_ptr(x86::rsp, slot * 16); }
  x86::Mem shape_stride(int slot) const { return x86::qword_ptr(x86::rsp, slot * 16 + 8); }

  asmjit::Label find_range;  // subroutine, see emit_memory.cc
  // Prologue: rdi is the warp, rax where to go on. Epilogue: rax is the next instruction.
  asmjit::Label enter;
  // The same within machine code: rbx is another warp.
  asmjit::Label change_warp;

  // What is beside the main path so far.
  void emit_beside();
  // Everything that comes behind the last instruction.
  void finish();

  bool in_loop = false;  // the current instruction
  x86::Assembler a;
  Anchors anchor;
  Data data;
  RowCache rows;

 private:
  // The stack frame: shapes of address rows that were measured, then slots of rows, then the warp that the
  // interpreter's loop has called for.
  static constexpr int kMeasured = 48;
  static constexpr int kCalledFor = kMeasured * 16 + Shapes::kSlots * 8;
  static constexpr int kFrameBytes = kCalledFor + 8;

  void load_op(const x86::Gp& to, uint32_t index) {
    a.mov(to, reinterpret_cast<uint64_t>(&image_.code[index]));
  }
  void go_on_with_next(const asmjit::Label& to);
  void emit_enter();
  void emit_leave();
  void call_handler(uint32_t index);
  void call_and_expect(uint32_t index, uint32_t next);
  std::vector<uint32_t> operands(uint32_t index) const;

  // What a register holds when an instruction begins.
  struct Note {
    uint32_t what = exec::kNoOperand;
    uint32_t at = exec::kNowhere;  // the instruction
  };

  const ptx::Image& image_;
  Liveness& live_;
  uint32_t* range_hints_;
  uint32_t range_hint_ = 0;
  uint32_t required_parameters_ = 0;
  std::map<uint32_t, int32_t> streams_;  // by instruction
  Note in_rcx_, in_eax_;                 // a row's first lane; a predicate
  uint32_t at_ = 0;
  int measured_ = 0;
  const Shapes* shapes_ = nullptr;
  Shapes::State known_;
  asmjit::Label leave_, leave_apart_;
  std::vector<std::function<void()>> beside_;
};

// For the current instruction, if what it writes has a shape: computes the first lane. False if it
// has none.
bool emit_scalar(Emitter& emitter, Law law);

// Emits the current instruction; `what` and `count` come from its rule (semantics.h).
using Emit = void (*)(Emitter&, uint32_t what, uint32_t count);

}  // namespace outboard::softgpu::jit
