// What a function answers that the software device does not have.
#pragma once

namespace outboard::softgpu {

// Says once per name that the program called it. Called by the generated definitions, which then
// return CUDA_ERROR_NOT_SUPPORTED.
void note_unimplemented(const char* function) noexcept;

}  // namespace outboard::softgpu
