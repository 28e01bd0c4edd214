// Bounds and constants of the software device. Sizes are bytes.
#pragma once

#include <cstddef>
#include <cstdint>

namespace outboard::softgpu {

// Allocations start at, and are valid up to, multiples of this: cudaMalloc promises 256, real
// devices give 512, and programs that read a vector beyond an odd size rely on it.
inline constexpr uint64_t kAllocationAlign = 512;
// Device memory is taken from the system in pieces of this size. Also what
// cuMemGetAllocationGranularity reports, as real devices do.
inline constexpr uint64_t kGranuleBytes = uint64_t{2} << 20;
// Of the processor. Parts of memory that are shared with others, or that the application touches itself,
// lie in pages of their own.
inline constexpr uint64_t kPageBytes = 4096;
// Freed granules kept ready per device, so that a loop of cudaMalloc and cudaFree does not fault
// its pages in again and again.
inline constexpr uint64_t kRetainedBytes = uint64_t{256} << 20;

inline constexpr uint32_t kMaxDevices = 16;

// Device memory lies at the same address in every process that can have it there: 32 TiB, far from
// where the kernel places mappings, programs and sanitizers' shadows. Device n starts
// n * kArenaStride above.
inline constexpr uint64_t kArenaBase = 0x2000'0000'0000;
inline constexpr uint64_t kArenaStride = uint64_t{1} << 40;
// Where other processes' memory appears: above all devices.
inline constexpr uint64_t kImportBase = kArenaBase + kMaxDevices * kArenaStride;
inline constexpr uint64_t kSmallestMemoryBytes = uint64_t{64} << 20;
inline constexpr uint64_t kLargestMemoryBytes = kArenaStride / 4;

inline constexpr uint32_t kMaxCores = 256;
inline constexpr uint32_t kMaxLaunchTimeoutSeconds = 86'400;
// Threads that run streams' work, over all devices.
inline constexpr uint32_t kMaxWorkers = 64;
inline constexpr size_t kMaxObjects = size_t{1} << 24;  // handles of all kinds alive at once

inline constexpr uint32_t kWarpSize = 32;
inline constexpr uint32_t kMaxThreadsPerBlock = 1024;
inline constexpr uint32_t kMaxThreadsPerMultiprocessor = 2048;
inline constexpr uint32_t kMaxBlocksPerMultiprocessor = 32;
inline constexpr uint32_t kRegistersPerMultiprocessor = 65536;
inline constexpr uint32_t kSharedBytesPerBlock = 48 * 1024;
inline constexpr uint32_t kSharedBytesPerBlockOptIn = 227 * 1024;
inline constexpr uint32_t kSharedBytesPerMultiprocessor = 228 * 1024;
inline constexpr uint32_t kReservedSharedBytesPerBlock = 1024;
inline constexpr uint32_t kMaxGridX = 0x7fff'ffff;
inline constexpr uint32_t kMaxGridYZ = 65535;
inline constexpr uint32_t kMaxBlockXY = 1024;
inline constexpr uint32_t kMaxBlockZ = 64;
inline constexpr uint32_t kMaxPitch = 0x7fff'ffff;
inline constexpr uint64_t kDefaultHeapBytes = uint64_t{8} << 20;
inline constexpr uint64_t kDefaultPrintfBytes = uint64_t{1} << 20;

}  // namespace outboard::softgpu
