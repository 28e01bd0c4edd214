// How long is a code image? cuModuleLoadData and cuLibraryLoadData get a pointer and no length;
// the length has to be read out of the image itself.
// Forms in use (facts: CUDA 13.0 binaries): the wrapper that nvcc puts into programs, a fat binary,
// an ELF cubin, PTX text.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "protocol/base/result.h"

namespace outboard::client {

enum class ImageKind : uint8_t { kFatBinary, kElf, kPtx };

// Points into the application's memory; nothing is copied.
struct Image {
  ImageKind kind = ImageKind::kPtx;
  std::span<const std::byte> bytes;
  // Version-2 wrappers of relocatable device code carry more fat binaries, which the driver links
  // together with the first one.
  std::vector<std::span<const std::byte>> prelinked;
};

inline constexpr uint32_t kFatBinaryWrapperMagic = 0x466243b1;
inline constexpr uint32_t kFatBinaryMagic = 0xBA55ED50;
inline constexpr uint64_t kMaxImageBytes = uint64_t{1} << 32;
inline constexpr size_t kMaxPrelinkedImages = 4096;

// Reads lengths from the image; `pointer` must be readable as far as the image claims to reach,
// which nobody can check: every field is at least checked against its limits and neighbours.
// kInvalidArgument with the field that is wrong.
Result<Image> measure_image(const void* pointer);

}  // namespace outboard::client
