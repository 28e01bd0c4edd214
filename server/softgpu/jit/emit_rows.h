// Whole rows to whole rows: what the emitters of arithmetic and of bits have in common.
#pragma once

#include "server/softgpu/jit/emitter.h"

namespace outboard::softgpu::jit {

// d = OP a, and d = a OP b: one x86 instruction per register.
void emit_unary(Emitter& emitter, uint32_t instruction, uint32_t count);
void emit_binary(Emitter& emitter, uint32_t instruction, uint32_t count);

// A register's worth of lanes of `from`, number `part`, each twice as wide in `to`.
void emit_widen(Emitter& emitter, uint32_t instruction, const x86::Zmm& to, const Parts& from, uint32_t part);

}  // namespace outboard::softgpu::jit
