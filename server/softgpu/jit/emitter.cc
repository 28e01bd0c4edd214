#include "server/softgpu/jit/emitter.h"

#include <algorithm>

#include "server/softgpu/exec/cta.h"
#include "server/softgpu/exec/lane_facts.h"
#include "server/softgpu/jit/emit_memory.h"
#include "server/softgpu/jit/semantics.h"

namespace outboard::softgpu::jit {

Emitter::Emitter(asmjit::CodeHolder& holder, const ptx::Image& image, Liveness& live, uint32_t* range_hints)
    : a(&holder),
      anchor{x86::rbx, x86::r12, x86::rbp, x86::r13, x86::r14, x86::r15, a.newLabel(), a.newLabel()},
      data(a),
      rows(a, anchor, data),
      image_(image),
      live_(live),
      range_hints_(range_hints) {
  find_range = a.newLabel();
  leave_ = a.newLabel();
  leave_apart_ = a.newLabel();
  enter = a.newLabel();
  change_warp = a.newLabel();
}

void Emitter::assume(const Shapes* shapes) {
  shapes_ = shapes;
  rows.use(shapes, kMeasured * 16);
}

void Emitter::load_first(const x86::Gp& to, uint32_t operand, bool is64) {
  uint64_t bits = 0;
  const bool in_rcx = in_rcx_.at == at_ && in_rcx_.what == operand;
  if (to.id() == x86::Gp::kIdCx) in_rcx_ = {};
  if (in_rcx && is64) {
    if (to.id() != x86::Gp::kIdCx) a.mov(to.r64(), x86::rcx);
    return;
  }
  if (in_rcx) {
    a.mov(to.r32(), x86::ecx);  // extends
    return;
  }
  if (!immediate(operand, bits)) return rows.load_first(to, operand, is64);
  if (is64) {
    a.mov(to.r64(), bits);
  } else {
    a.mov(to.r32(), static_cast<uint32_t>(bits));
  }
}

void Emitter::load_guard(const x86::Gp& to) {
  a.mov(to, x86::dword_ptr(anchor.predicates, 4 * op().guard));
  if (op().guard_flip != 0) a.not_(to);
}

void Emitter::load_guard_first() {
  if (in_eax_.at != at_ || in_eax_.what != op().guard) return load_guard(x86::eax);
  if (op().guard_flip != 0) a.not_(x86::eax);
}

void Emitter::load_predicate(const x86::Gp& to, uint32_t operand) {
  a.mov(to, x86::dword_ptr(anchor.predicates, static_cast<int32_t>(4 * (operand >> 1))));
  if (operand & 1) a.not_(to);
}

void Emitter::store_predicate(uint32_t index, const x86::Gp& value) {
  const x86::Mem word = x86::dword_ptr(anchor.predicates, static_cast<int32_t>(4 * index));
  if (!unguarded()) {  // old ^ ((old ^ value) & guard)
    load_guard(x86::esi);
    a.xor_(value, word);
    a.and_(value, x86::esi);
    a.xor_(value, word);
  }
  a.mov(word, value);
  if (value.id() == x86::Gp::kIdAx) {
    in_eax_ = {index, next()};
  } else if (in_eax_.what == index) {
    in_eax_ = {};
  }
}

void Emitter::result(uint32_t operand, const Parts& parts, Nans nans, bool flushed) {
  if (unguarded()) {
    rows.bind(operand, parts, nans, flushed);
    return;
  }
  // The other lanes keep their bits, whatever NaN they are.
  rows.canonicalise(parts, nans);
  const Parts old = rows.read(operand, parts.count);
  load_guard(x86::eax);
  a.kmovd(x86::k1, x86::eax);
  for (uint32_t i = 0; i < parts.count; ++i) {
    if (i > 0) a.kshiftrd(x86::k1, x86::k1, 32 / parts.count);
    switch (parts.count) {
      case 1: a.k(x86::k1).vmovdqu16(old[i], parts[i]); break;
      case 2: a.k(x86::k1).vmovdqa32(old[i], parts[i]); break;
      default: a.k(x86::k1).vmovdqa64(old[i], parts[i]); break;
    }
  }
  rows.release(parts);
  rows.bind(operand, old);
}

// rax = what the interpreter's handler returns.
void Emitter::call_handler(uint32_t index) {
  a.mov(x86::rdi, anchor.warp);
  load_op(x86::rsi, index);
  a.mov(x86::rax, reinterpret_cast<uint64_t>(image_.code[index].run));
  a.call(x86::rax);
}

// The same; it goes on at `next` with all lanes, or the interpreter's loop takes over. Only barriers
// that all lanes wait at keep them together.
void Emitter::call_and_expect(uint32_t index, uint32_t next) {
  const Op& op = image_.code[index];
  const bool stays = flow_of(op) == Flow::kBarrier && op.guard == exec::kPredicateTrue;
  const asmjit::Label& other = stays || shapes_ == nullptr ? leave_ : leave_apart_;
  call_handler(index);
  load_op(x86::rcx, next);
  a.cmp(x86::rax, x86::rcx);
  a.jne(other);
  a.cmp(x86::dword_ptr(anchor.warp, offsetof(exec::Warp, active)), -1);
  a.jne(other);
}

void Emitter::forget_together() { a.mov(x86::dword_ptr(anchor.warp, offsetof(exec::Warp, together)), 0); }

void Emitter::leave_beside(const asmjit::Label& from) {
  beside([this, from, cached = rows.snapshot(), index = at_] {
    a.bind(from);
    rows.store(cached);
    forget_together();
    leave_with(index);
  });
}

std::vector<uint32_t> Emitter::operands(uint32_t index) const {
  std::vector<uint32_t> found;
  for (uint32_t at = index; at < next_instruction(image_, index); ++at)
    found.insert(found.end(), std::begin(image_.code[at].r), std::end(image_.code[at].r));
  return found;
}

void Emitter::interpret() {
  const Flow flow = flow_of(op());
  const RowCache::Needed needed = [this](uint32_t operand) { return live_.live_before(at_, operand); };
  if (shapes_ == nullptr || flow == Flow::kCall || flow == Flow::kAway) {
    rows.flush(needed);
  } else {
    rows.settle(needed, operands(at_));
  }
  call_and_expect(at_, next());
}

void Emitter::interpret_and_leave() {
  rows.flush();
  if (shapes_ != nullptr) forget_together();
  leave_with(at_);
}

// rax is the warp whose turn it is, or nullptr for the interpreter's loop.
void Emitter::go_on_with_next(const asmjit::Label& to) {
  a.test(x86::rax, x86::rax);
  a.jz(leave_);
  a.mov(anchor.warp, x86::rax);
  a.lea(x86::rax, x86::ptr(to));
  a.jmp(change_warp);
}

void Emitter::exit(uint32_t at, const asmjit::Label& to) {
  a.mov(x86::rdi, anchor.warp);
  a.mov(x86::esi, at);
  a.mov(x86::rax, reinterpret_cast<uint64_t>(&exec::exit_whole_warp));
  a.call(x86::rax);
  if (at == exec::kNowhere) return leave();
  go_on_with_next(to);
}

void Emitter::yield(uint32_t target, const asmjit::Label& to) {
  a.mov(x86::rdi, anchor.warp);
  a.mov(x86::esi, target);
  a.mov(x86::rax, reinterpret_cast<uint64_t>(&exec::yield_whole_warp));
  a.call(x86::rax);
  go_on_with_next(to);
}

void Emitter::interpret_beside(uint32_t index, uint32_t next, const RowCache::Snapshot& cached,
                               const std::vector<uint32_t>& written) {
  rows.store(cached);
  call_and_expect(index, next);
  rows.load(cached, written);
}

int Emitter::new_shape() { return measured_ < kMeasured ? measured_++ : kNoShape; }

void Emitter::emit_enter() {
  a.bind(enter);
  for (const x86::Gp& saved : {x86::rbx, x86::rbp, x86::r12, x86::r13, x86::r14, x86::r15}) a.push(saved);
  a.sub(x86::rsp, kFrameBytes);
  a.mov(x86::qword_ptr(x86::rsp, kCalledFor), x86::rdi);
  a.mov(anchor.warp, x86::rdi);
  a.mov(anchor.params, x86::qword_ptr(x86::rdi, offsetof(exec::Warp, launch)));
  a.mov(anchor.params, x86::qword_ptr(anchor.params, offsetof(exec::Launch, params)));
  const int32_t bank = offsetof(exec::Warp, bank);
  a.mov(anchor.constants, x86::qword_ptr(x86::rdi, bank + 8 * exec::kBankConstants));
  a.mov(anchor.ranges, x86::qword_ptr(x86::rdi, offsetof(exec::Warp, ranges)));
  a.bind(change_warp);
  a.mov(anchor.registers, x86::qword_ptr(anchor.warp, bank + 8 * exec::kBankRegisters));
  a.mov(anchor.predicates, x86::qword_ptr(anchor.warp, offsetof(exec::Warp, predicates)));
  a.jmp(x86::rax);
}

void Emitter::emit_leave() {
  a.bind(leave_apart_);
  forget_together();
  a.bind(leave_);
  const asmjit::Label moved = a.newLabel(), out = a.newLabel();
  a.cmp(anchor.warp, x86::qword_ptr(x86::rsp, kCalledFor));
  a.jne(moved);
  a.bind(out);
  a.add(x86::rsp, kFrameBytes);
  for (const x86::Gp& saved : {x86::r15, x86::r14, x86::r13, x86::r12, x86::rbp, x86::rbx}) a.pop(saved);
  a.vzeroupper();
  a.ret();
  a.bind(moved);
  a.mov(x86::qword_ptr(anchor.warp, offsetof(exec::Warp, left_at)), x86::rax);
  a.xor_(x86::eax, x86::eax);
  a.jmp(out);
}

void Emitter::emit_beside() {
  for (size_t i = 0; i < beside_.size(); ++i) beside_[i]();
  beside_.clear();
}

void Emitter::finish() {
  emit_enter();
  emit_leave();
  emit_find_range(*this);
  data.emit();
  a.bind(anchor.nan64);
  a.embedUInt64(0x7ff8'0000'0000'0000);
  a.bind(anchor.nan32);
  a.embedUInt32(0x7fff'ffff);
}

}  // namespace outboard::softgpu::jit
