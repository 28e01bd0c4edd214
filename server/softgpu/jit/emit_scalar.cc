// Integer arithmetic on rows with shapes: the first lane stands for all.
#include <optional>

#include "server/softgpu/jit/semantics.h"

namespace outboard::softgpu::jit {
namespace {

constexpr LawRule kRules[] = {
    {"mov.b32", Law::kCopy},
    {"mov.b64", Law::kCopy},
    {"cvta.to.global.u64", Law::kCopy},
    {"neg.s32", Law::kNegate},
    {"neg.s64", Law::kNegate},
    {"add.u32", Law::kAdd},
    {"add.s32", Law::kAdd},
    {"add.u64", Law::kAdd},
    {"add.s64", Law::kAdd},
    {"sub.u32", Law::kSubtract},
    {"sub.s32", Law::kSubtract},
    {"sub.u64", Law::kSubtract},
    {"sub.s64", Law::kSubtract},
    {"mul.lo.u32", Law::kMultiply},
    {"mul.lo.u64", Law::kMultiply},
    {"mad.lo.u32", Law::kMultiplyAdd},
    {"mad.lo.u64", Law::kMultiplyAdd},
    {"shl.b32", Law::kShiftLeft},
    {"shl.b64", Law::kShiftLeft},
    {"narrow.b32.b64", Law::kNarrow},
    {"cvt.u32.u64", Law::kNarrow},
    {"widen.s64.s32", Law::kWidenSigned},
    {"cvt.s64.s32", Law::kWidenSigned},
    {"widen.u64.u32", Law::kWidenUnsigned},
    {"cvt.u64.u32", Law::kWidenUnsigned},
    {"mul.wide.s32", Law::kWideSigned},
    {"mul.wide.u32", Law::kWideUnsigned},
    {"mad.wide.s32", Law::kWideAddSigned},
    {"mad.wide.u32", Law::kWideAddUnsigned},
};

bool is_signed(Law law) {
  return law == Law::kWidenSigned || law == Law::kWideSigned || law == Law::kWideAddSigned;
}

// rcx = the first lane of a 32-bit row, extended. Lanes of which one would overflow do not lie side by
// side in 64 bits: the interpreter goes on. Loses rax and rdx.
void load_extended(Emitter& e, Law law) {
  auto& a = e.a;
  const uint32_t operand = e.op().r[1];
  const auto reach = static_cast<int32_t>(*e.stride(operand, 2) * (exec::kLanes - 1));
  e.load_first(x86::ecx, operand, false);
  if (reach != 0) {
    const asmjit::Label overflows = a.newLabel();
    a.mov(x86::edx, x86::ecx);
    if (is_signed(law)) {
      a.add(x86::edx, reach);
      a.jo(overflows);
    } else if (reach > 0) {
      a.add(x86::edx, reach);
      a.jc(overflows);
    } else {
      a.sub(x86::edx, -reach);
      a.jc(overflows);
    }
    e.leave_beside(overflows);
  }
  if (is_signed(law)) a.movsxd(x86::rcx, x86::ecx);
}

// A constant that instructions can hold: as the number of 64 bits that it stands for.
std::optional<int32_t> small_constant(Emitter& e, uint32_t operand, bool is32, bool sign_extended) {
  uint64_t bits = 0;
  if (!e.immediate(operand, bits)) return std::nullopt;
  if (is32) bits &= 0xffff'ffff;
  if (is32 && sign_extended) bits = static_cast<uint64_t>(int64_t{static_cast<int32_t>(bits)});
  const auto number = static_cast<int64_t>(bits);
  if (number != static_cast<int32_t>(number)) return std::nullopt;
  return static_cast<int32_t>(number);
}

// rcx *= the second factor, which is 32 bits wide. Loses rax and rdx.
void multiply_extended(Emitter& e, Law law) {
  if (const auto factor = small_constant(e, e.op().r[2], true, is_signed(law))) {
    e.a.imul(x86::rcx, x86::rcx, *factor);
    return;
  }
  e.load_first(x86::edx, e.op().r[2], false);
  if (is_signed(law)) e.a.movsxd(x86::rdx, x86::edx);
  e.a.imul(x86::rcx, x86::rdx);
}

}  // namespace

std::span<const LawRule> scalar_rules() { return kRules; }

bool emit_scalar(Emitter& e, Law law) {
  const auto stride = e.result_stride(law);
  if (!stride) return false;
  auto& a = e.a;
  const Op& op = e.op();
  if (law == Law::kCopy && op.r[0] == op.r[1] && e.rows.find(op.r[0]) != nullptr) return true;  // it is there
  const uint32_t count = row_uses(op).front().count;
  const bool is64 = count == 4;
  switch (law) {
    case Law::kWidenSigned:
    case Law::kWidenUnsigned: load_extended(e, law); break;
    case Law::kWideSigned:
    case Law::kWideUnsigned:
    case Law::kWideAddSigned:
    case Law::kWideAddUnsigned:
      load_extended(e, law);
      multiply_extended(e, law);
      if (law == Law::kWideSigned || law == Law::kWideUnsigned) break;
      e.load_first(x86::rdx, op.r[3], true);
      a.add(x86::rcx, x86::rdx);
      break;
    case Law::kNarrow: e.load_first(x86::rcx, op.r[1], true); break;
    default: e.load_first(x86::rcx, op.r[1], is64); break;
  }
  uint64_t shift = 0;
  switch (law) {
    case Law::kNegate: a.neg(x86::rcx); break;
    case Law::kShiftLeft:
      e.immediate(op.r[2], shift);
      a.shl(x86::rcx, static_cast<uint8_t>(shift));
      break;
    case Law::kAdd:
      // The upper half of a 32-bit row's slot is anything.
      if (const auto number = small_constant(e, op.r[2], !is64, true)) {
        a.add(x86::rcx, *number);
        break;
      }
      e.load_first(x86::rdx, op.r[2], is64);
      a.add(x86::rcx, x86::rdx);
      break;
    case Law::kSubtract:
    case Law::kMultiply:
    case Law::kMultiplyAdd:
      e.load_first(x86::rdx, op.r[2], is64);
      if (law == Law::kSubtract) a.sub(x86::rcx, x86::rdx);
      if (law != Law::kSubtract) a.imul(x86::rcx, x86::rdx);
      if (law != Law::kMultiplyAdd) break;
      e.load_first(x86::rdx, op.r[3], is64);
      a.add(x86::rcx, x86::rdx);
      break;
    default: break;
  }
  e.rows.bind_scalar(op.r[0], {*stride, count});
  a.mov(e.rows.slot(op.r[0]), x86::rcx);
  e.note_rcx(op.r[0]);
  return true;
}

}  // namespace outboard::softgpu::jit
