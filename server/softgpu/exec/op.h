// A decoded instruction: what the interpreter's inner loop reads.
#pragma once

#include <atomic>
#include <cstdint>

namespace outboard::softgpu::exec {

struct Warp;
struct Op;

// Executes one instruction for the active lanes of a warp and returns the next one, or nullptr
// when the warp must stop (Warp::stop says why).
using Handler = const Op* (*)(Warp&, const Op*);

// An operand names a row of the register file: 32 lanes side by side, 2, 4, 8 or 16 bytes each.
// Rows start at multiples of kRowUnit bytes, so the low bits say which bank the row is in.
// Predicates are bits of one word per register: sources are index << 1 | negated, destinations
// the index alone. Addresses take two operands: the base's row and a signed 32-bit offset.
inline constexpr uint32_t kRowUnit = 64;
inline constexpr uint32_t kBankRegisters = 0;
inline constexpr uint32_t kBankConstants = 1;  // immediate values, the same in all lanes
inline constexpr uint32_t kBankSpecial = 2;    // %tid and its like; see special.h
inline constexpr uint32_t kBankCta = 3;        // %ctaid and its like
inline constexpr uint32_t kNoOperand = 0xffff'ffff;

inline constexpr uint32_t kPredicateTrue = 0;   // predicate register that is always true
inline constexpr uint32_t kPredicateTrash = 1;  // destination that nobody reads
inline constexpr uint32_t kFirstPredicate = 2;

// Op::flags
inline constexpr uint16_t kAddress32 = 1;       // the address row has 32-bit lanes
inline constexpr uint16_t kUniformAddress = 2;  // all lanes of the address row are equal
inline constexpr uint16_t kSecondAddress32 = 4;
inline constexpr uint16_t kSecondUniformAddress = 8;

inline constexpr uint32_t kInlineOperands = 8;

struct alignas(64) Op {
  Handler run;
  uint16_t guard;  // predicate register; kPredicateTrue if unguarded
  uint16_t flags;
  uint32_t guard_flip;  // all ones for @!p
  uint32_t aux;         // the form's parameter, e.g. a comparison or a rounding mode
  uint32_t line;        // in the PTX text, for messages
  int64_t imm;          // branch target (index in the image's code) or form-specific
  uint32_t r[kInlineOperands];

  // Handlers may be replaced while they run: ptx::Image::replace().
  Handler current_handler() const {
    return std::atomic_ref(const_cast<Handler&>(run)).load(std::memory_order_relaxed);
  }
  // Forms with more operands go on in the r of the Ops behind, which are never executed.
  uint32_t operand(uint32_t i) const { return this[i / kInlineOperands].r[i % kInlineOperands]; }
};
static_assert(sizeof(Op) == 64);

}  // namespace outboard::softgpu::exec
