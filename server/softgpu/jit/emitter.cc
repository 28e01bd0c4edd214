#include "server/softgpu/jit/emitter.h"

#include <algorithm>

#include "server/softgpu/jit/emit_memory.h"

namespace outboard::softgpu::jit {

Emitter::Emitter(asmjit::CodeHolder& holder, const ptx::Image& image)
    : a(&holder),
      anchor{x86::rbx, x86::r12, x86::rbp, x86::r13, x86::r14, x86::r15, a.newLabel(), a.newLabel()},
      rows(a, anchor),
      image_(image) {
  find_range = a.newLabel();
  leave_ = a.newLabel();
  enter = a.newLabel();
}

bool Emitter::immediate(uint32_t operand, uint64_t& bits) const {
  if ((operand & 3) != exec::kBankConstants) return false;
  // The bank is filled in the constants' order.
  const std::vector<uint32_t>& offsets = image_.constant_offsets;
  const auto found = std::lower_bound(offsets.begin(), offsets.end(), operand & ~(exec::kRowUnit - 1));
  const ptx::Constant& constant = image_.constants[static_cast<size_t>(found - offsets.begin())];
  if (constant.kind != ptx::Constant::Kind::kPlain) return false;
  bits = constant.bits;
  return true;
}

void Emitter::load_guard(const x86::Gp& to) {
  a.mov(to, x86::dword_ptr(anchor.predicates, 4 * op().guard));
  if (op().guard_flip != 0) a.not_(to);
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
}

void Emitter::result(uint32_t operand, const Parts& parts, Nans nans, bool flushed) {
  if (unguarded()) {
    rows.bind(operand, parts, nans, flushed);
    return;
  }
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
  rows.bind(operand, old, nans, false);
}

// rax = what the interpreter's handler returns.
void Emitter::call_handler(uint32_t index) {
  a.mov(x86::rdi, anchor.warp);
  a.lea(x86::rsi, x86::ptr(anchor.code, static_cast<int32_t>(index * sizeof(Op))));
  a.mov(x86::rax, reinterpret_cast<uint64_t>(image_.code[index].run));
  a.call(x86::rax);
}

// The same; it goes on at `next` with all lanes, or the interpreter's loop takes over.
void Emitter::call_and_expect(uint32_t index, uint32_t next) {
  call_handler(index);
  a.lea(x86::rcx, x86::ptr(anchor.code, static_cast<int32_t>(next * sizeof(Op))));
  a.cmp(x86::rax, x86::rcx);
  a.jne(leave_);
  a.cmp(x86::dword_ptr(anchor.warp, offsetof(exec::Warp, active)), -1);
  a.jne(leave_);
}

void Emitter::interpret() {
  rows.flush();
  call_and_expect(at_, next());
}

void Emitter::interpret_and_leave() {
  rows.flush();
  leave_with(at_);
}

void Emitter::interpret_beside(uint32_t index, uint32_t next, const RowCache::Snapshot& cached,
                               const std::vector<uint32_t>& written) {
  rows.store(cached);
  call_and_expect(index, next);
  rows.load(cached, written);
}

int Emitter::new_shape() { return shapes_ < kShapes ? shapes_++ : kNoShape; }

asmjit::Label Emitter::data32(uint32_t value) {
  auto [place, is_new] = data32_.try_emplace(value);
  if (is_new) place->second = a.newLabel();
  return place->second;
}

asmjit::Label Emitter::every(uint32_t step, uint32_t first) {
  auto [place, is_new] = every_.try_emplace({step, first});
  if (is_new) place->second = a.newLabel();
  return place->second;
}

asmjit::Label Emitter::multiples(uint32_t step, bool is32) {
  auto [place, is_new] = multiples_.try_emplace({step, is32});
  if (is_new) place->second = a.newLabel();
  return place->second;
}

void Emitter::emit_enter() {
  a.bind(enter);
  for (const x86::Gp& saved : {x86::rbx, x86::rbp, x86::r12, x86::r13, x86::r14, x86::r15}) a.push(saved);
  a.sub(x86::rsp, kFrameBytes);
  a.mov(anchor.warp, x86::rdi);
  const int32_t bank = offsetof(exec::Warp, bank);
  a.mov(anchor.registers, x86::qword_ptr(x86::rdi, bank + 8 * exec::kBankRegisters));
  a.mov(anchor.constants, x86::qword_ptr(x86::rdi, bank + 8 * exec::kBankConstants));
  a.mov(anchor.predicates, x86::qword_ptr(x86::rdi, offsetof(exec::Warp, predicates)));
  a.mov(anchor.code, x86::qword_ptr(x86::rdi, offsetof(exec::Warp, code)));
  a.mov(anchor.shared, x86::qword_ptr(x86::rdi, offsetof(exec::Warp, shared)));
  a.jmp(x86::rax);
}

void Emitter::emit_leave() {
  a.bind(leave_);
  a.add(x86::rsp, kFrameBytes);
  for (const x86::Gp& saved : {x86::r15, x86::r14, x86::r13, x86::r12, x86::rbp, x86::rbx}) a.pop(saved);
  a.vzeroupper();
  a.ret();
}

void Emitter::finish() {
  for (size_t i = 0; i < beside_.size(); ++i) beside_[i]();
  emit_enter();
  emit_leave();
  emit_find_range(*this);
  emit_data();
}

void Emitter::emit_data() {
  a.align(asmjit::AlignMode::kData, 64);
  for (const auto& [what, label] : multiples_) {
    a.bind(label);
    for (uint32_t lane = 0; lane < exec::kLanes; ++lane) {
      if (what.second) {
        a.embedUInt32(lane * what.first);
      } else {
        a.embedUInt64(uint64_t{lane} * what.first);
      }
    }
  }
  for (const auto& [what, label] : every_) {
    a.bind(label);
    for (uint32_t i = 0; i < 16; ++i) a.embedUInt32((what.second + i * what.first) & 31);
  }
  a.bind(anchor.nan64);
  a.embedUInt64(0x7ff8'0000'0000'0000);
  a.bind(anchor.nan32);
  a.embedUInt32(0x7fff'ffff);
  for (const auto& [value, label] : data32_) {
    a.bind(label);
    a.embedUInt32(value);
  }
}

}  // namespace outboard::softgpu::jit
