// Bounds on what a program image may ask of the loader. All sizes are bytes.
#pragma once

#include <cstdint>

namespace outboard::softgpu::image {

// The largest container accepted. CUDA 13's libraries hold containers of up to 400 MB.
inline constexpr uint64_t kMaxContainerBytes = uint64_t{1} << 32;
// Entries in one container; the largest seen has a few hundred.
inline constexpr uint32_t kMaxEntries = 4096;
// One decompressed entry. The largest PTX seen is about 30 MB.
inline constexpr uint64_t kMaxEntryBytes = uint64_t{256} << 20;
// All entries of a linked image together, decompressed: a few kilobytes can ask for an entry's limit.
inline constexpr uint64_t kMaxLinkedBytes = uint64_t{512} << 20;
// PTX text that is passed without a length is searched for its NUL up to here.
inline constexpr uint64_t kMaxPtxTextBytes = uint64_t{256} << 20;
// Prelinked containers that a version 2 wrapper may list.
inline constexpr uint32_t kMaxPrelinked = 1024;

}  // namespace outboard::softgpu::image
