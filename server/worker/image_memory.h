// Device memory that a code image takes when it is loaded: its variables, and what its kernels need set
// aside. Drivers do not tell, so it is read from the image.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace outboard::server {

struct ImageMemory {
  uint64_t variable_bytes = 0;
  bool uses_heap = false;  // kernels that call malloc
  bool prints = false;     // kernels that call printf
};

// Of what a client sent (module_image.h), which is within its bounds. Of alternatives for several devices
// the largest counts. What cannot be read counts as more than any lease grants.
ImageMemory memory_of_image(std::span<const std::byte> sent);

// Of PTX text: .global and .const variables, with what aligns them.
ImageMemory memory_of_ptx(std::string_view text);

}  // namespace outboard::server
