// Where the bytes of a memory instruction are: checked addresses of all lanes, and whether they
// lie side by side. Included by the groups that touch memory.
#pragma once

#include "server/softgpu/exec/form_aux.h"
#include "server/softgpu/exec/handlers/lanes.h"
#include "server/softgpu/exec/memory.h"
#include "server/softgpu/exec/windows.h"

namespace outboard::softgpu::exec::OUTBOARD_ISA {
namespace {

enum class Layout : u8 {
  kFault,       // the launch has failed; stop
  kUniform,     // all lanes at `base`
  kContiguous,  // lane i at base + i * bytes, all of them accessible
  kScattered,   // lane i at lane[i]
};

struct Access {
  std::byte* base;
  bool shared;  // in the CTA's own memory, which no other thread touches
  alignas(64) std::byte* lane[kLanes];
};

OUTBOARD_INLINE bool in_last_range(const Warp& warp, u64 begin, u64 end) {
  const MemoryRange& range = warp.ranges->ranges[warp.ranges->last];
  return begin >= range.begin && end <= range.end && begin < end;  // the end of the last address wraps
}
OUTBOARD_INLINE bool in_ranges(Warp& warp, u64 begin, u64 end) {
  return in_last_range(warp, begin, end) || find_range(warp, begin, end);
}

// Lane by lane, for lanes whose accesses together lie in no single range or window.
[[gnu::noinline]] Layout resolve_slow(Warp& warp, const Op* op, u32 mask, u32 bytes, const u64* addresses,
                                      Access& access) {
  access.shared = false;
  for (u32 rest = mask; rest != 0; rest &= rest - 1) {
    u32 lane = first_lane(rest);
    if (addresses[lane] % bytes != 0 && (bytes & (bytes - 1)) == 0) {
      bad_access(warp, op, lane, addresses[lane], bytes, "generic", true);
      return Layout::kFault;
    }
    access.lane[lane] = translate_generic(warp, lane, addresses[lane], bytes);
    if (access.lane[lane] == nullptr) {
      bad_access(warp, op, lane, addresses[lane], bytes, "generic", false);
      return Layout::kFault;
    }
  }
  return Layout::kScattered;
}

// Adds the constant offset to the address row.
OUTBOARD_INLINE void widen_addresses(Warp& warp, const Op* op, u32 row, s32 offset, u16 flag32,
                                     u64* addresses) {
  if (op->flags & flag32) {
    const u32* from = warp.row<const u32>(row);
    OUTBOARD_LANE_LOOP
    for (u32 i = 0; i < kLanes; ++i) addresses[i] = u32(from[i] + static_cast<u32>(offset));
  } else {
    const u64* from = warp.row<const u64>(row);
    OUTBOARD_LANE_LOOP
    for (u32 i = 0; i < kLanes; ++i) addresses[i] = from[i] + static_cast<u64>(s64{offset});
  }
}

// Inactive lanes get the address of an active one, so that they disturb no check.
OUTBOARD_INLINE void fill_inactive(u32 mask, u64* addresses) {
  if (mask == kAllLanes) return;
  u64 valid = addresses[first_lane(mask)];
  OUTBOARD_LANE_LOOP
  for (u32 i = 0; i < kLanes; ++i) addresses[i] = (mask >> i & 1) ? addresses[i] : valid;
}

struct Extent {
  u64 low, high, misaligned, spread;
};

OUTBOARD_INLINE Extent extent_of(const u64* addresses, u32 bytes) {
  Extent extent{~u64{0}, 0, 0, 0};
  u64 first = addresses[0];
  for (u32 i = 0; i < kLanes; ++i) {
    u64 a = addresses[i];
    extent.low = a < extent.low ? a : extent.low;
    extent.high = a > extent.high ? a : extent.high;
    extent.misaligned |= a;
    extent.spread |= a ^ (first + u64{i} * bytes);
  }
  extent.misaligned &= bytes - 1;
  return extent;
}

[[gnu::cold, gnu::noinline]] Layout report(Warp& warp, const Op* op, u32 mask, u32 bytes,
                                           const u64* addresses, u64 limit, const char* space) {
  for (u32 rest = mask; rest != 0; rest &= rest - 1) {
    u32 lane = first_lane(rest);
    bool misaligned = (addresses[lane] & (bytes - 1)) != 0;
    if (misaligned || addresses[lane] + bytes > limit) {
      bad_access(warp, op, lane, addresses[lane], bytes, space, misaligned);
      return Layout::kFault;
    }
  }
  bad_access(warp, op, first_lane(mask), addresses[first_lane(mask)], bytes, space, false);
  return Layout::kFault;
}

// `bytes` per lane, a power of two, which is also the alignment wanted. The address operand is
// operand `at` and the one behind.
template <Window W>
[[gnu::noinline]] Layout resolve_in(Warp& warp, const Op* op, u32 at, u32 mask, u32 bytes, bool second,
                                    Access& access) {
  u32 row = op->operand(at);
  s32 offset = static_cast<s32>(op->operand(at + 1));
  u16 flag32 = second ? kSecondAddress32 : kAddress32;
  bool uniform = op->flags & (second ? kSecondUniformAddress : kUniformAddress);
  alignas(64) u64 addresses[kLanes];
  Extent extent;
  if (uniform) {
    u64 address = op->flags & flag32 ? u32(warp.row<const u32>(row)[0] + static_cast<u32>(offset))
                                     : warp.row<const u64>(row)[0] + static_cast<u64>(s64{offset});
    for (u64& a : addresses) a = address;
    extent = {address, address, address & (bytes - 1), 1};
  } else {
    widen_addresses(warp, op, row, offset, flag32, addresses);
    fill_inactive(mask, addresses);
    extent = extent_of(addresses, bytes);
  }
  access.shared = false;
  u64 end = extent.high + bytes;
  u64 origin = 0;  // what is added to an address
  if constexpr (W == Window::kGlobal) {
    if (extent.misaligned != 0 || !in_ranges(warp, extent.low, end))
      return resolve_slow(warp, op, mask, bytes, addresses, access);
  } else if constexpr (W == Window::kGeneric) {
    if (extent.low >> kWindowShift == kSharedWindow >> kWindowShift &&
        end - kSharedWindow <= warp.shared_bytes && extent.misaligned == 0) {
      origin = reinterpret_cast<u64>(warp.shared) - kSharedWindow;
      access.shared = true;
    } else if (extent.misaligned != 0 || !in_ranges(warp, extent.low, end)) {
      return resolve_slow(warp, op, mask, bytes, addresses, access);
    }
  } else if constexpr (W == Window::kShared) {
    if (extent.misaligned != 0 || end > warp.shared_bytes || end < bytes)
      return report(warp, op, mask, bytes, addresses, warp.shared_bytes, "shared");
    origin = reinterpret_cast<u64>(warp.shared);
    access.shared = true;
  } else if constexpr (W == Window::kParam) {
    if (extent.misaligned != 0 || end > warp.launch->param_bytes || end < bytes)
      return report(warp, op, mask, bytes, addresses, warp.launch->param_bytes, "param");
    origin = reinterpret_cast<u64>(warp.launch->params);
  } else {
    if (extent.misaligned != 0 || end > warp.stack_bytes || end < bytes)
      return report(warp, op, mask, bytes, addresses, warp.stack_bytes, "local");
    for (u32 i = 0; i < kLanes; ++i) access.lane[i] = warp.local + u64{i} * warp.stack_bytes + addresses[i];
    return Layout::kScattered;
  }
  if (extent.low == extent.high) {
    access.base = reinterpret_cast<std::byte*>(origin + extent.low);
    return Layout::kUniform;
  }
  if (extent.spread == 0) {
    access.base = reinterpret_cast<std::byte*>(origin + addresses[0]);
    return Layout::kContiguous;
  }
  for (u32 i = 0; i < kLanes; ++i) access.lane[i] = reinterpret_cast<std::byte*>(origin + addresses[i]);
  return Layout::kScattered;
}

OUTBOARD_INLINE Layout resolve(Window window, Warp& warp, const Op* op, u32 at, u32 mask, u32 bytes,
                               bool second, Access& access) {
  switch (window) {
    case Window::kGlobal: return resolve_in<Window::kGlobal>(warp, op, at, mask, bytes, second, access);
    case Window::kShared: return resolve_in<Window::kShared>(warp, op, at, mask, bytes, second, access);
    case Window::kLocal: return resolve_in<Window::kLocal>(warp, op, at, mask, bytes, second, access);
    case Window::kParam: return resolve_in<Window::kParam>(warp, op, at, mask, bytes, second, access);
    default: return resolve_in<Window::kGeneric>(warp, op, at, mask, bytes, second, access);
  }
}

// The common case of shared memory, without a detour over 64-bit addresses: a row of 32-bit offsets
// and no lane masked. Layout::kFault means that resolve() must look closer.
OUTBOARD_INLINE Layout resolve_shared(Warp& warp, const Op* op, u32 at, u32 bytes, u32* offsets) {
  const u32* row = warp.row<const u32>(op->operand(at));
  u32 constant = op->operand(at + 1);
  u32 first = row[0] + constant, most = 0, misaligned = 0, differs = 0, spread = 0;
  OUTBOARD_LANE_LOOP
  for (u32 i = 0; i < kLanes; ++i) {
    u32 offset = row[i] + constant;
    offsets[i] = offset;
    most = offset > most ? offset : most;
    misaligned |= offset;
    differs |= offset ^ first;
    spread |= offset ^ (first + i * bytes);
  }
  if ((misaligned & (bytes - 1)) != 0 || u64{most} + bytes > warp.shared_bytes) return Layout::kFault;
  return differs == 0 ? Layout::kUniform : spread == 0 ? Layout::kContiguous : Layout::kScattered;
}

OUTBOARD_INLINE bool is_plain_shared(const Op* op, Window window, u32 mask) {
  return window == Window::kShared && (op->flags & (kAddress32 | kUniformAddress)) == kAddress32 &&
         mask == kAllLanes;
}

// For code that treats all layouts alike.
OUTBOARD_INLINE void spread(Layout layout, u32 bytes, Access& access) {
  if (layout == Layout::kScattered) return;
  u32 stride = layout == Layout::kContiguous ? bytes : 0;
  for (u32 i = 0; i < kLanes; ++i) access.lane[i] = access.base + i * stride;
}

}  // namespace
}  // namespace outboard::softgpu::exec::OUTBOARD_ISA
