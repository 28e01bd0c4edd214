// The subroutine that loads and stores share.
#pragma once

#include "server/softgpu/jit/emitter.h"

namespace outboard::softgpu::jit {

// The subroutine behind Emitter::find_range: whether [rcx, rax) lies in one of the thread's known
// ranges, which becomes the one that is looked at first. Zero flag if so; loses rdx, rsi and rdi.
void emit_find_range(Emitter& emitter);

}  // namespace outboard::softgpu::jit
