// The container ("fat binary") that nvcc wraps device code in: a 16-byte header, then entries of
// PTX, SASS (ELF) or LTO-IR for different targets. Layout from facts gathered on CUDA 12 and 13.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "protocol/base/result.h"
#include "server/softgpu/image/decompress.h"

namespace outboard::softgpu::image {

inline constexpr uint32_t kFatbinMagic = 0xBA55ED50;
inline constexpr uint64_t kFatbinHeaderBytes = 16;

enum class EntryKind : uint16_t { kPtx = 1, kElf = 2, kLtoIr = 8 };

struct FatbinEntry {
  EntryKind kind{};
  uint32_t sm = 0;     // 90 for compute_90 or sm_90
  uint64_t flags = 0;  // as found; low bits 0x11 are "Linux, 64 bit"
  Compression compression = Compression::kNone;
  uint64_t expanded_bytes = 0;
  std::span<const std::byte> payload;  // compressed bytes if compressed; points into the container
};

// Size of the whole container, from its header; fails if `header` does not start one or the size is
// above kMaxContainerBytes. Reads 16 bytes.
Result<uint64_t> fatbin_bytes(std::span<const std::byte> header);

// Lists the entries of the container that starts at `data`. `data` may be longer, and must not be
// shorter, than the container. Entries of unknown kinds are kept: the caller skips them.
Result<std::vector<FatbinEntry>> read_fatbin(std::span<const std::byte> data);

// Entries that hold PTX, the best for `device_sm` first: the highest target that is not above the
// device, then, as a last resort, targets above it from the lowest up. Among equal targets a
// generic entry is before an architecture-specific one (more flag bits).
std::vector<FatbinEntry> rank_ptx(const std::vector<FatbinEntry>& entries, uint32_t device_sm);

}  // namespace outboard::softgpu::image
