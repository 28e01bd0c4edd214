// Loads and stores.
#pragma once

#include "server/softgpu/jit/emitter.h"

namespace outboard::softgpu::jit {

// `bytes` per element in memory, `count` registers per row. Scattered addresses, partial guards and
// everything that fails are left to the interpreter.
void emit_load(Emitter& emitter, uint32_t bytes, uint32_t count);
void emit_store(Emitter& emitter, uint32_t bytes, uint32_t count);

// The subroutine behind Emitter::find_range: whether [rcx, rax) lies in one of the thread's known
// ranges, which becomes the one that is looked at first. Zero flag if so; loses rdx, rsi and rdi.
void emit_find_range(Emitter& emitter);

}  // namespace outboard::softgpu::jit
