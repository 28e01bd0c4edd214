// Names for driver objects that mean the same on both sides of the wire.
#pragma once

#include <cstdint>

namespace outboard::wire {

// One kind per driver object type. Values travel; append only.
enum class HandleKind : uint8_t {
  kNone = 0,
  kContext = 1,
  kModule = 2,
  kLibrary = 3,
  kFunction = 4,  // CUfunction and CUkernel share one namespace: cudart passes either to a launch
  kStream = 5,
  kEvent = 6,
  kGraph = 7,
  kGraphNode = 8,
  kGraphExec = 9,
  kMemoryPool = 10,
  kArray = 11,
  kMipmappedArray = 12,
  kTexture = 13,  // CUtexObject
  kSurface = 14,  // CUsurfObject
  kTexRef = 15,
  kSurfRef = 16,
  kLinkState = 17,
  kAllocation = 18,  // CUmemGenericAllocationHandle
  kUserObject = 19,
  kGreenContext = 20,
  kExternalMemory = 21,
  kExternalSemaphore = 22,
  kGraphConditional = 23,
  kDevResourceDesc = 24,
  kAsyncCallback = 25,
  kLimit = 26,  // one past the last
};

// The client chooses index and generation, so that creating an object needs no round trip.
// Index 0 is the null handle. Indices from kServerIndexBase up are chosen by the server, for
// objects that the driver made known by itself (the nodes of a captured graph, for example).
// For streams, index 0 with generation 0, 1 or 2 are CUDA's special streams: NULL (0),
// CU_STREAM_LEGACY (1), CU_STREAM_PER_THREAD (2). The client resolves the last before it sends.
struct Handle {
  uint32_t index = 0;
  uint32_t generation = 0;
  friend bool operator==(const Handle&, const Handle&) = default;
  bool is_null() const { return index == 0 && generation == 0; }
};

inline constexpr uint32_t kServerIndexBase = 0x8000'0000u;

}  // namespace outboard::wire
