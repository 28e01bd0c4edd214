// Drivers take code images without a length and trust what is written in them. A client's image is
// handed to the driver only if everything its headers announce lies within what the client sent.
#pragma once

#include <cstddef>
#include <span>

namespace outboard::server {

// True for a fat binary (bare header), an ELF file, or PTX text that ends with a zero byte. The
// wrapper around a fat binary holds addresses of the client and is never accepted.
bool image_is_bounded(std::span<const std::byte> image);

}  // namespace outboard::server
