// Slow parts of calls and returns, which are the same for every instruction set.
#pragma once

#include "server/softgpu/exec/warp.h"

namespace outboard::softgpu::exec {

// The active lanes enter function `index`; they come back to `after`. `frame` is the offset of the
// callee's frame from the caller's.
const Op* enter_function(Warp& warp, const Op* op, uint32_t index, uint32_t frame, uint32_t after);
// The same with a function address per lane; lanes may go to different functions.
const Op* enter_functions(Warp& warp, const Op* op, const uint64_t* addresses, uint32_t frame,
                          uint32_t after);
// Lanes have come back to the caller: drops the callee's frame.
void leave_frame(Warp& warp, const Op* op, uint32_t frame);
// `next` has the instruction that each lane of the mask returns to.
const Op* return_to(Warp& warp, const Op* op, uint32_t mask, const uint32_t* next);

const Op* system_call(Warp& warp, const Op* op, uint32_t mask);

}  // namespace outboard::softgpu::exec
