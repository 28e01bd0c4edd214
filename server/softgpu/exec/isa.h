// Instruction sets of the host that the handlers are compiled for.
#pragma once

#include <cstdint>

namespace outboard::softgpu::exec {

// What the handlers are compiled for. The best that the processor has is used unless a caller
// asks for another (tests run all of them).
enum class Isa : uint8_t { kAvx2, kAvx512, kBest };
bool isa_available(Isa isa);

}  // namespace outboard::softgpu::exec
