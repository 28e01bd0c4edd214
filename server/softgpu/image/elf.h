// What the loader has to know about an ELF image: how long it is and for what it was made.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "protocol/base/result.h"

namespace outboard::softgpu::image {

struct ElfInfo {
  uint64_t bytes = 0;    // whole image, from the section and program headers
  uint16_t machine = 0;  // 190 for CUDA
  uint32_t sm = 0;       // the target's number as 75, 90, 120; 0 when it cannot be told
};

inline constexpr uint16_t kElfMachineCuda = 190;

// True when the first four bytes are the ELF magic.
bool is_elf(std::span<const std::byte> head);

// Reads the headers of a 64-bit little-endian ELF in `data`; `data` may be longer than the image.
// Never reads outside `data`.
Result<ElfInfo> read_elf(std::span<const std::byte> data);

}  // namespace outboard::softgpu::image
